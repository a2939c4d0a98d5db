/**
 * CBOR (RFC 8949), one value a message, in bytes.
 *
 * Values take the canonical JSON form of their Schema, with bytes as they are: dates and bigints travel as strings, `undefined` as null.
 *
 * The contract, beside that of every codec:
 *
 * - Memory is taken for what has arrived, not for what is announced. What is nested deeper than the stack of the program allows, some
 *   thousand levels, is refused.
 * - Text is UTF-8 and comes in one part; what is not is refused, and so is text of indefinite length.
 * - Keys of maps are text, and each comes once. The key `__proto__` is one like any other, and changes no prototype. Tags are refused.
 * - Integers beyond 2^53 are refused.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8949
 */

import * as Codec from "@wirestack/protocol/typed/Codec"
import { decode, encode } from "cborg"
import { bytesOf } from "./internal/bytesOf.ts"
import { canonical } from "./internal/canonical.ts"
import { decodeOptions, StrictTokenizer } from "./internal/StrictTokenizer.ts"

/**
 * The codec.
 *
 * @category constructors
 */
export const codec = (options?: Codec.Options): Codec.Codec =>
  Codec.make({
    format: "CBOR",
    utf8: true,
    parse: (message) => {
      const bytes = bytesOf(message)
      return decode(bytes, { ...decodeOptions, tokenizer: new StrictTokenizer(bytes) })
    },
    print: (value) => encode(value),
    derive: canonical
  }, options)
