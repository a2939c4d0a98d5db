/** Values with a Schema, by way of each codec, beside the library of its format alone, which checks nothing. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf"
import { MethodSchema } from "@bufbuild/protobuf/wkt"
import { Decoder, Encoder } from "@msgpack/msgpack"
import * as Cbor from "@wirestack/codecs/Cbor"
import * as MessagePack from "@wirestack/codecs/MessagePack"
import * as Protobuf from "@wirestack/codecs/Protobuf"
import type { Message, Record } from "@wirestack/protocol/Transport"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as cborg from "cborg"
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Schema from "effect/Schema"
import { isDeepStrictEqual } from "node:util"
import type { Benchmark } from "../Benchmark.ts"
import { Surroundings } from "../Surroundings.ts"
import { batch, order } from "./samples.ts"

const Order = Schema.Struct({
  id: Schema.String,
  placed: Schema.String,
  status: Schema.Literals(["open", "paid", "shipped"]),
  customer: Schema.Struct({
    id: Schema.Int,
    name: Schema.String,
    email: Schema.String,
    address: Schema.Struct({ street: Schema.String, city: Schema.String, postcode: Schema.String })
  }),
  lines: Schema.Array(Schema.Struct({
    sku: Schema.String,
    title: Schema.String,
    quantity: Schema.Int,
    price: Schema.Finite,
    tags: Schema.Array(Schema.String)
  })),
  note: Schema.NullOr(Schema.String),
  gift: Schema.Boolean
})

/** What a chat says, one of eight. */
const Event = Schema.Union([
  Schema.TaggedStruct("Joined", { room: Schema.String, user: Schema.Int }),
  Schema.TaggedStruct("Left", { room: Schema.String, user: Schema.Int }),
  Schema.TaggedStruct("Said", { room: Schema.String, user: Schema.Int, text: Schema.String }),
  Schema.TaggedStruct("Edited", { room: Schema.String, message: Schema.Int, text: Schema.String }),
  Schema.TaggedStruct("Deleted", { room: Schema.String, message: Schema.Int }),
  Schema.TaggedStruct("Reacted", { message: Schema.Int, emoji: Schema.String }),
  Schema.TaggedStruct("Typing", { room: Schema.String, user: Schema.Int }),
  Schema.TaggedStruct("Read", { room: Schema.String, upTo: Schema.Int })
])

const event = (n: number): typeof Event.Type => {
  const room = `room-${n % 5}`
  const events: ReadonlyArray<typeof Event.Type> = [
    { _tag: "Joined", room, user: n },
    { _tag: "Left", room, user: n },
    { _tag: "Said", room, user: n, text: `this is what ${n} has to say` },
    { _tag: "Edited", room, message: n, text: `no, this is what ${n} has to say` },
    { _tag: "Deleted", room, message: n },
    { _tag: "Reacted", message: n, emoji: "🙂" },
    { _tag: "Typing", room, user: n },
    { _tag: "Read", room, upTo: n }
  ]
  return events[n % events.length]
}

/** A format, as a codec has it and as its library does. */
interface Contender<A, M> {
  readonly codec: () => Codec.Codec<any, M, any>
  readonly library: string
  readonly parse: (message: M) => unknown
  readonly print: (value: A) => M
}

/** Some values of a Schema. */
interface Values<A> {
  readonly name: string
  readonly schema: Codec.Carried<A>
  readonly values: ReadonlyArray<A>
}

const around = <A, M>({ codec }: Contender<A, M>, { schema }: Values<A>) => ({
  machine: codec().machine<A, A>(schema, schema)(),
  io: new Surroundings<A, M>()
})

/** Both directions. */
const through = <A, M>(
  contender: Contender<A, M>,
  values: Values<A>,
  compiled = false
): ReadonlyArray<Benchmark> => {
  const suffix = compiled ? ", compiled" : ""
  const { library, parse, print } = contender
  const common = { reference: library, messages: values.values.length, compiled }
  return [
    {
      ...common,
      name: `Schema, decode ${values.name}${suffix}`,
      prepare: () => {
        const messages = values.values.map(print)
        const { io, machine } = around(contender, values)
        return {
          ours: () => {
            machine.receive(messages, io)
            return io.takeUp()
          },
          reference: () => messages.map(parse),
          agree: isDeepStrictEqual
        }
      }
    },
    {
      ...common,
      name: `Schema, encode ${values.name}${suffix}`,
      prepare: () => {
        const { io, machine } = around(contender, values)
        return {
          ours: () => {
            for (const value of values.values) machine.encode(value, io)
            return io.takeDown()
          },
          reference: () => values.values.map(print),
          agree: isDeepStrictEqual
        }
      }
    }
  ]
}

const json: Contender<unknown, Message> = {
  codec: Codec.json,
  library: "JSON",
  parse: (message) => JSON.parse(message as string),
  print: (value) => JSON.stringify(value)
}

const decoder = new Decoder()
const encoder = new Encoder()

const messagePack: Contender<unknown, Message> = {
  codec: MessagePack.codec,
  library: "@msgpack/msgpack",
  parse: (message) => decoder.decode(message as Uint8Array),
  print: (value) => encoder.encode(value)
}

const cbor: Contender<unknown, Message> = {
  codec: Cbor.codec,
  library: "cborg",
  parse: (message) => cborg.decode(message as Uint8Array),
  print: (value) => cborg.encode(value)
}

const inEffect = SchemaBinary.toCodec(Order)

const binary: Contender<typeof Order.Type, Message> = {
  codec: Codec.binary,
  library: "SchemaBinary",
  parse: Schema.decodeUnknownSync(inEffect),
  print: Schema.encodeSync(inEffect)
}

const Method = Protobuf.message(MethodSchema)

const protobuf: Contender<typeof Method.Type, Message> = {
  codec: Protobuf.codec,
  library: "@bufbuild/protobuf",
  parse: (message) => fromBinary(MethodSchema, message as Uint8Array),
  print: (value) => toBinary(MethodSchema, value)
}

const numbers = { Joined: 1, Left: 2, Said: 3, Edited: 4, Deleted: 5, Reacted: 6, Typing: 7, Read: 8 } as const

const records: Contender<typeof Event.Type, Record> = {
  codec: () => Codec.records(numbers, Codec.json()),
  library: "JSON in bytes",
  parse: ({ value }) => JSON.parse(new TextDecoder().decode(value)),
  print: (value) => ({ type: numbers[value._tag], value: new TextEncoder().encode(JSON.stringify(value)) })
}

const values = <A>(name: string, schema: Codec.Carried<A>, make: (n: number) => A): Values<A> => ({
  name,
  schema,
  values: Array.from({ length: batch }, (_, n) => make(n))
})

const orders = values("900 B of JSON", Order, order)
const events = values("a union of 8", Event, event)
const methods = values(
  "protobuf",
  Method,
  (n) =>
    create(MethodSchema, { name: `method-${n}`, requestTypeUrl: `type.example/${n}`, requestStreaming: n % 2 === 0 })
)

export const benchmarks: ReadonlyArray<Benchmark> = [
  ...through(json, orders),
  ...through(json, events),
  ...through(json, orders, true),
  ...through(json, events, true),
  ...through(records, { ...events, name: "records" }),
  ...through(binary, { ...orders, name: "SchemaBinary" }),
  ...through(messagePack, { ...orders, name: "MessagePack" }),
  ...through(cbor, { ...orders, name: "CBOR" }),
  ...through(protobuf, methods)
]
