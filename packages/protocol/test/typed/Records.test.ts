import { describe, it } from "@effect/vitest"
import { Codec, Framer, MemoryTransport, Subprotocol, Transport } from "@wirestack/protocol"
import { feed } from "@wirestack/protocol/testing/machineSuite"
import { Effect, Schema, SchemaTransformation } from "effect"
import { expect } from "vitest"

/** A byte for the type, a byte for the value. */
const framer: Framer.Framer<Transport.Record, Transport.Record> = {
  layer: "pairs",
  machine: () => ({
    receive: (input, io) => {
      for (const chunk of input) {
        for (let at = 0; at < chunk.length; at += 2) {
          io.emit({ type: chunk[at], value: chunk.subarray(at + 1, at + 2) }, 1)
        }
      }
      return true
    },
    encode: ({ type, value }, io) => io.write(new Uint8Array([type, value[0]])),
    ended: (endOfInput, io) => io.end(endOfInput)
  })
}

/** A value of one letter, whose type says whether it is upper case. */
const letters: Codec.Codec<"records", Transport.Record> = Codec.fromCoder({
  format: "letters",
  below: Transport.Records,
  size: () => 1,
  coder: <T>(_: Codec.Carried<T>): Codec.Coder<T, Transport.Record> => ({
    decode: ({ type, value }) => {
      const letter = String.fromCharCode(value[0])
      return (type === 1 ? letter.toUpperCase() : letter) as any
    },
    encode: (value) => {
      const text = String(value)
      const lower = text.toLowerCase()
      return { type: text === lower ? 0 : 1, value: new Uint8Array([lower.charCodeAt(0)]) }
    }
  })
})

class Letters extends Subprotocol.Service<Letters>()("letters", { client: Schema.String, server: Schema.String }) {}

describe("Records", () => {
  it.effect("carry a subprotocol whose codec stands on them", () =>
    Effect.gen(function*() {
      const listener = yield* Letters.listen("memory:letters")
      yield* Effect.forkScoped(listener.run((connection) => Effect.flatMap(connection.pull, connection.sendAll)))
      const connection = yield* Letters.connect("memory:letters")
      yield* connection.sendAll(["a", "B"])
      expect(yield* connection.pull).toEqual(["a", "B"])
    }).pipe(
      Effect.provide(MemoryTransport.layer().pipe(Framer.onto(Transport.Records)(framer), Letters.over(letters))),
      Effect.scoped
    ))
})

const Moved = Schema.TaggedStruct("Moved", { x: Schema.Int })
const Started = Schema.Struct({ _tag: Schema.tagDefaultOmit("Started"), at: Schema.Date })
class Ended extends Schema.TaggedClass<Ended>()("Ended", { score: Schema.Int }) {}

const Event = Schema.Union([Schema.Union([Moved, Started]), Ended])
const numbers = { Moved: 1, Started: 2, Ended: 70_000 } as const
const json = Codec.records(numbers, Codec.json())
const utf8 = (text: string) => new TextEncoder().encode(text)

describe("a codec that tags values by type", () => {
  it("writes the type number of the tag, and the value", () => {
    const coder = json.coder(Event)
    expect(coder.encode({ _tag: "Moved", x: 1 })).toEqual({ type: 1, value: utf8(`{"_tag":"Moved","x":1}`) })
    expect(coder.encode({ _tag: "Started", at: new Date(0) })).toEqual({
      type: 2,
      value: utf8(`{"at":"1970-01-01T00:00:00.000Z"}`)
    })
    expect(coder.encode(new Ended({ score: 3 })).type).toBe(70_000)
  })

  it("reads them, in place", () => {
    const records = [
      { type: 2, value: utf8(`{"at":"1970-01-01T00:00:00.000Z"}`) },
      { type: 70_000, value: utf8(`{"_tag":"Ended","score":3}`) }
    ]
    const { emitted, sizes } = feed(json.machine(Event, Event)(), [records])
    expect(emitted).toEqual([{ _tag: "Started", at: new Date(0) }, new Ended({ score: 3 })])
    expect(sizes).toEqual([33, 26])
  })

  it("refuses an unknown number, and a value that is another tag's", () => {
    const cases = [
      [{ type: 3, value: utf8(`{"_tag":"Moved","x":1}`) }, "nothing has the type number 3"],
      [{ type: 70_000, value: utf8(`{"_tag":"Moved","x":1}`) }, "Ended"]
    ] as const
    for (const [record, says] of cases) {
      const { reason } = feed(json.machine(Event, Event)(), [[record]])
      expect(reason?._tag).toBe("Undecodable")
      expect(reason?.message).toContain(says)
    }
  })

  it("an unknown number is skipped, as the codec is told to", () => {
    const skipped: Array<string> = []
    const codec = Codec.records(numbers, Codec.json({ skip: { report: ({ detail }) => skipped.push(detail) } }))
    const moved = { type: 1, value: utf8(`{"_tag":"Moved","x":1}`) }
    const { emitted } = feed(codec.machine(Event, Event)(), [[moved, { type: 9, value: utf8("") }, moved]])
    expect(emitted).toHaveLength(2)
    expect(skipped).toEqual(["nothing has the type number 9"])
  })

  it("an unknown number is handed out, as the protocol says", () => {
    const lenient = Codec.orUndecodable(Event)
    const { emitted } = feed(json.machine(lenient, Event)(), [[
      { type: 9, value: utf8("") },
      { type: 1, value: utf8(`{"_tag":"Moved","x":1}`) }
    ]])
    expect(emitted.map(({ _tag }) => _tag)).toEqual(["Undecodable", "Moved"])
  })

  it("takes any codec of messages: text and bytes without anything around them", () => {
    const Text = Schema.Struct({ _tag: Schema.tagDefaultOmit("Text"), text: Schema.String })
    const Data = Schema.TaggedStruct("Data", { bytes: Schema.Uint8Array })
    const Either = Schema.Union([
      Schema.Uint8Array.pipe(Schema.decodeTo(
        Schema.toType(Data),
        SchemaTransformation.transform({
          decode: (bytes) => ({ _tag: "Data" as const, bytes }),
          encode: ({ bytes }) => bytes
        })
      ))
    ])
    const coder = Codec.records({ Data: 5 }, Codec.bytes()).coder(Either)
    const value = new Uint8Array([1, 2])
    expect(coder.encode({ _tag: "Data", bytes: value })).toEqual({ type: 5, value })
    expect(coder.decode({ type: 5, value })).toEqual({ _tag: "Data", bytes: value })
    expect(Codec.records({ Text: 1 }, Codec.binary()).coder(Text).encode({ _tag: "Text", text: "a" }).type).toBe(1)
  })

  it("keeps text that it has written, though more is written after it", () => {
    const coder = json.coder(Event)
    const first = coder.encode({ _tag: "Moved", x: 1 })
    coder.encode({ _tag: "Moved", x: 2 })
    expect(new TextDecoder().decode(first.value)).toBe(`{"_tag":"Moved","x":1}`)
  })

  it("is refused when it is made, if its numbers or tags are no good", () => {
    const loose = (numbers: Record<string, number>) =>
      Codec.records(numbers as { readonly Moved: number }, Codec.json())
    expect(() => loose({ Moved: 1, Ended: 1 })).toThrow("Moved and Ended have the same type number, 1")
    for (const number of [-1, 0.5, NaN, 2 ** 60]) expect(() => loose({ Moved: number })).toThrow(RangeError)
    const untyped = loose({ Moved: 1 }) as Codec.Codec<"records", Transport.Record>
    expect(() => untyped.coder(Event)).toThrow(`the tag "Started" has no type number`)
    expect(() => untyped.coder(Schema.Union([Moved, Moved]))).toThrow(`two Schemas of a union have the tag "Moved"`)
    const tagless: ReadonlyArray<Codec.Carried> = [
      Schema.String,
      Schema.Struct({ x: Schema.Int }),
      Schema.Option(Schema.Int)
    ]
    for (const schema of tagless) {
      expect(() => untyped.coder(schema)).toThrow("without a _tag")
    }
    expect(() => untyped.coder(Schema.Union([Moved]).check(Schema.makeFilter(() => true)))).toThrow("without a _tag")
  })

  it("takes a Schema that is suspended", () => {
    const lazy = Schema.suspend(() => Moved)
    expect(json.coder(lazy).encode({ _tag: "Moved", x: 1 }).type).toBe(1)
  })
})
