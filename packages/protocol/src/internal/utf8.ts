/** Text as UTF-8 and back, for machines: strict both ways, and without an allocation for short texts. */
import { Unencodable } from "../ConnectionError.ts"
import type { Message } from "../Transport.ts"

declare const TextDecoder: {
  new(label: string, options: { fatal: boolean; ignoreBOM: boolean }): { decode(bytes: Uint8Array): string }
}
declare const TextEncoder: {
  new(): {
    encode(text: string): Uint8Array
    encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number }
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Up to this many bytes (of a text: UTF-16 units), a payload is copied next to its header; beyond, it goes by itself. */
export const copied = 4_096

/** Why a text can't be sent. */
export const loneSurrogate = "the text has a lone surrogate, which UTF-8 can't carry"

const scratch = new Uint8Array(copied * 3)

/** Text as bytes. Those of a short text are valid until the next call: they are to be copied at once. */
export const encode = (text: string): Uint8Array => {
  if (!(text as unknown as { isWellFormed(): boolean }).isWellFormed()) {
    throw new Unencodable({ detail: loneSurrogate })
  }
  return text.length > copied ? encoder.encode(text) : scratch.subarray(0, encoder.encodeInto(text, scratch).written)
}

/** A message's bytes; those of a short text as `encode` has them. */
export const bytesOf = (message: Message): Uint8Array => typeof message === "string" ? encode(message) : message

/** Bytes as text, with a byte order mark like any other character; throws if they aren't UTF-8. */
export const decode = (bytes: Uint8Array): string => decoder.decode(bytes)
