/** What is kept of a message: its beginning, as data that can be written down, and how large it was. */

import * as Formatter from "effect/Formatter"
import * as Schema from "effect/Schema"
import { textOf } from "../internal/shown.ts"
import { replaced } from "../internal/tap/replaced.ts"
import type { Record } from "../Transport.ts"
import * as HexDump from "./HexDump.ts"
import type { Kind } from "./Tap.ts"

/** A record, bytes, a text, or a value as JSON, in which what is `Redacted` is not to be seen. */
export const Payload = Schema.Union([
  Schema.Struct({ type: Schema.Natural, bytes: Schema.Uint8ArrayFromBase64 }),
  Schema.Struct({ bytes: Schema.Uint8ArrayFromBase64 }),
  Schema.Struct({ text: Schema.String }),
  Schema.Struct({ json: Schema.String })
])
export type Payload = typeof Payload.Type

/** What is kept of a message. */
export interface Kept {
  readonly payload: Payload
  /** How much it was: bytes, or characters where it is a text or a value. */
  readonly size: number
}

/** The first `keep` bytes or characters of a message, as a copy. */
export const of = (kind: Kind, message: unknown, keep: number): Kept => {
  if (typeof message === "string") return { payload: { text: cut(message, keep) }, size: message.length }
  if (message instanceof Uint8Array) return { payload: { bytes: copy(message, keep) }, size: message.length }
  if (kind === "records") {
    const { type, value } = message as Record
    return { payload: { type, bytes: copy(value, keep) }, size: value.length }
  }
  const json = Formatter.formatJson(replaced(message, withoutBytes))
  return { payload: { json: cut(json, keep) }, size: json.length }
}

/** How much of it there is, in the units of `Kept.size`. */
export const sizeOf = (payload: Payload): number =>
  "bytes" in payload ? payload.bytes.length : "text" in payload ? payload.text.length : payload.json.length

/** The controls of C0 and C1 but for tab and line feed, and what turns the direction of writing. */
// oxlint-disable-next-line no-control-regex
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g

const escape = (character: string): string => {
  const code = character.charCodeAt(0)
  return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, "0")}`
}

/**
 * Text as a terminal may show it: its controls, which could move the cursor or make it type, are spelled out. A CR before a line feed is part
 * of the line's end.
 */
export const printable = (text: string): string => text.replace(/\r\n/g, "\n").replace(controls, escape)

/** A payload for people, and their terminals: text as it is `printable`, other bytes as a dump. */
export const format = (payload: Payload): string => {
  if ("text" in payload) return printable(payload.text)
  if ("json" in payload) return printable(payload.json)
  const { bytes } = payload
  const text = textOf(bytes)
  const type = "type" in payload ? `type ${payload.type}\n` : ""
  return `${type}${text === undefined ? HexDump.format(bytes) : printable(text)}`
}

const withoutBytes = (part: unknown): string | undefined =>
  part instanceof Uint8Array ? `<${part.length} bytes>` : undefined

/** In memory of its own: what is looked at may be part of something large. */
const copy = (bytes: Uint8Array, keep: number): Uint8Array => new Uint8Array(bytes.subarray(0, keep))

const cut = (text: string, keep: number): string => {
  if (text.length <= keep) return text
  const isHigh = (text.charCodeAt(keep - 1) & 0xfc00) === 0xd800
  return text.slice(0, isHigh ? keep - 1 : keep)
}
