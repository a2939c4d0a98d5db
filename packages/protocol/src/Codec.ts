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
 *   connection; what came before is delivered. The reason says where, and has the Schema's issue as its `cause`.
 * - A value its Schema doesn't admit, or that the format can't express, is `Unencodable`: nothing of it is written and
 *   the connection goes on. The reason is the same data.
 * - Schemas are compiled once per stack, not per connection or message. They must decode and encode synchronously and
 *   need no services. Effect interprets them, unless the program imports `effect/schema/SchemaJITCompiler/enable` before all
 *   else: then they become functions, and typed messages cost up to a third less.
 * - Bounds are the framing layer's: a codec sees one whole message at a time and holds none.
 */
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { Undecodable, Unencodable } from "./ConnectionError.ts"
import { Kept } from "./internal/Kept.ts"
import * as utf8 from "./internal/utf8.ts"
import type { Io, Machine } from "./Machine.ts"
import type { EndOfInput } from "./Outcome.ts"
import { type Message, Messages, type Shape } from "./Transport.ts"

/** A Schema whose values a codec can carry: it needs no services to decode or encode. */
export type Carried<T = unknown> = Schema.ConstraintCodec<T, unknown, never, never>

/** A way to carry values in what a stack of shape `L` carries: in messages by default. */
export interface Codec<in out L = "messages", in out M = Message> {
  /** The name of the format. */
  readonly format: string
  /** What it stands on. */
  readonly below: Shape<L, M, M>
  /** Compiles the Schemas of the two directions; what it returns makes a machine for one connection. */
  readonly machine: <In, Out>(incoming: Carried<In>, outgoing: Carried<Out>) => () => Machine<M, M, In, Out>
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
}

/** How strict the Schemas are. */
export interface Options {
  /** How values are decoded and encoded, such as `{ onExcessProperty: "error" }`. */
  readonly parseOptions?: SchemaAST.ParseOptions
}

/**
 * A codec from a format.
 *
 * @category constructors
 */
export const make = (format: Format, options?: Options): Codec => ({
  format: format.format,
  below: Messages,
  machine: <In, Out>(incoming: Carried<In>, outgoing: Carried<Out>) => {
    const derive = format.derive ?? (<T>(schema: Carried<T>) => schema)
    const compiled: Compiled<In, Out> = {
      format,
      decode: Schema.decodeUnknownSync(derive(incoming), options?.parseOptions),
      encode: Schema.encodeUnknownSync(derive(outgoing), options?.parseOptions)
    }
    return () => new CodecMachine(compiled)
  }
})

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
    parse: (message) => JSON.parse(typeof message === "string" ? message : utf8.decode(message)),
    print: (value) => JSON.stringify(value),
    derive: Schema.toCodecJson
  }, options)

interface Compiled<In, Out> {
  readonly format: Format
  readonly decode: (value: unknown) => In
  readonly encode: (value: Out) => unknown
}

class CodecMachine<In, Out> implements Machine<Message, Message, In, Out> {
  private readonly codec: Compiled<In, Out>
  private readonly kept = new Kept<Message>()

  constructor(codec: Compiled<In, Out>) {
    this.codec = codec
  }

  receive(input: ReadonlyArray<Message>, io: Io<In, Message>): boolean {
    const { decode, format } = this.codec
    const messages = this.kept.and(input)
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i]
      if (!io.room()) return this.kept.keep(messages, i, message)
      let parsed = false
      try {
        const plain = format.parse(message)
        parsed = true
        io.emit(decode(plain), message.length)
      } catch (thrown) {
        io.fail(new Undecodable(parsed ? explain(thrown) : { detail: `not ${format.format}`, cause: thrown }))
        return true
      }
    }
    return true
  }

  encode(value: Out, io: Io<In, Message>): void {
    const { encode, format } = this.codec
    let message: Message
    let encoded = false
    try {
      const plain = encode(value)
      encoded = true
      message = format.print(plain)
    } catch (thrown) {
      throw new Unencodable(encoded ? { detail: inexpressible(format), cause: thrown } : explain(thrown))
    }
    if (typeof message !== "string" && !(message instanceof Uint8Array)) {
      throw new Unencodable({ detail: inexpressible(format) })
    }
    io.write(message)
  }

  end(): void {}

  ended(endOfInput: EndOfInput, io: Io<In, Message>): void {
    io.end(endOfInput)
  }
}

const inexpressible = (format: Format): string => `${format.format} can't express the value`

/** A Schema's refusal as data: the issue, and in words where it is and what was expected. */
const explain = (thrown: unknown): { readonly detail: string; readonly cause: unknown } =>
  Schema.isSchemaError(thrown)
    ? { detail: thrown.message, cause: thrown.issue }
    : { detail: String(thrown), cause: thrown }
