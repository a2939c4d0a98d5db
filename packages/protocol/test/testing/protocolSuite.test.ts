import { assert, describe, it } from "@effect/vitest"
import { Codec, Dialogue, Heartbeat, LengthPrefixed, Subprotocol } from "@wirestack/protocol"
import { checkProtocol, protocolSuite } from "@wirestack/protocol/testing"
import { Effect, Schema } from "effect"
import { ChatV1, ChatV2 } from "../support/chat.ts"

/** All that the Schemas of one side may be. */
const Anything = Schema.Union([
  Schema.Struct({ text: Schema.String, at: Schema.Date, tags: Schema.Array(Schema.String) }),
  Schema.Struct({ bytes: Schema.Uint8Array, big: Schema.BigInt, maybe: Schema.optionalKey(Schema.Boolean) }),
  // @effect-diagnostics-next-line schemaNumber:off
  Schema.Number,
  Schema.Null
])

class Any extends Subprotocol.Service<Any>()("any.v1", { client: Anything, server: Schema.Array(Anything) }) {}

describe("a protocol of classes and unions", () => {
  for (const { name, run } of protocolSuite(ChatV2, { runs: 8 })) it.live(name, () => run)
})

describe("a protocol of all kinds of values, behind a handshake and a heartbeat", () => {
  const login = Dialogue.over({
    layer: "login",
    client: (dialogue) => Effect.andThen(dialogue.say("hello\r\n"), dialogue.expect("welcome\r\n")),
    server: (dialogue) => Effect.andThen(dialogue.expect("hello\r\n"), dialogue.say("welcome\r\n"))
  })
  const suite = protocolSuite(Any, {
    runs: 8,
    stack: (bytes) => bytes.pipe(login, LengthPrefixed.over(), Heartbeat.over(), Any.over(Codec.json()))
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

describe("a protocol with a small limit", () => {
  const suite = protocolSuite(ChatV1, {
    runs: 30,
    stack: (bytes) => bytes.pipe(LengthPrefixed.over({ maxFrameSize: 60 }), ChatV1.over(Codec.json()))
  })
  for (const { name, run } of suite.filter(({ name }) => name.startsWith("a large value"))) it.live(name, () => run)
})

describe("a protocol that does not keep it", () => {
  const json = Codec.json()

  /** The names of what fails, and the first message. */
  const broken = (codec: Codec.Codec, seed: number, runs = 10) =>
    Effect.gen(function*() {
      const failures: Array<readonly [string, string]> = []
      for (
        const { name, run } of protocolSuite(ChatV1, {
          runs,
          seed,
          stack: (bytes) => bytes.pipe(LengthPrefixed.over(), ChatV1.over(codec))
        })
      ) {
        yield* Effect.matchEffect(run, {
          onFailure: (error) => Effect.sync(() => failures.push([name, String(error)])),
          onSuccess: () => Effect.void
        })
      }
      return failures
    })

  it.live("because values change on the way, is found, and again with the seed", () =>
    Effect.gen(function*() {
      const shouting = Codec.make({
        format: "JSON in capitals",
        parse: (message) => JSON.parse(typeof message === "string" ? message : Buffer.from(message).toString()),
        print: (value) =>
          JSON.stringify(value).replace(/"text":"([^"]*)"/, (_, text: string) => `"text":"${text.toUpperCase()}"`)
      })
      const failures = yield* broken(shouting, 7)
      const names = failures.map(([name]) => name)
      assert.include(names, "what either side says arrives as it was, in order: as it is sent")
      assert.include(names, "what the client says before it closes arrives, and then the end")
      assert.include(failures[0][1], "chat.v1: what either side says")
      assert.include(failures[0][1], "{ seed: 7 }")
      assert.deepStrictEqual(yield* broken(shouting, 7), failures)
    }))

  it.live("because it gives what is no value, is found", () =>
    Effect.gen(function*() {
      const careless: Codec.Codec = {
        ...json,
        machine: (incoming, outgoing) => {
          const make = json.machine(incoming, outgoing)
          return () => {
            const machine = make()
            return {
              encode: (value, io) => machine.encode(value, io),
              end: () => {},
              ended: (endOfInput, io) => io.end(endOfInput),
              receive: (input, io) => {
                for (const message of input) io.emit(JSON.parse(Buffer.from(message).toString()), message.length)
                return true
              }
            }
          }
        }
      }
      const failures = yield* broken(careless, 3, 60)
      assert.include(
        failures.map(([name]) => name),
        "what is no conversation gives no values that are none, and leaves others alone"
      )
    }))

  it.live("because it refuses nearly all of its values, is found", () =>
    Effect.gen(function*() {
      const refusing = Codec.make({
        format: "refusing",
        parse: () => null,
        print: () => {
          throw new Error("no")
        }
      })
      const [[name, message]] = yield* broken(refusing, 1)
      assert.strictEqual(name, "what either side says arrives as it was, in order: as it is sent")
      assert.include(message, "most values are refused: chat.v1: this can't be sent: refusing can't express the value")
    }))

  it("makes a check reject", async () => {
    await checkProtocol(ChatV1, { runs: 2 })
    const codec = Codec.make({ format: "nothing", parse: () => null, print: () => "" })
    const stack = { stack: (bytes: any) => bytes.pipe(LengthPrefixed.over(), ChatV1.over(codec)) }
    const error = await checkProtocol(ChatV1, { runs: 5, seed: 1, ...stack }).then(() => undefined, String)
    assert.include(error, "ProtocolBroken: chat.v1: ")
  })
})
