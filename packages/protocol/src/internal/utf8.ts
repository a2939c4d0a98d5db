/** Text as UTF-8 and back, for machines: strict both ways, and without an allocation for short texts. */
import * as Utf8 from "../bytes/Utf8.ts"
import { Unencodable } from "../ConnectionError.ts"
import type { Message } from "../Transport.ts"
import { isWellFormed } from "./isWellFormed.ts"

/** Up to this many bytes (of a text: UTF-16 units), a payload is copied next to its header; beyond, it goes by itself. */
export const copied = 4_096

const scratch = Utf8.scratch.buffer

/** Why a text can't be sent. */
export const loneSurrogate = "the text has a lone surrogate, which UTF-8 can't carry"

/** Text as bytes. Those of a short text are valid until the next call: they are to be copied at once. */
export const encode = (text: string): Uint8Array => {
  if (!isWellFormed(text)) {
    throw new Unencodable({ detail: loneSurrogate })
  }
  return text.length > copied ? Utf8.encode(text) : new Uint8Array(scratch, 0, Utf8.encodeScratch(text))
}

/** A message's bytes; those of a short text as `encode` has them. */
export const bytesOf = (message: Message): Uint8Array => typeof message === "string" ? encode(message) : message

/** Bytes as text, with a byte order mark like any other character; throws if they aren't UTF-8. */
export const decode = (bytes: Uint8Array): string => {
  const text = Utf8.decode(bytes, 0, bytes.length)
  if (text === undefined) throw new TypeError("these bytes are not UTF-8")
  return text
}
