/** Values with a Schema, to and from JSON, beside bare JSON, which checks nothing. */
import * as Codec from "@wirestack/protocol/Codec"
import type { Message } from "@wirestack/protocol/Transport"
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

const around = <A>(schema: Codec.Carried<A>) => ({
  machine: Codec.json().machine(schema, schema)(),
  io: new Surroundings<A, Message>()
})

const decode = <A>(name: string, schema: Codec.Carried<A>, values: ReadonlyArray<A>): Benchmark => ({
  name: `Schema, decode ${name}`,
  reference: "JSON.parse",
  messages: values.length,
  prepare: () => {
    const texts = values.map((value) => JSON.stringify(value))
    const { io, machine } = around(schema)
    return {
      ours: () => {
        machine.receive(texts, io)
        return io.takeUp()
      },
      reference: () => texts.map((text) => JSON.parse(text)),
      agree: isDeepStrictEqual
    }
  }
})

const encode = <A>(name: string, schema: Codec.Carried<A>, values: ReadonlyArray<A>): Benchmark => ({
  name: `Schema, encode ${name}`,
  reference: "JSON.stringify",
  messages: values.length,
  prepare: () => {
    const { io, machine } = around(schema)
    return {
      ours: () => {
        for (const value of values) machine.encode(value, io)
        return io.takeDown()
      },
      reference: () => values.map((value) => JSON.stringify(value)),
      agree: isDeepStrictEqual
    }
  }
})

const orders = ["900 B of JSON", Order, Array.from({ length: batch }, (_, n) => order(n))] as const
const events = ["a union of 8", Event, Array.from({ length: batch }, (_, n) => event(n))] as const

export const benchmarks: ReadonlyArray<Benchmark> = [
  decode(...orders),
  encode(...orders),
  decode(...events),
  encode(...events)
]
