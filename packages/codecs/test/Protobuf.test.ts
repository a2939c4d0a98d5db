import { create, fromBinary, toBinary } from "@bufbuild/protobuf"
import { assert, describe, it } from "@effect/vitest"
import { Protobuf } from "@wirestack/codecs"
import { Codec, MemoryTransport, Subprotocol } from "@wirestack/protocol"
import { feed, verifyRefusal } from "@wirestack/protocol/testing/machineSuite"
import { Arbitrary, Effect, Schema, SchemaTransformation } from "effect"
import { type FromClient, FromClientSchema, MoveSchema, SaySchema, type Tree, TreeSchema } from "./support/chat_pb.ts"
import { keeps } from "./support/keeps.ts"

const codec = Protobuf.codec()
const FromClient = Protobuf.message(FromClientSchema)
const Say = Protobuf.message(SaySchema)

const said = Arbitrary.map(
  Arbitrary.schema(Schema.Struct({ text: Schema.String, body: Schema.Uint8Array })),
  (init) => create(SaySchema, { ...init, at: BigInt(init.text.length) })
)

keeps("protobuf", {
  codec,
  schema: FromClient,
  values: Arbitrary.map(said, (value) => create(FromClientSchema, { kind: { case: "say", value } }))
})

const Union = Schema.Union([Protobuf.tagged("Say", SaySchema), Protobuf.tagged("Move", MoveSchema)])

keeps("records of protobuf", {
  codec: Codec.records({ Say: 1, Move: 2 }, codec),
  schema: Union,
  values: Arbitrary.map(said, (message) => ({ _tag: "Say" as const, message }))
})

class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: FromClient, server: Say }) {}

it.effect("a union travels as a oneof", () =>
  Effect.scoped(Effect.gen(function*() {
    yield* Chat.serve()("memory:chat", (connection) =>
      Effect.flatMap(Effect.orDie(connection.pull), ([{ kind }]) =>
        connection.send(create(SaySchema, { text: `heard ${kind.case}` })))).pipe(
        (layer) =>
          Effect.forkScoped(Effect.never.pipe(Effect.provide(layer)))
      )
    yield* Effect.yieldNow
    const chat = yield* Chat.connect("memory:chat")
    yield* chat.send(create(FromClientSchema, { kind: { case: "move", value: create(MoveSchema, { x: 1 }) } }))
    const [{ text }] = yield* chat.pull
    assert.strictEqual(text, "heard move")
  })).pipe(Effect.provide(Chat.over(codec)(MemoryTransport.layerMessages()))))

it("writes what the library writes, and records have only the message", () => {
  const message = create(MoveSchema, { x: -3, y: 0.5 })
  const { emitted } = feed(Codec.records({ Say: 1, Move: 2 }, codec).machine(Union, Union)(), [[
    { type: 2, value: toBinary(MoveSchema, message) }
  ]])
  assert.deepStrictEqual(emitted, [{ _tag: "Move", message }])
  const coder = Codec.records({ Say: 1, Move: 2 }, codec).coder(Union)
  const { type, value } = coder.encode({ _tag: "Move", message })
  assert.strictEqual(type, 2)
  assert.deepStrictEqual(fromBinary(MoveSchema, value), message)
})

it("a Schema may make something else of a message", () => {
  const Text = Say.pipe(Schema.decodeTo(
    Schema.String,
    SchemaTransformation.transform({ decode: ({ text }) => text, encode: (text) => create(SaySchema, { text }) })
  ))
  const coder = codec.coder(Text)
  assert.strictEqual(coder.decode(coder.encode("hello")), "hello")
})

describe("refuses", () => {
  const machine = () => codec.machine(FromClient, FromClient)()

  it("another message, and what is none", () => {
    const other = create(MoveSchema) as unknown as FromClient
    assert.include(verifyRefusal(machine(), other, "Unencodable").message, "chat.FromClient")
    verifyRefusal(machine(), { $typeName: "chat.FromClient" } as FromClient, "Unencodable")
  })

  it("a field of another type, and a number out of range", () => {
    const broken = create(FromClientSchema, { kind: { case: "move", value: create(MoveSchema, { x: 2 ** 40 }) } })
    verifyRefusal(machine(), broken, "Unencodable")
  })

  it("nested too deep, both ways", () => {
    const Deep = Protobuf.message(TreeSchema)
    const deep = (depth: number): Tree => create(TreeSchema, { children: depth === 0 ? [] : [deep(depth - 1)] })
    assert.strictEqual(feed(codec.machine(Deep, Deep)(), [[toBinary(TreeSchema, deep(90))]]).ending, "open")
    const nested = (depth: number): Uint8Array => {
      let bytes = new Uint8Array(0)
      for (let i = 0; i < depth; i++) {
        const size = bytes.length
        const length = size < 0x80 ? [size] : size < 0x4000 ? [size & 0x7f | 0x80, size >> 7] : [
          size & 0x7f | 0x80,
          size >> 7 & 0x7f | 0x80,
          size >> 14
        ]
        bytes = Uint8Array.from([0x12, ...length, ...bytes])
      }
      return bytes
    }
    assert.strictEqual(feed(codec.machine(Deep, Deep)(), [[nested(200)]]).ending, "Undecodable")
  })

  it("a Schema of several messages, when it is put on a stack", () => {
    const Both = Schema.Union([Say, Protobuf.message(MoveSchema)])
    assert.throws(() => codec.coder(Both), TypeError)
  })

  it("text", () => {
    assert.strictEqual(feed(machine(), [["hello"]]).ending, "Undecodable")
  })
})
