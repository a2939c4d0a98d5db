import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import type { LayerTransfer } from "@wirestack/protocol/reports/DataTransferReport"
import * as RawSocket from "@wirestack/protocol/wire/RawSocket"
import { SocketWire } from "@wirestack/protocol/wire/SocketWire"
import type { Receiver } from "@wirestack/protocol/wire/Wire"
import { Cause, Effect } from "effect"
import { Duplex } from "node:stream"

/** A stream that keeps what is written in pieces, and confirms it when told. */
class Slow extends Duplex {
  readonly pieces: Array<Uint8Array> = []
  readonly confirm: Array<() => void> = []
  vectors = 0
  constructor() {
    super({ allowHalfOpen: true, highWaterMark: 65_536 })
  }
  override _read(): void {}
  override _write(chunk: Uint8Array, _encoding: string, callback: () => void): void {
    this.pieces.push(chunk)
    this.confirm.push(callback)
  }
  override _writev(chunks: Array<{ readonly chunk: Uint8Array }>, callback: () => void): void {
    this.vectors++
    this.pieces.push(...chunks.map(({ chunk }) => chunk))
    this.confirm.push(callback)
  }
  get sizes(): ReadonlyArray<number> {
    return this.pieces.map((piece) => piece.length)
  }
}

/** What a wire has told. */
class Log implements Receiver<Uint8Array> {
  readonly lines: Array<string> = []
  receive(batch: ReadonlyArray<Uint8Array>): void {
    this.lines.push(`received ${batch.map((chunk) => Buffer.from(chunk).toString()).join(",")}`)
  }
  drained(): void {
    this.lines.push("drained")
  }
  ended(endOfInput: string): void {
    this.lines.push(`ended ${endOfInput}`)
  }
  goodbye(): void {
    this.lines.push("goodbye")
  }
  failed(error: { readonly reason: { readonly _tag: string } }): void {
    this.lines.push(`failed ${error.reason._tag}`)
  }
}

const make = (options?: { readonly bare: boolean }) => {
  const stream = new Slow()
  const wire = new SocketWire(stream, { layer: "stream", ...options })
  const log = new Log()
  wire.attach(log)
  return { stream, wire, log }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe("writing", () => {
  it("holds back until it is flushed, and joins small chunks", () => {
    const { stream, wire } = make()
    for (let n = 0; n < 100; n++) wire.write(new Uint8Array(10).fill(n))
    assert.deepStrictEqual(stream.sizes, [])
    wire.flush()
    assert.deepStrictEqual(stream.sizes, [1_000])
    assert.deepStrictEqual([...stream.pieces[0].subarray(995)], [99, 99, 99, 99, 99])
  })

  it("hands large chunks over uncopied, between joined small ones, as one vector", () => {
    const { stream, wire } = make()
    const large = new Uint8Array(40_000)
    for (const chunk of [new Uint8Array(3), new Uint8Array(4), large, new Uint8Array(5), new Uint8Array(6)]) {
      wire.write(chunk)
    }
    wire.flush()
    assert.deepStrictEqual(stream.sizes, [7, 40_000, 11])
    assert.strictEqual(stream.pieces[1].buffer, large.buffer)
    assert.strictEqual(stream.vectors, 1)
  })

  it("flushes by itself when much has been collected", () => {
    const { stream, wire } = make()
    for (let n = 0; n < 70; n++) wire.write(new Uint8Array(1_000))
    assert.isAbove(stream.pieces.length, 0)
  })

  it("counts what it was given, also what waits until the stream is no longer busy", () => {
    const { wire } = make()
    const sent = () => {
      const layers: Array<LayerTransfer> = []
      wire.tally(layers)
      return layers[0].sent.bytes
    }
    wire.write(new Uint8Array(40_000))
    assert.strictEqual(sent(), 40_000)
    wire.flush()
    wire.write(new Uint8Array(500))
    wire.flush()
    assert.strictEqual(sent(), 40_500)
    wire.abort()
    assert.strictEqual(sent(), 40_000)
  })

  it("says when there is room, in a turn of its own", async () => {
    const { log, stream, wire } = make()
    wire.write(new Uint8Array(50_000))
    wire.flush()
    assert.isTrue(wire.writable)
    wire.write(new Uint8Array(20_000))
    assert.isFalse(wire.writable)
    wire.flush()
    assert.isFalse(wire.writable)
    assert.deepStrictEqual(log.lines, [])
    stream.confirm.shift()!()
    await turn()
    assert.isTrue(wire.writable)
    assert.deepStrictEqual(log.lines, ["drained"])
  })

  it("says so too if room came while something was still held back", async () => {
    const { log, stream, wire } = make()
    wire.write(new Uint8Array(40_000))
    wire.flush()
    wire.write(new Uint8Array(30_000))
    assert.isFalse(wire.writable)
    stream.confirm.shift()!()
    await turn()
    wire.flush()
    while (stream.confirm.length > 0) stream.confirm.shift()!()
    await turn()
    assert.include(log.lines, "drained")
  })
})

describe("reading", () => {
  it("delivers nothing before it is resumed, and nothing while it is paused", async () => {
    const { log, stream, wire } = make()
    stream.push("a")
    await turn()
    assert.deepStrictEqual(log.lines, [])
    wire.resume()
    await turn()
    wire.pause()
    stream.push("b")
    await turn()
    assert.deepStrictEqual(log.lines, ["received a"])
    wire.resume()
    stream.push(null)
    await turn()
    assert.deepStrictEqual(log.lines, ["received a", "received b", "ended announced"])
  })

  it("delivers what was read before a failure, then the failure, once", async () => {
    const { log, stream, wire } = make()
    wire.resume()
    await turn()
    wire.pause()
    stream.push("last words")
    stream.destroy(new Error("broken"))
    await turn()
    assert.deepStrictEqual(log.lines, ["received last words", "failed Reset"])
    let settled = 0
    wire.close("done", () => settled++)
    assert.strictEqual(settled, 1)
    wire.abort()
    wire.write(new Uint8Array(1))
    wire.flush()
    await turn()
    assert.strictEqual(log.lines.length, 2)
    for (const name of ["data", "end", "close"]) assert.strictEqual(stream.listenerCount(name), 0, name)
  })

  it("tells a receiver that comes late how it ended", async () => {
    const stream = new Slow()
    const wire = new SocketWire(stream, { layer: "stream" })
    stream.push(null)
    stream.read(0)
    await turn()
    const log = new Log()
    wire.attach(log)
    wire.resume()
    assert.deepStrictEqual(log.lines, [])
    await turn()
    assert.deepStrictEqual(log.lines, ["ended announced"])
  })
})

it("counts what it has delivered, also with a failure, and what it has handed over", async () => {
  const { stream, wire } = make()
  stream.push("read")
  wire.resume()
  await turn()
  wire.pause()
  stream.push("unread")
  stream.destroy(new Error("broken"))
  wire.resume()
  await turn()
  const layers: Array<LayerTransfer> = []
  wire.tally(layers)
  assert.deepStrictEqual(layers, [
    { layer: "stream", received: { messages: undefined, bytes: 10 }, sent: { messages: undefined, bytes: 0 } }
  ])
})

describe("ending", () => {
  it("counts what was not written when it is cut", async () => {
    const { log, stream, wire } = make()
    wire.write(new Uint8Array(40_000))
    wire.flush()
    wire.write(new Uint8Array(5))
    let settled = 0
    wire.close("done", () => settled++)
    wire.abort()
    await turn()
    const outcome: any = { endOfInput: "unknown", unsent: { messages: 0, bytes: 0 } }
    wire.report(outcome)
    assert.strictEqual(outcome.unsent.bytes, 40_005)
    assert.strictEqual(outcome.endOfInput, "unannounced")
    assert.strictEqual(settled, 1)
    assert.isTrue(stream.destroyed)
    assert.deepStrictEqual(log.lines, [])
  })

  it("gives up its stream where it is bare, and is then out of the way", async () => {
    const isSlow = (u: unknown): u is Slow => u instanceof Slow
    assert.isUndefined(RawSocket.take(make().wire, isSlow))
    const { log, stream, wire } = make({ bare: true })
    assert.isUndefined(RawSocket.take(wire, (u): u is string => typeof u === "string"))
    wire.write(new Uint8Array(3))
    stream.push("unread")
    assert.strictEqual(RawSocket.take(wire, isSlow)?.socket, stream)
    assert.deepStrictEqual(stream.sizes, [3])
    wire.write(new Uint8Array(4))
    wire.flush()
    wire.resume()
    await turn()
    assert.deepStrictEqual(stream.sizes, [3])
    assert.deepStrictEqual(log.lines, [])
    assert.strictEqual(String(stream.read()), "unread")
    let settled = 0
    wire.close("done", () => settled++)
    await turn()
    assert.isTrue(stream.destroyed)
    assert.strictEqual(settled, 1)
  })
})

it.live("any Duplex carries a connection", () =>
  Effect.scoped(Effect.gen(function*() {
    const stream = new Slow()
    const connection = yield* Connection.make(new SocketWire(stream, { layer: "stream" }))
    yield* connection.send(Buffer.from("out"))
    stream.push("in")
    const [received] = yield* connection.pull
    assert.strictEqual(new TextDecoder().decode(received), "in")
    assert.strictEqual(received.constructor, Uint8Array)
    assert.strictEqual(String(stream.pieces[0]), "out")
    for (const confirm of stream.confirm.splice(0)) confirm()
    stream.push(null)
    assert.isTrue(Cause.isDone(yield* Effect.flip(connection.pull)))
  })))
