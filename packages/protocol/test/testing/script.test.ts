import { assert, describe, it } from "@effect/vitest"
import { Connection, Dialogue, MemoryTransport, Transport } from "@wirestack/protocol"
import { Script } from "@wirestack/protocol/testing"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { hex, utf8 } from "../support/bytes.ts"
import { failureOf } from "../support/failure.ts"

const { cut, end, expect, expectAny, expectEnd, send, wait } = Script

/** A client says HELO, a server answers. */
const greeting = Dialogue.over({
  layer: "greeting",
  client: (dialogue) => Effect.andThen(dialogue.say("HELO\r\n"), dialogue.expect("250 hello\r\n")),
  server: (dialogue) => Effect.andThen(dialogue.expect("HELO\r\n"), dialogue.say("250 hello\r\n"))
})

/** A scripted server, and a client of the greeting that echoes; how both ended. */
const against = (steps: ReadonlyArray<Script.Step>) =>
  Effect.gen(function*() {
    const lower = yield* Layer.build(MemoryTransport.layer())
    const scripted = yield* Effect.provideContext(Script.server(Transport.Bytes)("memory:script", steps), lower)
    const stack = greeting(Layer.succeedContext(lower))
    const client = yield* Effect.forkChild(Effect.exit(Effect.provide(
      Effect.scoped(Effect.gen(function*() {
        const connection = yield* Transport.connect(Transport.Bytes)("memory:script")
        yield* Stream.runForEach(Connection.messages(connection), connection.send)
      })),
      stack
    )))
    return { scripted, client: Fiber.join(client) }
  })

/** Two bare ends, one of which follows a script; what the script says of it. */
const facing = (steps: ReadonlyArray<Script.Step>, boundaries = false) =>
  Effect.gen(function*() {
    const [near, far] = MemoryTransport.pair<Transport.Message>()
    const [connection, peer] = [yield* Connection.make(near), yield* Connection.make(far)]
    yield* Effect.addFinalizer(() => Effect.andThen(connection.abort, peer.abort))
    const playing = yield* Effect.forkChild(Effect.flip(Script.play(connection, steps, { boundaries })))
    return { peer, mismatch: Effect.map(Fiber.join(playing), (error) => error as Script.ScriptMismatch) }
  })

describe("a scripted peer", () => {
  it.effect("plays the server", () =>
    Effect.gen(function*() {
      const { client, scripted } = yield* against([
        expect("HELO\r\n"),
        send("250 hello\r\nsome "),
        wait("1 seconds"),
        send("text"),
        expect("some text"),
        end,
        expectEnd
      ])
      yield* TestClock.adjust("1 seconds")
      yield* scripted.played
      assert.strictEqual((yield* client)._tag, "Success")
    }).pipe(Effect.scoped))

  it.effect("plays the client", () =>
    Effect.gen(function*() {
      const lower = yield* Layer.build(MemoryTransport.layer())
      const listener = yield* Effect.provide(
        Transport.listen(Transport.Bytes)("memory:script"),
        greeting(Layer.succeedContext(lower))
      )
      yield* Effect.forkScoped(listener.run((peer) => Stream.runForEach(Connection.messages(peer), peer.send)))
      const steps = [send("HE"), send("LO\r\n..."), expectAny(3), expect(" hello\r\n..."), end, expectEnd]
      yield* Effect.provideContext(Script.client(Transport.Bytes)(listener.address, steps), lower)
    }).pipe(Effect.scoped))

  it.effect("may cut", () =>
    Effect.gen(function*() {
      const { client, scripted } = yield* against([expectAny(1), send("250"), cut])
      yield* scripted.played
      assert.deepInclude(failureOf(yield* client), { tag: "Reset" })
    }).pipe(Effect.scoped))

  it.effect("tells where what came differs, and both sides as they read", () =>
    Effect.gen(function*() {
      const { client, scripted } = yield* against([expect("HE"), expect("LP me\r\n"), send("250 hello\r\n")])
      const mismatch = yield* Effect.flip(scripted.played)
      assert(mismatch._tag === "ScriptMismatch")
      assert.deepInclude(mismatch, { step: 1, position: 1 })
      assert.strictEqual(mismatch.message, "step 1, byte 1:\n  expected \"LP me\\r\\n\"\n  received \"LO\\r\\n\"")
      assert.deepInclude(failureOf(yield* client), { layer: "greeting", tag: "Truncated" })
    }).pipe(Effect.scoped))

  it.effect("shows bytes in hex, and of many the part that differs", () =>
    Effect.gen(function*() {
      const many = new Uint8Array(200).fill(7)
      const { mismatch, peer } = yield* facing([expect(many)])
      yield* peer.send(many.with(150, 8))
      const { position, received } = yield* mismatch
      assert.strictEqual(position, 150)
      const shown = [...Array(16).fill("07"), "08", ...Array(47).fill("07")].join(" ")
      assert.strictEqual(received, `(134 bytes) <${shown}> (2 more bytes)`)
    }).pipe(Effect.scoped))

  it.effect("compares messages one by one, text and its bytes alike", () =>
    Effect.gen(function*() {
      const { mismatch, peer } = yield* facing([expect("a"), expect(utf8("b")), expect(""), expect("cd")], true)
      yield* peer.sendAll(["a", "b", hex(""), "c", "d"])
      assert.deepInclude(yield* mismatch, { step: 3, position: 1, expected: "\"cd\"", received: "\"c\"" })
    }).pipe(Effect.scoped))

  const ends: ReadonlyArray<
    readonly [name: string, steps: ReadonlyArray<Script.Step>, expected: string, received: string]
  > = [
    ["nothing comes", [expect("abc")], "\"abc\"", "\"ab\", then nothing more within 5000 ms"],
    ["it ends before", [expect("abc")], "\"abc\"", "\"ab\", then the end"],
    ["it goes on instead of an end", [expectEnd], "the end", "\"ab\""],
    ["it does not end", [expect("ab"), expectEnd], "the end", "nothing more within 5000 ms"],
    ["there is more", [expectAny(1), wait("10 seconds")], "nothing more", "\"b\""]
  ]
  for (const [name, steps, expected, received] of ends) {
    it.effect(`tells that ${name}`, () =>
      Effect.gen(function*() {
        const { mismatch, peer } = yield* facing(steps)
        yield* peer.send("ab")
        if (received.endsWith("the end")) yield* peer.end
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* mismatch, { expected, received })
      }).pipe(Effect.scoped))
  }

  it.effect("tells that there is more, though it came after what was expected", () =>
    Effect.gen(function*() {
      const { mismatch, peer } = yield* facing([expect("a"), wait("1 seconds")], true)
      yield* TestClock.adjust(0)
      yield* peer.send("a")
      yield* TestClock.adjust(0)
      yield* peer.send("b")
      yield* TestClock.adjust("1 seconds")
      assert.deepInclude(yield* mismatch, { expected: "nothing more", received: "\"b\"" })
    }).pipe(Effect.scoped))

  it.effect("tells how the connection was lost", () =>
    Effect.gen(function*() {
      const { mismatch, peer } = yield* facing([expectEnd])
      yield* peer.abort
      const { received } = yield* mismatch
      assert.strictEqual(received, "the end: memory: the connection was cut")
    }).pipe(Effect.scoped))
})
