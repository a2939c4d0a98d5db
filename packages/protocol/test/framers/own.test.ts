/** What a framer of one's own is put together from: goodbyes, programs that remember something, parsers of others. */
import { assert, describe, it } from "@effect/vitest"
import { Connection, Framer, Lines, MemoryTransport } from "@wirestack/protocol"
import { Violation } from "@wirestack/protocol/Reason"
import { concat, encode, feed, verifyBytes, verifyRefusal } from "@wirestack/protocol/testing/machineSuite"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { text, utf8 } from "../support/bytes.ts"

/** Lines, of which BYE and a number is the goodbye; who fails says nothing. */
const polite = Framer.goodbye(Lines.make(), {
  say: (why) => why === "failed" ? undefined : "BYE 7",
  heard: (line) => {
    if (line === "BYE") throw new Violation({ rule: "a goodbye has a number" })
    const [, code] = /^BYE (\d+)$/.exec(String(line)) ?? []
    return code === undefined ? undefined : { code: Number(code), reason: "" }
  }
})

/** A connection that speaks so, and the bare peer of it. */
const meeting = Effect.gen(function*() {
  const [near, far] = MemoryTransport.pair<Uint8Array>()
  const peer = yield* Connection.make(far)
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
  const bytes = yield* Scope.provide(Connection.make(near), scope)
  const connection = yield* Scope.provide(Connection.fuse(bytes, polite.machine(), { layer: "polite" }), scope)
  yield* Effect.addFinalizer(() => Effect.andThen(peer.abort, connection.abort))
  return { connection, peer, scope }
})

describe("a goodbye", () => {
  it("ends what is heard, whatever lies behind it", () =>
    verifyBytes(() => polite.machine(), [
      { name: "lines", input: utf8("one\ntwo\n"), messages: ["one", "two"], ending: "closed" },
      { name: "a goodbye", input: utf8("one\nBYE 1\ntwo\nBYE\n"), messages: ["one"], ending: "closed" },
      { name: "none", input: utf8("one\nBYE\n"), messages: ["one"], ending: "Violation" }
    ]))

  for (const [how, said] of [[Exit.void, "one\nBYE 7\n"], [Exit.fail("no"), "one\n"]] as const) {
    it.effect(`is said after all that was sent, or not at all: ${how._tag}`, () =>
      Effect.gen(function*() {
        const { connection, peer, scope } = yield* meeting
        yield* connection.send("one")
        const closing = yield* Effect.forkChild(Scope.close(scope, how))
        const heard = yield* Stream.runCollect(Connection.messages(peer))
        assert.strictEqual(text(concat(heard)), said)
        yield* Effect.andThen(peer.end, Fiber.join(closing))
        const { first, sent } = yield* connection.closed
        assert.deepStrictEqual([first, sent?.code], ["local", Exit.isSuccess(how) ? 7 : undefined])
      }).pipe(Effect.scoped))
  }

  it.effect("is heard after all that came before", () =>
    Effect.gen(function*() {
      const { connection, peer } = yield* meeting
      yield* peer.send(utf8("one\nBYE 1\n"))
      assert.deepStrictEqual(yield* Stream.runCollect(Connection.messages(connection)), ["one"])
      yield* peer.end
      assert.deepInclude(yield* connection.closed, { first: "remote", received: { code: 1, reason: "" } })
    }).pipe(Effect.scoped))

  it("is the only one: what is said by a framer with one would not be", () => {
    const words = { say: () => "BYE 1", heard: () => undefined }
    assert.throws(() => Framer.goodbye(polite, words).machine(), TypeError)
  })

  it("is followed by nothing that is looked at", () => {
    const bytes = Framer.make<number>({
      layer: "bytes",
      measure: (bytes, from) => {
        if (bytes[from] === 9) throw new Error("broken")
        return 1
      },
      decode: (bytes, from) => bytes[from],
      encode: (byte) => Uint8Array.of(byte)
    })
    const bye = Framer.goodbye(bytes, {
      say: () => 0,
      heard: (byte) => byte === 0 ? { code: 0, reason: "" } : undefined
    })
    const { emitted, ending } = feed(bye.machine(), [[Uint8Array.of(1, 0, 9, 2)]])
    assert.deepStrictEqual([emitted, ending], [[1], "closed"])
  })

  it.effect("is said once, and the connection can't half-close", () =>
    Effect.gen(function*() {
      const { connection, peer, scope } = yield* meeting
      assert.strictEqual((yield* Effect.flip(connection.end)).reason._tag, "Unsupported")
      yield* peer.send(utf8("BYE 1\n"))
      yield* Stream.runDrain(Connection.messages(connection))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      assert.lengthOf(yield* Stream.runCollect(Connection.messages(peer)), 0)
      yield* Effect.andThen(peer.end, Fiber.join(closing))
      const outcome = yield* connection.closed
      assert.deepInclude(outcome, { first: "remote", clean: true })
      assert.isUndefined(outcome.sent)
    }).pipe(Effect.scoped))
})

describe("a program", () => {
  /** Each answer says what was asked; questions that are too long are not asked. */
  const answers = Framer.program<string>({
    layer: "answers",
    format: () => {
      const asked: Array<string> = []
      return {
        maxFrameSize: 16,
        decode: function*() {
          yield* Framer.expect("A ")
          return `${asked.shift()}: ${text(yield* Framer.takeUntil("\n", 8))}`
        },
        encode: (question) => utf8(`Q ${question}\n`),
        sent: (question) => void asked.push(question)
      }
    }
  })

  it("remembers what was sent on its connection, and only that", () => {
    const machine = answers.machine()
    encode(machine, ["one"])
    verifyRefusal(machine, "x".repeat(20), "TooLarge")
    encode(machine, ["two"])
    assert.deepStrictEqual(feed(machine, [[utf8("A 1\nA 2\nA 3\n")]]).emitted, ["one: 1", "two: 2", "undefined: 3"])
    assert.deepStrictEqual(feed(answers.machine(), [[utf8("A 1\n")]]).emitted, ["undefined: 1"])
  })

  it("expects just some bytes", () => {
    assert.strictEqual(feed(answers.machine(), [[utf8("B 1\n")]]).ending, "Violation")
    assert.strictEqual(feed(answers.machine(), [[utf8("A")]]).ending, "open")
  })
})

describe("a parser of somebody else", () => {
  const frames = Framer.whole({ layer: "json", measure: (bytes, from) => from < bytes.length ? 1 + bytes[from] : 1 })
  const json = Framer.parsed(frames, {
    parse: (frame) => JSON.parse(text(frame.subarray(1))) as unknown,
    print: (value: unknown) => {
      const bytes = utf8(JSON.stringify(value))
      return Uint8Array.of(bytes.length, ...bytes)
    }
  })

  it("throws what it likes", () => {
    verifyBytes(() => json.machine(), [
      { name: "values", input: concat(encode(json.machine(), [[1, 2], "x"])), messages: [[1, 2], "x"] },
      { name: "no value", input: Uint8Array.of(1, 0x7b), messages: [], ending: "Undecodable" }
    ])
    verifyRefusal(json.machine(), 1n, "Unencodable")
  })
})
