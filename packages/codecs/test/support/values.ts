/** Values of all kinds, and what a codec writes and reads. */
import type { Codec } from "@wirestack/protocol"
import { encode, feed } from "@wirestack/protocol/testing/machineSuite"
import type { Message } from "@wirestack/protocol/Transport"
import { Schema } from "effect"

class Placed extends Schema.TaggedClass<Placed>()("Placed", {
  at: Schema.Date,
  size: Schema.BigInt,
  body: Schema.Uint8Array,
  parts: Schema.Array(Schema.UndefinedOr(Schema.Uint8Array)),
  named: Schema.HashMap(Schema.String, Schema.Uint8Array),
  maybe: Schema.Option(Schema.Uint8Array),
  note: Schema.optional(Schema.String)
}) {}

export interface Tree {
  readonly body: Uint8Array
  readonly branches: ReadonlyArray<Tree>
}

export const Tree = Schema.Struct({
  body: Schema.Uint8Array,
  branches: Schema.Array(Schema.suspend((): Schema.Codec<Tree, Tree> => Tree as any))
})

export const Event = Schema.Union([
  Placed,
  Schema.TaggedStruct("Grown", { tree: Tree }),
  // @effect-diagnostics-next-line schemaNumber:off
  Schema.TaggedStruct("Moved", { x: Schema.Int, y: Schema.Number, label: Schema.NullOr(Schema.String) })
])

export const written = <T>(codec: Codec.Codec, schema: Codec.Carried<T>, value: T): Message =>
  encode(codec.machine(schema, schema)(), [value])[0]

export const read = <T>(codec: Codec.Codec, schema: Codec.Carried<T>, message: Message) => {
  const { emitted, reason } = feed(codec.machine(schema, schema)(), [[message]])
  return reason ?? emitted[0]
}
