/**
 * Typed protocols as documents, for those who speak them without this library.
 *
 * What is described is what the JSON codec says (`Codec.json`): the canonical JSON form of each Schema. `jsonSchema` gives a JSON Schema for
 * what either side sends; `asyncApi` an AsyncAPI 3.0 document, in which a protocol is a channel, each member of a union a message by its
 * `_tag`, and each call of a `Requests.Service` an operation with a reply. Both are plain data.
 */
import * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"
import type { Carried } from "./Codec.ts"
import type { Calls } from "./Requests.ts"
import type { AnyService, Versions } from "./Subprotocol.ts"

/** JSON Schemas (draft 2020-12) for what the client sends, and what the server sends. */
export interface Schemas {
  readonly client: JsonSchema.JsonSchema
  readonly server: JsonSchema.JsonSchema
}

/** What either side of a protocol sends. */
export const jsonSchema = (protocol: AnyService): Schemas => ({
  client: documentOf(protocol.client),
  server: documentOf(protocol.server)
})

const documentOf = (schema: Carried): JsonSchema.JsonSchema => {
  const { definitions, schema: root } = Schema.toJsonSchemaDocument(schema)
  return { $schema: JsonSchema.META_SCHEMA_URI_DRAFT_2020_12, ...root, $defs: definitions }
}

/** Where a protocol is spoken. */
export interface Server {
  /** Host, and port if it is not that of the protocol. */
  readonly host: string
  /** The protocol of the connection, such as `wss`. */
  readonly protocol: string
  /** The path, if there is one. */
  readonly pathname?: string
  readonly description?: string
}

/** What a document says beside the protocol. */
export interface Options {
  readonly title: string
  /** The version of the application. */
  readonly version: string
  readonly description?: string
  readonly servers?: { readonly [name: string]: Server }
  /** Whose application is described: what it sends and receives is told from its side. `"server"` by default. */
  readonly side?: Side
}

/** A reference to another part of the document. */
export interface Reference {
  readonly $ref: string
}

/** A message of a channel. */
export interface Message {
  readonly name: string
  readonly contentType: "application/json"
  readonly payload: JsonSchema.JsonSchema
}

/** What the application sends or receives. */
export interface Operation {
  readonly action: "send" | "receive"
  readonly channel: Reference
  readonly messages: ReadonlyArray<Reference>
  readonly reply?: { readonly channel: Reference; readonly messages: ReadonlyArray<Reference> }
}

/** An AsyncAPI 3.0 document. */
export interface AsyncApi {
  readonly asyncapi: "3.0.0"
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly defaultContentType: "application/json"
  readonly servers: { readonly [name: string]: Server }
  readonly channels: {
    readonly [protocol: string]: { readonly title: string; readonly messages: { readonly [name: string]: Message } }
  }
  readonly operations: { readonly [name: string]: Operation }
  readonly components: { readonly schemas: { readonly [name: string]: JsonSchema.JsonSchema } }
}

/** One protocol, or several: a `Subprotocol.Family`, or a `Migration.Service`. */
export type Subject = AnyService | { readonly versions: Versions }

type Side = "client" | "server"

/** What one side of a protocol may say. */
interface Said {
  readonly protocol: string
  readonly side: Side
  readonly schema: Carried
}

/** An AsyncAPI 3.0 document of a protocol, of its versions, or of its calls. */
export const asyncApi = (subject: Subject, options: Options): AsyncApi => {
  const { description, servers = {}, side = "server", title, version } = options
  const protocols = "versions" in subject ? Object.values(subject.versions) : [subject]
  const said = protocols.flatMap(({ client, protocol, server }) => [
    ...membersOf(client).map((schema): Said => ({ protocol, side: "client", schema })),
    ...membersOf(server).map((schema): Said => ({ protocol, side: "server", schema }))
  ])
  const { definitions, payloads } = payloadsOf(said.map(({ schema }) => schema))
  const channels = protocols.map((protocol) =>
    new Channel(
      protocol,
      said.flatMap((one, at) =>
        one.protocol === protocol.protocol ? [{ side: one.side, payload: payloads[at], definitions }] : []
      )
    )
  )
  return {
    asyncapi: "3.0.0",
    info: { title, version, ...(description === undefined ? undefined : { description }) },
    defaultContentType: "application/json",
    servers,
    channels: Object.fromEntries(channels.map(({ key, messages, title }) => [key, { title, messages }])),
    operations: Object.fromEntries(channels.flatMap((channel) => channel.operations(side))),
    components: { schemas: definitions }
  }
}

/** The members of a union, and whatever else by itself. */
const membersOf = (schema: Carried): ReadonlyArray<Carried> =>
  "members" in schema ? (schema.members as ReadonlyArray<Carried>).flatMap(membersOf) : [schema]

interface Payloads {
  readonly payloads: ReadonlyArray<JsonSchema.JsonSchema>
  readonly definitions: { readonly [name: string]: JsonSchema.JsonSchema }
}

/** JSON Schemas (draft 7, as AsyncAPI has it) that share what they refer to. */
const payloadsOf = (schemas: ReadonlyArray<Carried>): Payloads => {
  const document = JsonSchema.toDocumentDraft07(Schema.toJsonSchemaDocument(Schema.Tuple(schemas as any)))
  return {
    payloads: (document.schema.items as ReadonlyArray<JsonSchema.JsonSchema>).map(local),
    definitions: Object.fromEntries(
      Object.entries(document.definitions).map(([name, schema]) => [keyOf(name), local(schema)])
    )
  }
}

/** A name as a key of the document. */
const keyOf = (name: string): string => name.replace(/[^\w.-]/g, "_")

/** The same schema, whose references lead to the components. */
const local = (schema: JsonSchema.JsonSchema): JsonSchema.JsonSchema =>
  JSON.parse(
    JSON.stringify(schema),
    (key, value) => key === "$ref" && typeof value === "string" ? `#/components/schemas/${keyOf(nameIn(value))}` : value
  )

/** What a reference names. */
const nameIn = ($ref: string): string => $ref.slice($ref.lastIndexOf("/") + 1)

/** A message before it has its name. */
interface Draft {
  readonly side: Side
  readonly payload: JsonSchema.JsonSchema
  readonly definitions: Payloads["definitions"]
}

/** The literal that a property must be. */
const literalOf = ({ definitions, payload }: Draft, property: string): string | undefined => {
  const { $ref } = payload
  const { properties } = typeof $ref === "string" ? definitions[nameIn($ref)] : payload
  const value = (properties as Record<string, { readonly enum?: ReadonlyArray<unknown> }> | undefined)?.[property]
  return value?.enum?.length === 1 ? String(value.enum[0]) : undefined
}

/** A protocol with its messages by name. */
class Channel {
  readonly key: string
  readonly title: string
  readonly messages: Record<string, Message> = {}
  private readonly names: { readonly [_ in Side]: Array<string> } = { client: [], server: [] }
  private readonly calls: { readonly [_ in Side]: Calls } | undefined

  constructor(protocol: AnyService, drafts: ReadonlyArray<Draft>) {
    this.title = protocol.protocol
    this.key = keyOf(protocol.protocol)
    this.calls = "calls" in protocol ? protocol.calls as any : undefined
    for (const draft of drafts) this.add(draft)
  }

  /** Names a message by its tag, and what is told of a call by the call too; one name for both sides only if it is the same message. */
  private add(draft: Draft): void {
    const tag = literalOf(draft, "_tag") ?? "Message"
    const call = this.calls === undefined ? undefined : literalOf(draft, "call")
    const plain = call === undefined ? tag : `${tag}.${call}`
    const isFree = this.messages[plain] === undefined ||
      JSON.stringify(this.messages[plain].payload) === JSON.stringify(draft.payload)
    const name = isFree ? plain : `${plain}.${draft.side}`
    this.messages[name] = { name, contentType: "application/json", payload: draft.payload }
    this.names[draft.side].push(name)
  }

  operations(side: Side): ReadonlyArray<readonly [string, Operation]> {
    return (["client", "server"] as const).flatMap((speaker) => {
      const action = speaker === side ? "send" : "receive"
      return this.calls === undefined ? this.said(speaker, action) : this.called(speaker, this.calls[speaker], action)
    })
  }

  /** All that one side says, in any order. */
  private said(speaker: Side, action: Operation["action"]): ReadonlyArray<readonly [string, Operation]> {
    return [[`${this.key}.${speaker}`, {
      action,
      channel: this.reference,
      messages: this.references(this.names[speaker])
    }]]
  }

  /** The calls and notifications of one side, each with what answers it. */
  private called(
    speaker: Side,
    calls: Calls,
    action: Operation["action"]
  ): ReadonlyArray<readonly [string, Operation]> {
    const channel = this.reference
    const answers = speaker === "client" ? this.names.server : this.names.client
    return Object.entries(calls).map(([call, { _tag }]) => {
      const asked = _tag === "Call" ? [`Request.${call}`, "Interrupt"] : [`Notification.${call}`]
      const answered = answers.filter((name) =>
        name === `Success.${call}` || name === `Failure.${call}` || name === "Rejected"
      )
      const messages = this.references(asked)
      return [`${this.key}.${speaker}.${call}`, {
        action,
        channel,
        messages,
        ...(_tag === "Call" ? { reply: { channel, messages: this.references(answered) } } : undefined)
      }]
    })
  }

  private get reference(): Reference {
    return { $ref: `#/channels/${this.key}` }
  }

  private references(names: ReadonlyArray<string>): ReadonlyArray<Reference> {
    return names.map((name) => ({ $ref: `#/channels/${this.key}/messages/${name}` }))
  }
}
