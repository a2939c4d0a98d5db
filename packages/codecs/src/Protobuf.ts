/**
 * Protocol Buffers, one message of the generated code of `@bufbuild/protobuf` a message, in bytes.
 *
 *     class Chat extends Subprotocol.Service<Chat>()("chat.v1", {
 *       client: Protobuf.message(FromClientSchema),
 *       server: Protobuf.message(FromServerSchema)
 *     }) {}
 *     Chat.over(Protobuf.codec())
 *
 * The Schema of a message is made of its description, and the codec finds the description in the Schema. So it may be transformed into
 * what suits a program better, as any Schema; what does not encode to a message in the end does not compile.
 *
 * The contract, beside that of every codec:
 *
 * - The bytes of a message don't tell which message it is. A protocol of several has a `oneof`, or records: `tagged` gives each a `_tag`,
 *   to which `Codec.records` gives a type number.
 * - Messages nested deeper than 100 are refused, both ways. Memory is taken for what has arrived.
 * - Unknown fields are kept, and sent again with the message. They are bounded by the message.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */

import { type DescMessage, fromBinary, isMessage, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf"
import type { GenMessage } from "@bufbuild/protobuf/codegenv2"
import * as Transport from "@wirestack/protocol/Transport"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { bytesOf } from "./internal/bytesOf.ts"

const description = "~@wirestack/codecs/Protobuf/description"

/**
 * The Schema of a message, by the description that is generated for it.
 *
 * @category schemas
 */
export const message = <M extends Message>(of: GenMessage<M>): Schema.Codec<M> => {
  const desc = of as DescMessage
  return Schema.declare((value): value is M => isMessage(value, desc), {
    identifier: desc.typeName,
    expected: desc.typeName,
    [description]: desc
  })
}

/** A message with a tag of its own. */
export interface Tagged<Tag extends string, M extends Message> {
  readonly _tag: Tag
  readonly message: M
}

/**
 * The Schema of a message as one of several, told apart by its tag, for `Codec.records`. The tag itself is not sent.
 *
 * @category schemas
 */
export const tagged = <const Tag extends string, M extends Message>(
  tag: Tag,
  of: GenMessage<M>
): Schema.Codec<Tagged<Tag, M>, M> => {
  const inner = message(of)
  const outer: Schema.Codec<Tagged<Tag, M>> = Schema.Struct({ _tag: Schema.Literal(tag), message: inner })
  return inner.pipe(Schema.decodeTo(
    outer,
    SchemaTransformation.transform({
      decode: (message: M) => ({ _tag: tag, message }),
      encode: ({ message }: Tagged<Tag, M>) => message
    })
  ))
}

/**
 * The codec.
 *
 * @category constructors
 */
export const codec = (
  options?: Codec.Options
): Codec.Codec<"messages", Transport.Message, Codec.Carried<unknown, Message>> =>
  Codec.fromCoder({
    format: "protobuf",
    below: Transport.Messages,
    size: (message) => message.length,
    coder: (schema) => {
      const desc = descriptionOf(schema)
      return Codec.coder(schema, {
        format: "protobuf",
        utf8: true,
        parse: (message) => fromBinary(desc, bytesOf(message)),
        print: (value) => toBinary(desc, value as MessageShape<DescMessage>)
      }, options)
    }
  }, options)

const descriptionOf = ({ ast }: Codec.Carried): DescMessage => {
  const found = SchemaAST.resolveAt<DescMessage>(description)(SchemaAST.toEncoded(ast))
  if (found === undefined) throw new TypeError("protobuf carries one message: use Protobuf.message, or Codec.records")
  return found
}
