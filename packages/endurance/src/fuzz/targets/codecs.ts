/**
 * Codecs: a message is a value of the Schema or `Undecodable`, whatever it is; and a value that was read is the same once it was written and
 * read again.
 */
import { create } from "@bufbuild/protobuf"
import { FileDescriptorProtoSchema, StructSchema } from "@bufbuild/protobuf/wkt"
import { Cbor, MessagePack, Protobuf } from "@wirestack/codecs"
import { Codec, type Transport } from "@wirestack/protocol"
import { MachineSuite } from "@wirestack/protocol/testing"
import { equal, holds } from "@wirestack/protocol/testing/check"
import * as Schema from "effect/Schema"
import { utf8 } from "../bytes.ts"
import type { Target } from "../Target.ts"

type Message = Transport.Message

interface Tree {
  readonly body: Uint8Array
  readonly branches: ReadonlyArray<Tree>
}

const Tree = Schema.Struct({
  body: Schema.Uint8Array,
  branches: Schema.Array(Schema.suspend((): Schema.Codec<Tree, Tree> => Tree as any))
})

const Event = Schema.Union([
  Schema.TaggedStruct("Placed", { at: Schema.Date, size: Schema.BigInt, note: Schema.optional(Schema.String) }),
  Schema.TaggedStruct("Grown", { tree: Tree }),
  Schema.TaggedStruct("Moved", { x: Schema.Int, y: Schema.Finite, label: Schema.NullOr(Schema.String) })
])

const leaf = { body: Uint8Array.of(0, 1, 255), branches: [] }

const events: ReadonlyArray<typeof Event.Type> = [
  { _tag: "Placed", at: new Date(86_400_000), size: 2n ** 70n, note: "é€😀" },
  { _tag: "Grown", tree: { body: new Uint8Array(0), branches: [leaf, { ...leaf, branches: [leaf] }] } },
  { _tag: "Moved", x: -1, y: 0.5, label: null }
]

const files = [
  create(FileDescriptorProtoSchema, {
    name: "a.proto",
    dependency: ["b", "c"],
    messageType: [{ name: "M", field: [{ name: "x", number: 1 }], nestedType: [{ name: "N" }] }],
    publicDependency: [1, -2]
  })
]

const structs = [create(StructSchema, { fields: { a: { kind: { case: "numberValue", value: 1 } } } })]

interface Subject<T> {
  readonly name: string
  readonly codec: Codec.Codec<"messages", Message, any>
  readonly schema: Schema.Codec<T, any>
  readonly values: ReadonlyArray<T>
  readonly dictionary?: ReadonlyArray<string>
  /** Whether it is text that is read. */
  readonly text?: boolean
}

const bytesOf = (message: Message): Uint8Array => typeof message === "string" ? utf8(message) : message

const codec = <T>({ codec, dictionary, name, schema, text = false, values }: Subject<T>): Target => {
  const machine = codec.machine<T, T>(schema, schema)
  const isValue = Schema.is(schema)
  const show = (input: Uint8Array) => {
    const io = MachineSuite.feed(machine(), [[text ? new TextDecoder().decode(input) : input]])
    io.verify("the machine")
    if (io.ending !== "open") {
      equal("how it fails", io.ending, "Undecodable")
      return { accepted: false, how: "undecodable" }
    }
    equal("how many values a message has", io.emitted.length, 1)
    holds("what it gives is of the Schema", isValue(io.emitted[0]), io.emitted[0])
    const written = MachineSuite.encode(machine(), io.emitted)
    const again = MachineSuite.feed(machine(), [written])
    equal("what it is once it was written", again.emitted, io.emitted)
    return { accepted: true, how: "x".repeat(Math.min(written[0].length >> 3, 64)) }
  }
  const corpus = values.map((value) => bytesOf(MachineSuite.encode(machine(), [value])[0]))
  return { name: `codec-${name}`, corpus, dictionary, show }
}

const json = [
  "\"_tag\":",
  "\"__proto__\":",
  "1e400",
  "-0",
  "null",
  "[",
  "{",
  "}",
  "\"\\ud800\"",
  "\ufeff",
  "[[[[[[[[[[[["
]

export const codecs: ReadonlyArray<Target> = [
  codec({ name: "json", codec: Codec.json(), schema: Event, values: events, dictionary: json, text: true }),
  codec({ name: "json-bytes", codec: Codec.json(), schema: Event, values: events, dictionary: json }),
  codec({ name: "text", codec: Codec.text(), schema: Schema.FiniteFromString, values: [1, -2.5] }),
  codec({ name: "binary", codec: Codec.binary(), schema: Event, values: events }),
  codec({ name: "messagepack", codec: MessagePack.codec(), schema: Event, values: events }),
  codec({ name: "cbor", codec: Cbor.codec(), schema: Event, values: events }),
  codec({
    name: "protobuf",
    codec: Protobuf.codec(),
    schema: Protobuf.message(FileDescriptorProtoSchema),
    values: files
  }),
  codec({ name: "protobuf-struct", codec: Protobuf.codec(), schema: Protobuf.message(StructSchema), values: structs })
]
