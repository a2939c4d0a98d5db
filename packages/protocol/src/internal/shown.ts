/** Messages as people read them: text as it is, other bytes in hex. */

import type { Message } from "../Transport.ts"
import * as utf8 from "./utf8.ts"

/** A message as bytes that are its own. */
export const bytesOf = (message: Message): Uint8Array =>
  typeof message === "string" ? utf8.encode(message).slice() : message

/** The text that bytes are, if they are printable. */
export const textOf = (bytes: Uint8Array): string | undefined => {
  if (bytes.some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)) return undefined
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ")

/** How many bytes are shown before a place, and behind it. */
const [before, behind] = [16, 48]

/** Bytes as text or hex, the part around a place if there are many. */
export const shown = (bytes: Uint8Array, at = 0): string => {
  const start = at > before + behind ? at - before : 0
  const part = bytes.subarray(start, start + before + behind)
  const text = textOf(part)
  return [
    start > 0 ? `(${start} bytes) ` : "",
    text === undefined ? `<${hexOf(part)}>` : JSON.stringify(text),
    start + part.length < bytes.length ? ` (${bytes.length - start - part.length} more bytes)` : ""
  ].join("")
}
