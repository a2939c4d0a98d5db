import { assert, describe, it } from "@effect/vitest"
import { Codec, Transport } from "@wirestack/protocol"
import { type CodecSubject, codecSuite } from "@wirestack/protocol/testing"
import { Effect, Exit, Schema } from "effect"

class Placed extends Schema.TaggedClass<Placed>()("Placed", {
  at: Schema.Date,
  size: Schema.BigInt,
  body: Schema.Uint8Array,
  tags: Schema.Array(Schema.String),
  note: Schema.optional(Schema.String)
}) {}

const Moved = Schema.Struct({
  _tag: Schema.tagDefaultOmit("Moved"),
  to: Schema.Struct({ x: Schema.Int, y: Schema.Finite })
})

const Event = Schema.Union([Placed, Moved])
const Room = Schema.String.check(Schema.isMinLength(3)).pipe(Schema.brand("Room"))

const keeps = <L, M, T>(name: string, subject: CodecSubject<L, M, T>) =>
  describe(name, () => {
    for (const { name, run } of codecSuite(subject)) it.effect(name, () => run)
  })

keeps("JSON", { codec: Codec.json(), schema: Schema.Union([Placed, Schema.TaggedStruct("Left", {})]) })
keeps("text", { codec: Codec.text(), schema: Room })
keeps("text of numbers", { codec: Codec.text(), schema: Schema.FiniteFromString })
keeps("bytes", { codec: Codec.bytes(), schema: Schema.Uint8Array.check(Schema.isMinLength(2)) })
keeps("SchemaBinary", { codec: Codec.binary(), schema: Event })
keeps("SchemaBinary with fingerprint", { codec: Codec.binary({ fingerprint: true }), schema: Event })
keeps("records of JSON", { codec: Codec.records({ Placed: 1, Moved: 2 }, Codec.json()), schema: Event })
keeps("records of SchemaBinary", { codec: Codec.records({ Placed: 1, Moved: 70_000 }, Codec.binary()), schema: Event })

describe("the suite itself", () => {
  /** The cases that a codec fails. */
  const failures = (codec: Codec.Codec) =>
    Effect.map(
      Effect.forEach(codecSuite({ codec, schema: Schema.Struct({ x: Schema.Int }) }), ({ name, run }) =>
        Effect.map(Effect.exit(run), (exit) => Exit.isSuccess(exit) ? [] : [name])),
      (names) =>
        names.flat()
    )

  const plain: Codec.Format = {
    format: "plain",
    parse: (message) => JSON.parse(String(message)),
    print: (value) => JSON.stringify(value)
  }

  it.effect("finds a value that arrives as another, a throw, a message that is changed, and what is not refused", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* failures(Codec.make(plain)), [])
      const lossy = Codec.make({ ...plain, print: () => `{"x":1}` })
      assert.include(yield* failures(lossy), "what is encoded is decoded to the same value")
      const careless = Codec.fromCoder({
        format: "careless",
        below: Transport.Messages,
        size: () => 0,
        coder: <T>(_: Codec.Carried<T>): Codec.Coder<T> => ({
          decode: (message) => JSON.parse(String(message)),
          encode: (value) => JSON.stringify(value)
        })
      })
      assert.includeMembers([...yield* failures(careless)], [
        "anything else is a value or Undecodable",
        "what is no value is Unencodable, and nothing of it is written"
      ])
      const greedy = Codec.make({
        format: "greedy",
        parse: (message) => {
          const value = JSON.parse(Buffer.from(message as Uint8Array).toString())
          ;(message as Uint8Array).fill(0)
          return value
        },
        print: (value) => Buffer.from(JSON.stringify(value))
      })
      assert.include(yield* failures(greedy), "what is decoded is only read")
    }))
})
