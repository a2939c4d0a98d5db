/**
 * Typed protocols as documents, for those who speak them without this library.
 *
 * What is described is what the JSON codec says (`Codec.json`): the canonical JSON form of each Schema. `jsonSchema` gives a JSON Schema for
 * what either side sends; `asyncApi` an AsyncAPI 3.0 document, in which a protocol is a channel, each member of a union a message by its
 * `_tag`, and each call of a `Requests.Service` an operation with a reply. Both are plain data.
 */
import * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
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
  const keys = keysOf(protocols.map(({ protocol }) => protocol))
  const channels = protocols.map((protocol) =>
    new Channel(
      keys.get(protocol.protocol)!,
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
    channels: Object.fromEntries(
      channels.map(({ key, messages, title }) => [key, { title, messages: Object.fromEntries(messages) }])
    ),
    operations: Object.fromEntries(channels.flatMap((channel) => channel.operations(side))),
    components: { schemas: definitions }
  }
}

/** The members of a union, and whatever else by itself; nothing of who says nothing. */
const membersOf = (schema: Carried): ReadonlyArray<Carried> => {
  if ("members" in schema) return (schema.members as ReadonlyArray<Carried>).flatMap(membersOf)
  return SchemaAST.isNever(schema.ast) ? [] : [schema]
}

interface Payloads {
  readonly payloads: ReadonlyArray<JsonSchema.JsonSchema>
  readonly definitions: { readonly [name: string]: JsonSchema.JsonSchema }
}

/** JSON Schemas (draft 7, as AsyncAPI has it) that share what they refer to. */
const payloadsOf = (schemas: ReadonlyArray<Carried>): Payloads => {
  // A tuple of nothing says nothing about its items.
  if (schemas.length === 0) return { payloads: [], definitions: {} }
  const document = JsonSchema.toDocumentDraft07(Schema.toJsonSchemaDocument(Schema.Tuple(schemas as any)))
  const keys = keysOf(Object.keys(document.definitions))
  const local = localTo(keys)
  return {
    payloads: (document.schema.items as ReadonlyArray<JsonSchema.JsonSchema>).map(local),
    definitions: Object.fromEntries(
      Object.entries(document.definitions).map(([name, schema]) => [keys.get(name)!, local(schema)])
    )
  }
}

/** A name in the letters that a key of the document may have. */
const keyOf = (name: string): string => name.replace(/[^\w.-]/g, "_")

/** The first of a name and its numbered forms that will do. */
const firstOf = (name: string, willDo: (name: string) => boolean): string => {
  let form = name
  for (let n = 2; !willDo(form); n++) form = `${name}.${n}`
  return form
}

/** A key of the document for each name, and none for two. */
const keysOf = (names: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const keys = new Map<string, string>()
  const taken = new Set<string>()
  for (const name of names) {
    const key = firstOf(keyOf(name), (key) => !taken.has(key))
    taken.add(key)
    keys.set(name, key)
  }
  return keys
}

/** The same schema, whose references lead to the components, which have these keys. */
const localTo = (keys: ReadonlyMap<string, string>) => (schema: JsonSchema.JsonSchema): JsonSchema.JsonSchema =>
  JSON.parse(
    JSON.stringify(schema),
    (key, value) =>
      key === "$ref" && typeof value === "string" ? `#/components/schemas/${keys.get(nameIn(value))}` : value
  )

/** What a reference names: the last part of a JSON pointer in a URI (RFC 6901 section 6). */
const nameIn = ($ref: string): string =>
  decodeURIComponent($ref.slice($ref.lastIndexOf("/") + 1)).replaceAll("~1", "/").replaceAll("~0", "~")

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

/** A message with its name, and what it is. */
interface Named {
  readonly name: string
  readonly tag: string | undefined
  readonly call: string | undefined
}

/** A protocol with its messages by name. */
class Channel {
  readonly key: string
  readonly title: string
  readonly messages = new Map<string, Message>()
  private readonly names: { readonly [_ in Side]: Array<Named> } = { client: [], server: [] }
  private readonly calls: { readonly [_ in Side]: Calls } | undefined

  constructor(key: string, protocol: AnyService, drafts: ReadonlyArray<Draft>) {
    this.key = key
    this.title = protocol.protocol
    this.calls = "calls" in protocol ? protocol.calls as any : undefined
    for (const draft of drafts) this.add(draft)
  }

  /** Names a message by its tag, and what is told of a call by the call too; one name for two only if it is the same message. */
  private add(draft: Draft): void {
    const { payload, side } = draft
    const tag = literalOf(draft, "_tag")
    const call = this.calls === undefined ? undefined : literalOf(draft, "call")
    const plain = keyOf([tag ?? "Message", ...(call === undefined ? [] : [call])].join("."))
    const said = JSON.stringify(payload)
    const fits = (name: string) => {
      const other = this.messages.get(name)
      return other === undefined || JSON.stringify(other.payload) === said
    }
    const name = fits(plain) ? plain : firstOf(`${plain}.${side}`, fits)
    this.messages.set(name, { name, contentType: "application/json", payload })
    if (!this.names[side].some((other) => other.name === name)) this.names[side].push({ name, tag, call })
  }

  operations(side: Side): ReadonlyArray<readonly [string, Operation]> {
    return (["client", "server"] as const).flatMap((speaker) => {
      const action = speaker === side ? "send" : "receive"
      return this.calls === undefined ? this.said(speaker, action) : this.called(speaker, this.calls[speaker], action)
    })
  }

  /** All that one side says, in any order. */
  private said(speaker: Side, action: Operation["action"]): ReadonlyArray<readonly [string, Operation]> {
    const messages = this.references(this.names[speaker])
    return messages.length === 0 ? [] : [[`${this.key}.${speaker}`, { action, channel: this.reference, messages }]]
  }

  /** The calls and notifications of one side, each with what answers it. */
  private called(
    speaker: Side,
    calls: Calls,
    action: Operation["action"]
  ): ReadonlyArray<readonly [string, Operation]> {
    const channel = this.reference
    const others = this.names[speaker === "client" ? "server" : "client"]
    const answers = (call: string) =>
      others.filter(({ call: of, tag }) =>
        tag === "Rejected" || ((tag === "Success" || tag === "Failure") && of === call)
      )
    const asked = (call: string, name: string) =>
      this.names[speaker].filter(({ call: of, tag }) => tag === name && of === call)
    const interrupt = this.names[speaker].filter(({ tag }) => tag === "Interrupt")
    return Object.entries(calls).map(([call, { _tag }]) => [
      `${this.key}.${speaker}.${call}`,
      _tag === "Call"
        ? {
          action,
          channel,
          messages: this.references([...asked(call, "Request"), ...interrupt]),
          reply: { channel, messages: this.references(answers(call)) }
        }
        : { action, channel, messages: this.references(asked(call, "Notification")) }
    ])
  }

  private get reference(): Reference {
    return { $ref: `#/channels/${this.key}` }
  }

  private references(names: ReadonlyArray<Named>): ReadonlyArray<Reference> {
    return names.map(({ name }) => ({ $ref: `#/channels/${this.key}/messages/${name}` }))
  }
}
