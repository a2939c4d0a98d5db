import { assert, describe, it } from "@effect/vitest"
import { type Connection, LengthPrefixed, MemoryTransport, Transport } from "@wirestack/protocol"
import { Script, Transcript } from "@wirestack/protocol/testing"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { hex, utf8 } from "../support/bytes.ts"

/** A server that answers each message, as it is told. */
const answering =
  (answer: (text: string) => string) => (peer: Connection.Connection<Transport.Message, Transport.Message>) =>
    Effect.gen(function*() {
      for (;;) for (const message of yield* peer.pull) yield* peer.send(answer(Buffer.from(message).toString()))
    }).pipe(Effect.ignore)

const loudly = answering((text) => text.toUpperCase())

/** Records what a client of length-prefixed messages says to such a server, and ends its output, or just closes. */
const recording = (ends: boolean) =>
  Effect.gen(function*() {
    const recorder = Transcript.makeRecorder(Transport.Bytes)
    const lower = yield* Layer.build(MemoryTransport.layer())
    const framed = LengthPrefixed.over()(Layer.succeedContext(lower))
    const listener = yield* Effect.provide(Transport.listen(Transport.Messages)("memory:chat"), framed)
    yield* Effect.forkScoped(listener.run(loudly))
    yield* Effect.gen(function*() {
      const connection = yield* Transport.connect(Transport.Messages)("memory:chat")
      yield* connection.send("hello")
      yield* connection.pull
      yield* TestClock.adjust("1500 millis")
      yield* connection.sendAll(["you", hex("ff00")])
      yield* connection.pull
      if (!ends) return
      yield* connection.end
      yield* Effect.exit(connection.pull)
    }).pipe(Effect.scoped, Effect.provide(LengthPrefixed.over()(recorder.over(Layer.succeedContext(lower)))))
    assert.lengthOf(recorder.transcripts, 1)
    return recorder.transcripts[0]
  }).pipe(Effect.scoped)

const recorded = recording(true)

const bytesOf = (transcript: Transcript.Transcript, side: Transcript.Side): string =>
  transcript.entries.filter(({ by }) => by === side)
    .map(({ said }) => said instanceof Uint8Array ? Buffer.from(said).toString("hex") : "").join("")

describe("a transcript", () => {
  it.effect("has what both sides said, and when", () =>
    Effect.gen(function*() {
      const transcript = yield* recorded
      assert.strictEqual(bytesOf(transcript, "client"), "0000000568656c6c6f00000003796f7500000002ff00")
      const [first, second, third] = transcript.entries
      assert.deepStrictEqual([first.at, first.by, second.by, third.at], [0, "client", "server", 1_500])
      assert.deepStrictEqual(transcript.entries.at(-1), { at: 1_500, by: "server", said: { end: true } })
      assert.strictEqual(transcript.omitted, 0)
    }))

  it.effect("is lines of JSON, and the same when it is read again", () =>
    Effect.gen(function*() {
      const transcript = yield* recorded
      const text = Transcript.format(transcript)
      assert.deepStrictEqual(text.split("\n").slice(0, 2), [
        "{\"transcript\":1,\"boundaries\":false}",
        "{\"at\":0,\"client\":{\"hex\":\"00 00 00 05 68 65 6c 6c 6f\"}}"
      ])
      assert.deepStrictEqual(Transcript.parse(text), transcript)
      const all: Transcript.Transcript = {
        boundaries: true,
        omitted: 3,
        entries: [
          { at: 0, by: "client", said: "é\n" },
          { at: 0.125, by: "server", said: utf8("not text") },
          { at: 1, by: "server", said: new Uint8Array(0) },
          { at: 2, by: "client", said: { hidden: 12 } }
        ]
      }
      assert.deepStrictEqual(Transcript.parse(Transcript.format(all)), all)
    }))

  it("that is none says at which line", () => {
    const head = "{\"transcript\":1,\"boundaries\":true}\n"
    for (
      const [text, line] of [
        ["", ""],
        ["{\"at\":0,\"client\":\"\"}", "line 1"],
        [`${head}\n{"at":0,"client":{"hex":"0g"}}`, "line 3"],
        [`${head}{"at":0,"nobody":""}`, "line 2"],
        [`${head}{"at":0,"client":"","server":""}`, "line 2"],
        [`${head}{"at":0,"client":{"hex":"00","hidden":2}}`, "line 2"],
        [`${head}${head}`, "line 2"],
        [`${head.replace("true", "false")}{"at":0,"client":"\\ud800"}`, "line 2.*surrogate"],
        [`${head}nonsense`, "line 2"]
      ]
    ) {
      assert.throws(() => Transcript.parse(text), new RegExp(line), text)
      assert.throws(() => Transcript.parse(text), SyntaxError)
    }
  })

  it.effect("is bounded, and can't be replayed when something is missing", () =>
    Effect.gen(function*() {
      const recorder = Transcript.makeRecorder(Transport.Messages, { maxSize: 330 })
      yield* Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Messages)("memory:chat")
        yield* Effect.forkScoped(listener.run(loudly))
        const connection = yield* Transport.connect(Transport.Messages)("memory:chat")
        for (const text of ["a", "b", "c"]) {
          yield* connection.send(text)
          assert.deepStrictEqual(yield* connection.pull, [text.toUpperCase()])
        }
        yield* connection.abort
      }).pipe(Effect.scoped, Effect.provide(recorder.over(MemoryTransport.layerMessages())))
      const counts = recorder.transcripts.map(({ entries, omitted }) => [entries.length, omitted > 0])
      assert.strictEqual(counts.reduce((sum, [count]) => sum + Number(count), 0), 3)
      const partial = recorder.transcripts.find(({ omitted }) => omitted > 0)!
      assert.throws(() => Transcript.replay(partial, "client"), RangeError)
    }))

  it.effect("is bounded in connections, too", () =>
    Effect.gen(function*() {
      const recorder = Transcript.makeRecorder(Transport.Messages, { maxSize: 500 })
      yield* Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Messages)("memory:chat")
        yield* Effect.forkScoped(listener.run(loudly))
        for (let n = 0; n < 20; n++) yield* Effect.scoped(Transport.connect(Transport.Messages)("memory:chat"))
      }).pipe(Effect.scoped, Effect.provide(recorder.over(MemoryTransport.layerMessages())))
      assert.isAtMost(recorder.transcripts.length, 7)
      assert.strictEqual(recorder.transcripts.length + recorder.omitted, 40)
    }))

  it.effect("keeps no more of what is hidden than its size", () =>
    Effect.gen(function*() {
      const hide = (message: Transport.Message, by: Transcript.Side) =>
        by === "client" && String(message).startsWith("PASS")
      const recorder = Transcript.makeRecorder(Transport.Messages, { hide })
      const lower = yield* Layer.build(MemoryTransport.layerMessages())
      const talk = (password: string, server: Effect.Effect<Script.Scripted, unknown, any>) =>
        Effect.gen(function*() {
          const { played } = yield* server
          const steps = [Script.send(`PASS ${password}`), Script.expect("OK")]
          yield* Effect.provide(
            Script.client(Transport.Messages)("memory:login", steps),
            recorder.over(Layer.succeedContext(lower))
          )
          yield* played
        }).pipe(Effect.scoped, Effect.provideContext(lower))
      const server = Script.server(Transport.Messages)
      yield* talk("s€cret", server("memory:login", [Script.expect("PASS s€cret"), Script.send("OK")]))
      const [transcript] = recorder.transcripts
      assert.notInclude(Transcript.format(transcript), "cret")
      assert.deepStrictEqual(transcript.entries[0].said, { hidden: 13 })
      yield* talk("öthörs", server("memory:login", Transcript.replay(transcript, "server")))
    }).pipe(Effect.scoped))
})

describe("a replay", () => {
  const played = (handler: typeof loudly, side: "client", recorded = recording(true)) =>
    Effect.gen(function*() {
      const transcript = yield* recorded
      const lower = yield* Layer.build(MemoryTransport.layer())
      const listener = yield* Effect.provide(
        Transport.listen(Transport.Messages)("memory:chat"),
        LengthPrefixed.over()(Layer.succeedContext(lower))
      )
      yield* Effect.forkScoped(listener.run(handler))
      yield* Effect.provideContext(
        Script.client(Transport.Bytes)("memory:chat", Transcript.replay(transcript, side)),
        lower
      )
    }).pipe(Effect.scoped)

  it.effect("of the client finds the same server", () => played(loudly, "client"))

  it.effect("of a client that just closes waits for nothing else", () => played(loudly, "client", recording(false)))

  it.effect("of the client finds a server that has changed, at the byte that differs", () =>
    Effect.gen(function*() {
      const mismatch = yield* Effect.flip(played(answering((text) => text.replace("hello", "HELP!")), "client"))
      assert(mismatch._tag === "ScriptMismatch")
      assert.deepInclude(mismatch, { step: 1, position: 7 })
    }))

  it.effect("of the server finds the same client", () =>
    Effect.gen(function*() {
      const transcript = yield* recorded
      const lower = yield* Layer.build(MemoryTransport.layer())
      const { played } = yield* Effect.provideContext(
        Script.server(Transport.Bytes)("memory:chat", Transcript.replay(transcript, "server")),
        lower
      )
      yield* Effect.gen(function*() {
        const connection = yield* Transport.connect(Transport.Messages)("memory:chat")
        // In other chunks than before.
        for (const message of ["hello", "you", hex("ff00")]) yield* connection.send(message)
        yield* connection.end
        yield* played
      }).pipe(Effect.scoped, Effect.provide(LengthPrefixed.over()(Layer.succeedContext(lower))))
    }).pipe(Effect.scoped))
})
