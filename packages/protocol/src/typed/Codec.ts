/**
 * A codec says how a value becomes a message: a Schema for what it may be, and a format for how it looks.
 *
 *       In  ^           | Out       values, checked by their Schemas
 *     ------------------------------------------------------------------
 *   decode  ^           v  encode   the schema's transformation
 *    parse  ^           v  print    the format: JSON, MessagePack, ...
 *     ------------------------------------------------------------------
 *  Message  ^           | Message   text or bytes
 *
 * The contract:
 *
 * - A message that doesn't parse, or parses to something its Schema doesn't admit, is `Undecodable` and fails the
 *   connection; what came before is delivered. The reason says where, and has the Schema's issue as its `cause`. A WebSocket
 *   closes with 1007 if it doesn't parse, with 1008 if the Schema refuses it (`by`).
 * - A codec that is told to `skip` such messages reports each and goes on, up to a bound. A Schema in `orUndecodable` has them
 *   handed out as values instead.
 * - A value its Schema doesn't admit, or that the format can't express, is `Unencodable`: nothing of it is written and
 *   the connection goes on. The reason is the same data.
 * - What a codec carries is in its type: a Schema that encodes to something else does not compile with it.
 * - Schemas are compiled once per stack, not per connection or message. They must decode and encode synchronously and
 *   need no services. Effect interprets them, unless the program imports `effect/schema/SchemaJITCompiler/enable` before all
 *   else: then they become functions, and typed messages cost up to a third less.
 * - Bounds are the framing layer's: a codec sees one whole message at a time and holds none.
 */

import * as Cause from "effect/Cause"
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { Undecodable, Unencodable } from "../ConnectionError.ts"
import { CodecMachine } from "../internal/CodecMachine.ts"
import { loneSurrogates } from "../internal/loneSurrogates.ts"
import { membersOf } from "../internal/tags.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Machine } from "../Machine.ts"
import { type Message, Messages, type Record, Records, type Shape } from "../Transport.ts"

/** A Schema whose values a codec can carry, encoded to `E`: it needs no services to decode or encode. */
export type Carried<T = unknown, E = unknown> = Schema.ConstraintCodec<T, E, never, never>

/** A Schema of values that are told apart by a `_tag` among these. */
export interface Tagged<Tag> {
  readonly Type: { readonly _tag: Tag }
}

/** The two functions between the values of one Schema and the messages that carry them. */
export interface Coder<T, M = Message> {
  /** A message as a value; throws `Undecodable`. The message is only read. */
  readonly decode: (message: M) => T
  /** A value as a message; throws `Unencodable`. */
  readonly encode: (value: T) => M
}

/**
 * A way to carry the values of Schemas `S` (all, by default) in what a stack of shape `L` carries: in messages by default.
 */
export interface Codec<in out L = "messages", in out M = Message, in S = Carried> {
  /** The name of the format. */
  readonly format: string
  /** What it stands on. */
  readonly below: Shape<L, M, M>
  /** What it does about messages that can't be decoded, instead of failing. */
  readonly skip: Skip | undefined
  /** Compiles one Schema. */
  readonly coder: <T>(schema: S & Carried<T>) => Coder<T, M>
  /** Compiles the Schemas of the two directions; what it returns makes a machine for one connection. */
  readonly machine: <In, Out>(incoming: S & Carried<In>, outgoing: S & Carried<Out>) => () => Machine<M, M, In, Out>
}

/** A format for plain values. */
export interface Format {
  /** The name of the format, for errors. */
  readonly format: string
  /** A message as a plain value; throws if it isn't of the format. The message is only read. */
  readonly parse: (message: Message) => unknown
  /** A plain value as a message; throws if it can't be expressed. */
  readonly print: (value: unknown) => Message
  /** A Schema's form whose encoded side the format can express; by default the Schema itself. */
  readonly derive?: <T>(schema: Carried<T>) => Carried<T>
  /** Whether `print` puts texts into bytes as UTF-8: then one with a lone surrogate is refused, whatever `print` would make of it. */
  readonly utf8?: boolean
}

/** What to do about messages that can't be decoded, instead of failing. */
export interface Skip {
  /** Is told of each, and how many it makes on this connection. Called at once, between two messages: it must be quick. */
  readonly report: (undecodable: Undecodable, skipped: number) => void
  /** How many may come one after the other; the next one fails the connection. 16 by default. */
  readonly inARow?: number
  /** How many may come on a connection; the next one fails it. 1,024 by default. */
  readonly inAll?: number
}

/** How strict a codec is. */
export interface Options {
  /** How values are decoded and encoded, such as `{ onExcessProperty: "error" }`. */
  readonly parseOptions?: SchemaAST.ParseOptions
  /** Skips messages that can't be decoded, and counts them in `Outcome.skipped`. By default the first one fails the connection. */
  readonly skip?: Skip
}

/**
 * A codec from a format.
 *
 * @category constructors
 */
export const make = <E = unknown>(
  format: Format,
  options?: Options
): Codec<"messages", Message, Carried<unknown, E>> =>
  fromCoder({
    format: format.format,
    below: Messages,
    size: (message) => message.length,
    coder: (schema) => coder(schema, format, options)
  }, options)

/**
 * A codec from what compiles a Schema: for formats that depend on it, and for other shapes than messages.
 *
 * @category constructors
 */
export const fromCoder = <L, M, S = Carried>(
  { below, coder, format, size }: Pick<Codec<L, M, S>, "below" | "coder" | "format"> & {
    /** The weight of a message in bytes. */
    readonly size: (message: M) => number
  },
  { skip }: { readonly skip?: Skip | undefined } = {}
): Codec<L, M, S> => ({
  format,
  below,
  skip,
  coder,
  machine: <In, Out>(incoming: S & Carried<In>, outgoing: S & Carried<Out>) => {
    const { decode } = coder<In>(incoming)
    const { encode } = coder<Out>(outgoing)
    const plan = { decode, encode, size, skip: skip && bounded(skip), asValue: handsOut(incoming) }
    return (): Machine<M, M, any, Out> => new CodecMachine(plan)
  }
})

const bounded = ({ inARow = 16, inAll = 1_024, report }: Skip): Required<Skip> => ({ inARow, inAll, report })

/** The coder of a Schema in a format. */
export const coder = <T>(schema: Carried<T>, format: Format, options?: Options): Coder<T> => {
  const derived = format.derive === undefined ? schema : format.derive(schema)
  return {
    decode: decoder(format, Schema.decodeUnknownSync(derived, options?.parseOptions)),
    encode: encoder(
      format,
      Schema.encodeUnknownSync(derived, options?.parseOptions),
      format.utf8 === true ? loneSurrogates(schema) : undefined
    )
  }
}

const decoder = <T>(format: Format, decode: (plain: unknown) => T): Coder<T>["decode"] => (message) => {
  let plain: unknown
  try {
    plain = format.parse(message)
  } catch (cause) {
    throw new Undecodable({ detail: `not ${format.format}`, cause })
  }
  try {
    return decode(plain)
  } catch (thrown) {
    throw new Undecodable({ ...explain(thrown), by: "schema" })
  }
}

const encoder = <T>(
  format: Format,
  encode: (value: T) => unknown,
  illFormed: ReturnType<typeof loneSurrogates> | undefined
): Coder<T>["encode"] =>
(value) => {
  let plain: unknown
  try {
    plain = encode(value)
  } catch (thrown) {
    throw new Unencodable(explain(thrown))
  }
  let message: unknown
  try {
    message = format.print(plain)
  } catch (cause) {
    throw new Unencodable({ detail: inexpressible(format), cause })
  }
  if (typeof message === "string") return message
  if (!(message instanceof Uint8Array)) throw new Unencodable({ detail: inexpressible(format) })
  if (illFormed?.(value, plain, message) === true) throw new Unencodable({ detail: utf8.loneSurrogate })
  return message
}

/**
 * JSON, one value a message, sent as text and accepted as text or as bytes in UTF-8.
 *
 * Values take the canonical JSON form of their Schema (`Schema.toCodecJson`), so that dates, bytes, bigints, `undefined`
 * and infinities arrive as what they were.
 *
 * @category constructors
 */
export const json = (options?: Options): Codec =>
  make({
    format: "JSON",
    parse: (message) => JSON.parse(textOf(message)),
    print: (value) => JSON.stringify(value),
    derive: Schema.toCodecJson
  }, options)

/**
 * Text as it is, of Schemas that encode to a string, such as a branded one or `Schema.NumberFromString`. Bytes are accepted if they
 * are UTF-8.
 *
 * @category constructors
 */
export const text = (options?: Options): Codec<"messages", Message, Carried<unknown, string>> =>
  make<string>({ format: "text", parse: textOf, print: (value) => value as string }, options)

/**
 * Bytes as they are, of Schemas that encode to a `Uint8Array`. Text is accepted as its UTF-8.
 *
 * @category constructors
 */
export const bytes = (options?: Options): Codec<"messages", Message, Carried<unknown, Uint8Array>> =>
  make<Uint8Array>({ format: "bytes", parse: bytesOf, print: (value) => value as Uint8Array }, options)

/** How values look in Effect's binary form. */
export interface BinaryOptions extends Options {
  /**
   * Fields by their position instead of their number, which is smaller; then both sides must have the very same Schema, and refuse one
   * another's messages if they don't. False by default: Schemas that have grown still understand each other.
   */
  readonly fingerprint?: boolean
}

/**
 * Effect's binary form of a Schema (`effect/encoding/SchemaBinary`), one value a message: for peers that both have the Schema. It is
 * smaller than JSON, and decoded without an intermediate value.
 *
 * @category constructors
 */
export const binary = (options?: BinaryOptions): Codec =>
  make({
    format: "SchemaBinary",
    utf8: true,
    parse: bytesOf,
    print: (value) => value as Uint8Array,
    derive: (schema) => SchemaBinary.toCodec(schema, { fingerprint: options?.fingerprint })
  }, options)

/** Says in the compiler's message which tags have the same number. */
export type Distinct<N> = {
  readonly [Tag in keyof N]: N[Tag] extends N[Exclude<keyof N, Tag>]
    ? { readonly "another tag has the type number": N[Tag] }
    : unknown
}

/**
 * Values told apart by the type number of a record: each tag of a union has a number, and its values are carried by a codec of messages.
 *
 *     Codec.records({ Move: 1, Start: 2 }, Codec.json())
 *
 * Each value is encoded by the Schema of its own tag. With `Schema.tagDefaultOmit` the tag is not said twice. A tag without a number, or
 * a number twice, does not compile. A record of another number is `Undecodable`; it is skipped if the codec of its values skips.
 *
 * @category constructors
 */
export const records = <const N extends { readonly [tag: string]: number }, S>(
  numbers: N & Distinct<N>,
  codec: Codec<"messages", Message, S>
): Codec<"records", Record, S & Tagged<keyof N>> => {
  const tags = new Map<number, string>()
  for (const tag of Object.keys(numbers)) {
    const number = numbers[tag]
    const other = tags.get(number)
    if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`${tag}: ${number} is no type number`)
    if (other !== undefined) throw new RangeError(`${other} and ${tag} have the same type number, ${number}`)
    tags.set(number, tag)
  }
  return fromCoder<"records", Record, S & Tagged<keyof N>>({
    format: `records of ${codec.format}`,
    below: Records,
    size: ({ value }) => value.length,
    coder: <T>(schema: S & Tagged<keyof N> & Carried<T>) => {
      const byTag = new Map<string, { readonly type: number; readonly coder: Coder<any> }>()
      for (const [tag, member] of membersOf(schema)) {
        if (!Object.hasOwn(numbers, tag)) throw new RangeError(`the tag ${JSON.stringify(tag)} has no type number`)
        byTag.set(tag, { type: numbers[tag], coder: codec.coder(member as S & Carried) })
      }
      const byType = new Map(Array.from(byTag.values(), ({ coder, type }) => [type, coder]))
      return {
        decode: ({ type, value }): T => {
          const coder = byType.get(type)
          if (coder === undefined) throw new Undecodable({ detail: `nothing has the type number ${type}` })
          return coder.decode(value)
        },
        encode: (value: T) => {
          const member = byTag.get(tagIn(value))
          if (member === undefined) throw new Unencodable({ detail: "the value has no tag with a type number" })
          return { type: member.type, value: bytesOf(member.coder.encode(value)) }
        }
      }
    }
  }, codec)
}

const received = "~@wirestack/protocol/Codec/received"

/** A Schema whose values arrive with the messages that are none. */
export interface OrUndecodable<S extends Carried> extends Schema.Codec<S["Type"], S["Encoded"]> {
  readonly [received]: S["Type"] | Undecodable
}

/** What a Schema's messages arrive as. */
export type Received<S extends Carried> = S extends { readonly [received]: infer R } ? R : S["Type"]

/**
 * A message that is no value of this Schema is handed out as an `Undecodable`, in its place, instead of failing the connection. It is
 * said in the definition of a protocol, and who receives has to deal with both. What is sent is still what the Schema says. Nothing
 * of this is left in a Schema that is made of the returned one, as a part or with checks of its own.
 *
 *     class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Codec.orUndecodable(Said), server: Heard }) {}
 */
export const orUndecodable = <S extends Schema.Codec<unknown, unknown>>(schema: S): OrUndecodable<S> =>
  Object.assign(Schema.make<any>(schema.ast), { [received]: true })

/** Whether messages that are no value of a Schema are handed out. */
export const handsOut = (schema: Carried): boolean => received in schema

const textOf = (message: Message): string => typeof message === "string" ? message : utf8.decode(message)

/** Its own copy, of a text. */
const bytesOf = (message: Message): Uint8Array => typeof message === "string" ? utf8.encode(message).slice() : message

/** The tag of what may be anything. */
const tagIn = (value: unknown): string => {
  try {
    return (value as { readonly _tag: string })._tag
  } catch (thrown) {
    throw new Unencodable(explain(thrown))
  }
}

const inexpressible = (format: Format): string => `${format.format} can't express the value`

/** How much a refusal says in words, in characters; all of it is in its `cause`. */
const maxDetail = 1_000

/** A Schema's refusal as data: the issue, and in words where it is and what was expected. */
const explain = (thrown: unknown): { readonly detail: string; readonly cause: unknown } => {
  // What a Schema's own functions throw comes as the cause of an error of the parser.
  const defect = thrown instanceof Error && Cause.isCause(thrown.cause) ? Cause.squash(thrown.cause) : thrown
  const [words, cause] = Schema.isSchemaError(defect) ? [defect.message, defect.issue] : [String(defect), defect]
  return { detail: words.length > maxDetail ? `${words.slice(0, maxDetail)}...` : words, cause }
}
