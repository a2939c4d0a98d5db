/**
 * MessagePack, one value a message, in bytes.
 *
 * Values take the canonical JSON form of their Schema, with bytes as they are: dates and bigints travel as strings, `undefined` as nil.
 *
 * The contract, beside that of every codec:
 *
 * - A message is looked through before a value is made of it: what it announces has arrived, to the byte, and nothing is nested deeper
 *   than 100. So a value takes memory in proportion to its message, whatever that claims.
 * - Text is UTF-8; what is not, and what begins with a byte order mark, is refused. So is a map with the key `__proto__`. Neither is sent.
 * - Extensions are no values of any Schema but one's own.
 * - Integers beyond 2^53 lose their last digits, as in JSON.
 * - Bytes in a value lie in the message they came with.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */

import { Decoder, Encoder } from "@msgpack/msgpack"
import type { Message } from "@wirestack/protocol/Transport"
import * as Codec from "@wirestack/protocol/typed/Codec"
import { bytesOf } from "./internal/bytesOf.ts"
import { canonical } from "./internal/canonical.ts"
import { suspicious } from "./internal/suspicious.ts"
import { maxDepth, verifyMessagePack } from "./internal/verifyMessagePack.ts"

/**
 * The codec.
 *
 * @category constructors
 */
export const codec = (options?: Codec.Options): Codec.Codec => {
  const decoder = new Decoder()
  const encoder = new Encoder({ maxDepth })
  const parse = (message: Message): unknown => {
    const bytes = bytesOf(message)
    verifyMessagePack(bytes)
    return decoder.decode(bytes)
  }
  return Codec.make({
    format: "MessagePack",
    utf8: true,
    parse,
    print: (value) => {
      const bytes = encoder.encode(value)
      if (suspicious(bytes)) parse(bytes)
      return bytes
    },
    derive: canonical
  }, options)
}
