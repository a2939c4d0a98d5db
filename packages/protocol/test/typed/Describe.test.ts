import asyncApiSchema from "@asyncapi/specs/schemas/3.0.0-without-$id.json" with { type: "json" }
import { assert, describe, it } from "@effect/vitest"
import { Describe, Migration, Requests, Subprotocol } from "@wirestack/protocol"
import { Ajv } from "ajv"
import { Schema } from "effect"
import { Chats, ChatV1, ChatV2 } from "../support/chat.ts"

const isAsyncApi = new Ajv({ strict: false, validateFormats: false }).compile(asyncApiSchema)

/** What the JSON Schema of AsyncAPI itself finds wrong, and references that lead nowhere. */
const mistakes = (document: Describe.AsyncApi): ReadonlyArray<string> => {
  isAsyncApi(document)
  const lost = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]*)"/g)]
    .filter(([, path]) => path.split("/").reduce((at: any, key) => at?.[key], document) === undefined)
    .map(([reference]) => reference)
  return [...(isAsyncApi.errors ?? []).map((error) => JSON.stringify(error)), ...lost]
}

const options = { title: "Chat", version: "1.0.0", servers: { main: { host: "chat.example", protocol: "wss" } } }

const refs = (document: Describe.AsyncApi, operation: string) =>
  document.operations[operation].messages.map(({ $ref }) => $ref)

describe("AsyncAPI", () => {
  it("has a message for each member of a union, and an operation for each direction", () => {
    const document = Describe.asyncApi(ChatV2, { ...options, description: "Talk" })
    assert.deepStrictEqual(mistakes(document), [])
    assert.deepStrictEqual(document.info, { title: "Chat", version: "1.0.0", description: "Talk" })
    assert.deepStrictEqual(Object.keys(document.channels["chat.v2"].messages), ["Said", "Joined", "Heard"])
    assert.strictEqual(document.operations["chat.v2.client"].action, "receive")
    assert.deepStrictEqual(refs(document, "chat.v2.server"), [
      "#/channels/chat.v2/messages/Heard",
      "#/channels/chat.v2/messages/Joined"
    ])
    assert.strictEqual(
      Describe.asyncApi(ChatV2, { ...options, side: "client" }).operations["chat.v2.client"].action,
      "send"
    )
  })

  it("says each message once, and all of them, whatever their names are", () => {
    class Spaced extends Schema.Class<Spaced>("@app/a user")({ a: Schema.String }) {}
    class Other extends Schema.Class<Other>("@app/a_user")({ b: Schema.String }) {}
    class Odd extends Subprotocol.Service<Odd>()("odd/v1", {
      client: Schema.Union([
        Schema.Literals(["a", "b", "c"]),
        Schema.TaggedStruct("x/y", { spaced: Spaced }),
        Schema.TaggedStruct("x y", { other: Other })
      ]),
      server: Schema.Never
    }) {}
    const document = Describe.asyncApi(Odd, options)
    assert.deepStrictEqual(mistakes(document), [])
    assert.deepStrictEqual(Object.keys(document.channels), ["odd_v1"])
    const names = ["Message", "Message.client", "Message.client.2", "x_y", "x_y.client"]
    assert.deepStrictEqual(Object.keys(document.channels["odd_v1"].messages), names)
    assert.deepStrictEqual(
      refs(document, "odd_v1.client"),
      names.map((name) => `#/channels/odd_v1/messages/${name}`)
    )
    assert.strictEqual(Object.keys(document.components.schemas).length, 2)
    // Who says nothing has no operation.
    assert.deepStrictEqual(Object.keys(document.operations), ["odd_v1.client"])
  })

  it("tells calls apart whose names look alike, and takes a protocol without any", () => {
    class Calls extends Requests.Service<Calls>()("calls", {
      client: { "a/b": Requests.call({ payload: Schema.String }), "a b": Requests.call({ payload: Schema.Int }) }
    }) {}
    const document = Describe.asyncApi(Calls, options)
    assert.deepStrictEqual(mistakes(document), [])
    const asked = ["a/b", "a b"].map((call) => refs(document, `calls.client.${call}`)[0])
    assert.deepStrictEqual(asked, [
      "#/channels/calls/messages/Request.a_b",
      "#/channels/calls/messages/Request.a_b.client"
    ])
    class Mute extends Requests.Service<Mute>()("mute", {}) {}
    assert.deepStrictEqual(mistakes(Describe.asyncApi(Mute, options)), [])
  })

  it("has a channel for each version", () => {
    class Chat extends Migration.Service<Chat>()(
      Migration.from(ChatV1).to(ChatV2, {
        client: { up: (message) => message, down: (message) => message._tag === "Said" ? message : undefined },
        server: { up: (message) => message, down: (message) => message._tag === "Heard" ? message : undefined }
      })
    ) {}
    for (const versions of [Chats, Chat]) {
      const document = Describe.asyncApi(versions, { title: "Chat", version: "1.0.0" })
      assert.deepStrictEqual(mistakes(document), [])
      assert.deepStrictEqual(Object.keys(document.channels), ["chat.v2", "chat.v1"])
      assert.deepStrictEqual(document.servers, {})
    }
  })

  it("has an operation with a reply for each call", () => {
    class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { path: Schema.String }) {}
    class Files extends Requests.Service<Files>()("files.v1", {
      client: { read: Requests.call({ payload: Schema.String, success: Schema.Uint8Array, error: NotFound }) },
      server: { changed: Requests.notification(Schema.String) }
    }) {}
    const document = Describe.asyncApi(Files, options)
    assert.deepStrictEqual(mistakes(document), [])
    const path = "#/channels/files.v1/messages"
    assert.deepStrictEqual(document.operations["files.v1.client.read"], {
      action: "receive",
      channel: { $ref: "#/channels/files.v1" },
      messages: [{ $ref: `${path}/Request.read` }, { $ref: `${path}/Interrupt` }],
      reply: {
        channel: { $ref: "#/channels/files.v1" },
        messages: [
          { $ref: `${path}/Success.read` },
          { $ref: `${path}/Failure.read` },
          { $ref: `${path}/Rejected` }
        ]
      }
    })
    assert.deepStrictEqual(document.operations["files.v1.server.changed"], {
      action: "send",
      channel: { $ref: "#/channels/files.v1" },
      messages: [{ $ref: `${path}/Notification.changed` }]
    })
    assert.strictEqual(document.components.schemas.NotFoundEncoded.type, "object")
  })

  it("tells messages of one name apart, and names what has none", () => {
    class Odd extends Subprotocol.Service<Odd>()("odd", {
      client: Schema.Union([Schema.TaggedStruct("A", { a: Schema.String }), Schema.String]),
      server: Schema.TaggedStruct("A", { b: Schema.String })
    }) {}
    const document = Describe.asyncApi(Odd, options)
    assert.deepStrictEqual(mistakes(document), [])
    assert.deepStrictEqual(Object.keys(document.channels.odd.messages), ["A", "Message", "A.server"])
  })
})

it("JSON Schemas tell what each side sends", () => {
  const ajv = new Ajv({ strict: false, validateSchema: false })
  const { client, server } = Describe.jsonSchema(ChatV2)
  assert.strictEqual(client.$schema, "https://json-schema.org/draft/2020-12/schema")
  const [isClient, isServer] = [client, server].map(({ $schema, ...schema }) => ajv.compile(schema))
  const joined = { _tag: "Joined", room: "a", at: "1970-01-01T00:00:00.000Z" }
  assert.deepStrictEqual([isClient(joined), isServer(joined)], [true, true])
  const said = { _tag: "Said", text: "a" }
  assert.deepStrictEqual([isClient(said), isServer(said)], [true, false])
  assert.isFalse(isClient({ _tag: "Said", text: 1 }))
})
