import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { SocketWire } from "@wirestack/protocol/wire/SocketWire"
import { Effect, Fiber } from "effect"
import { Duplex } from "node:stream"
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads"
import * as Loan from "../../src/bytes/Loan.ts"
import * as Pool from "../../src/bytes/Pool.ts"

const lent = (size: number, fill = 1) => Loan.lendCopy(new Uint8Array(size).fill(fill))

/** Its receiver has asked for what is next. */
const done = (bytes: Uint8Array) => Loan.of(bytes)!.release()

const isGone = (bytes: Uint8Array) => bytes.length === 0

describe("a loan", () => {
  it("is the bytes, and whoever looks at any of them", () => {
    const bytes = lent(20_000, 7)
    assert.deepStrictEqual(bytes, new Uint8Array(20_000).fill(7))
    assert.strictEqual(Loan.of(bytes.subarray(3, 5)), Loan.of(bytes))
    assert.isUndefined(Loan.of(bytes.slice()))
  })

  it("ends with its last holder", () => {
    const bytes = lent(20_000)
    const loan = Loan.of(bytes)!
    loan.hold()
    loan.hold()
    loan.release()
    loan.release()
    assert.lengthOf(bytes, 20_000)
    loan.release()
    assert.lengthOf(bytes, 0)
  })

  it("leaves empty views of memory that somebody else has by then", () => {
    const bytes = lent(20_000, 1)
    const view = bytes.subarray(10, 20)
    done(bytes)
    const next = Pool.take(20_000)
    assert.strictEqual(next[0], 1, "it is the same memory")
    assert.lengthOf(view, 0)
    assert.isUndefined(Loan.of(next))
    next.fill(2)
    assert.isUndefined(view[0])
  })

  it("is not given back twice, however often it is released", () => {
    const bytes = lent(20_000)
    const loan = Loan.of(bytes)!
    loan.release()
    loan.release()
    loan.hold()
    loan.release()
    const [first, second] = [Pool.take(20_000), Pool.take(20_000)]
    assert.notStrictEqual(first.buffer, second.buffer)
  })

  it("ends without a trace if the bytes went to a worker meanwhile", () => {
    const bytes = lent(20_000, 5)
    const { port1, port2 } = new MessageChannel()
    const loan = Loan.of(bytes)!
    port1.postMessage(bytes, [bytes.buffer as ArrayBuffer])
    const { message } = receiveMessageOnPort(port2)!
    port1.close()
    loan.release()
    Pool.take(20_000).fill(9)
    assert.deepStrictEqual(message, new Uint8Array(20_000).fill(5))
  })

  it("is as large as it likes", () => {
    const bytes = lent(20_000_000, 3)
    assert.strictEqual(bytes[19_999_999], 3)
    done(bytes)
    assert.lengthOf(bytes, 0)
  })

  it("is copied by who wants its own", () => {
    const mine = Uint8Array.of(1)
    assert.strictEqual(Loan.own(mine), mine)
    const bytes = lent(20_000, 4)
    const own = Loan.own(bytes.subarray(1))
    done(bytes)
    assert.deepStrictEqual(own, new Uint8Array(19_999).fill(4))
  })

  it("is found among messages", () => {
    const [a, b] = [lent(20_000), lent(20_000)]
    assert.deepStrictEqual(Loan.allOf([a, "text", Uint8Array.of(1), { a }, b]), [Loan.of(a)!, Loan.of(b)!])
    assert.deepStrictEqual(Loan.allOf([a, b], 1), [Loan.of(b)!])
    assert.isUndefined(Loan.allOf(["text", Uint8Array.of(1)]))
  })

  it("tells of bytes that are gone, and of no others", () => {
    const bytes = lent(20_000)
    const view = bytes.subarray(5)
    for (const message of [bytes, view, new Uint8Array(0), "", undefined]) {
      assert.doesNotThrow(() => Loan.check(message))
    }
    done(bytes)
    for (const message of [bytes, view]) {
      try {
        Loan.check(message)
        assert.fail("it was taken for something that is there")
      } catch (reason) {
        assert.deepInclude(reason, { _tag: "Unencodable" })
      }
    }
  })
})

/** A stream that is slow to take what is written. */
class Slow extends Duplex {
  readonly pieces: Array<Uint8Array> = []
  private readonly waiting: Array<() => void> = []
  constructor() {
    super({ allowHalfOpen: true })
  }
  override _read(): void {}
  override _write(chunk: Uint8Array, _encoding: string, callback: () => void): void {
    this.pieces.push(chunk)
    this.waiting.push(callback)
  }
  override _writev(chunks: Array<{ readonly chunk: Uint8Array }>, callback: () => void): void {
    this.pieces.push(...chunks.map(({ chunk }) => chunk))
    this.waiting.push(callback)
  }
  async confirm(): Promise<void> {
    this.waiting.shift()!()
    await turn()
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

const wireOn = (options: { readonly copies: boolean }) => {
  const stream = new Slow()
  const wire = new SocketWire(stream, { layer: "stream", ...options })
  wire.attach({ receive() {}, drained() {}, ended() {}, goodbye() {}, failed() {} })
  /** Writes bytes whose receiver is done with them at once. */
  const write = (bytes: Uint8Array) => {
    wire.write(bytes)
    done(bytes)
    return bytes
  }
  return { stream, wire, write }
}

describe("a wire", () => {
  it("holds what it has not written", async () => {
    const { stream, wire, write } = wireOn({ copies: true })
    const bytes = write(lent(40_000, 8))
    assert.lengthOf(bytes, 40_000)
    wire.flush()
    assert.deepStrictEqual(stream.pieces, [new Uint8Array(40_000).fill(8)])
    await stream.confirm()
    assert.lengthOf(bytes, 0)
  })

  it("lets go of what it has written, although more waits", async () => {
    const { stream, wire, write } = wireOn({ copies: true })
    const all: Array<Uint8Array> = []
    for (let n = 0; n < 20; n++) {
      all.push(write(lent(40_000)))
      wire.flush()
      if (n > 0) await stream.confirm()
    }
    assert.deepStrictEqual(all.map(isGone), all.map((_, n) => n < 19))
    await stream.confirm()
    assert.isTrue(isGone(all[19]))
  })

  it("copies what a stream may pass on", async () => {
    const { stream, wire, write } = wireOn({ copies: false })
    assert.isTrue(isGone(write(lent(40_000, 6))))
    wire.flush()
    await stream.confirm()
    assert.deepStrictEqual(stream.pieces, [new Uint8Array(40_000).fill(6)])
  })

  it("lets go of everything when it is gone", async () => {
    const { wire, write } = wireOn({ copies: true })
    const handed = write(lent(40_000))
    wire.flush()
    const collected = write(lent(40_000))
    assert.deepStrictEqual([handed, collected].map(isGone), [false, false])
    wire.abort()
    await turn()
    assert.deepStrictEqual([handed, collected].map(isGone), [true, true])
  })
})

const pair = Effect.gen(function*() {
  const [near, far] = MemoryTransport.pair<Uint8Array>()
  const both = [yield* Connection.make(near), yield* Connection.make(far)] as const
  // Neither waits for the other.
  yield* Effect.addFinalizer(() => both[0].abort)
  return both
})

/** A connection with a send in line. */
const waiting = Effect.gen(function*() {
  const [near, far] = yield* pair
  yield* near.send(new Uint8Array(70_000))
  const bytes = lent(40_000, 3)
  const send = yield* Effect.forkChild(near.send(bytes), { startImmediately: true })
  done(bytes)
  return { near, far, bytes, send }
})

describe("a connection", () => {
  it.effect("holds what waits in line", () =>
    Effect.scoped(Effect.gen(function*() {
      const { bytes, far, send } = yield* waiting
      assert.isFalse(isGone(bytes))
      yield* far.pull
      yield* Fiber.join(send)
      assert.isTrue(isGone(bytes))
      assert.deepStrictEqual(yield* far.pull, [new Uint8Array(40_000).fill(3)])
    })))

  it.effect("lets go of it if the send is interrupted, or fails", () =>
    Effect.scoped(Effect.gen(function*() {
      const interrupted = yield* waiting
      yield* Fiber.interrupt(interrupted.send)
      assert.isTrue(isGone(interrupted.bytes))
      const failed = yield* waiting
      yield* failed.near.abort
      assert.strictEqual((yield* Effect.flip(Fiber.join(failed.send))).reason._tag, "Aborted")
      assert.isTrue(isGone(failed.bytes))
    })))

  it.effect("tells if what it is to send is gone", () =>
    Effect.scoped(Effect.gen(function*() {
      const [near, far] = yield* pair
      const bytes = lent(20_000)
      done(bytes)
      for (const send of [near.send(bytes), near.sendAll([Uint8Array.of(1), bytes])]) {
        assert.strictEqual((yield* Effect.flip(send)).reason._tag, "Unencodable")
      }
      assert.deepStrictEqual(yield* far.pull, [Uint8Array.of(1)])
    })))
})
