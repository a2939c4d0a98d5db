/**
 * What a tap does not show: secrets, masked in place where that can be, so that sizes and offsets stay what they were.
 *
 *     Redact.fields("password", "token")            // in JSON, and in values
 *     Redact.headers("x-api-key")                   // in the heads of HTTP
 *     Redact.all(Redact.fields("pin"), own)
 *
 * A redaction is asked for a mask for each way of a connection, which is then given all that passes that way, in order. It never changes
 * what it is given: what is masked is a copy.
 */

import { withoutSecret } from "../internal/resume/Frame.ts"
import { HeadMask } from "../internal/tap/HeadMask.ts"
import { type Replace, replaced } from "../internal/tap/replaced.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Record } from "../Transport.ts"
import type { Subject, Way } from "./Tap.ts"

/** What is shown instead of a message. */
export type Mask = (message: unknown) => unknown

/** The mask for one way of a connection; undefined if nothing is masked there. */
export type Redact = (subject: Subject, way: Way) => Mask | undefined

/** The headers that carry credentials (RFC 9110 sections 11.6.2 and 11.7.2, RFC 6265). */
const credentials = ["authorization", "proxy-authorization", "cookie", "set-cookie"]

/**
 * Masks the values of headers in the heads of HTTP at the beginning of a stream of bytes, however it is cut: of the request or response, and of
 * those that follow without a body, as after a CONNECT. Case does not matter in names.
 */
export const headers = (...names: ReadonlyArray<string>): Redact => {
  const masked = new Set(names.map((name) => name.toLowerCase()))
  return ({ kind }) => {
    if (kind !== "bytes") return undefined
    const mask = new HeadMask(masked)
    return (bytes) => mask.of(bytes as Uint8Array)
  }
}

/** Masks the secret in the first frame of `Resume`, where a tap is on its messages. */
const tickets: Redact = ({ kind }) => {
  if (kind !== "messages") return undefined
  let first = true
  return (message) => {
    const frame = first ? withoutSecret(message as string | Uint8Array) : message
    first = false
    return frame
  }
}

/** One redaction after the other. */
export const all = (...redacts: ReadonlyArray<Redact>): Redact => (subject, way) => {
  const masks = redacts.flatMap((redact): ReadonlyArray<Mask> | Mask => redact(subject, way) ?? [])
  return masks.length === 0 ? undefined : (message) => masks.reduce((shown, mask) => mask(shown), message)
}

/** What a tap masks by itself: the credentials in the heads of HTTP, and the secrets of `Resume`. */
export const secrets: Redact = all(headers(...credentials), tickets)

const hidden = "<redacted>"

/**
 * Masks the fields of these names, wherever they are: in values, and in messages and records that are one document of JSON, as text or bytes.
 * What can't be read as JSON is shown as it is, so a chunk of a stream is: tap above the framer. What can't be looked through, as it is
 * nested too deeply, is hidden whole.
 */
export const fields = (...names: ReadonlyArray<string>): Redact => {
  const masked = new Set<string | undefined>(names)
  const hide: Replace = (_, name) => masked.has(name) ? hidden : undefined
  const shown: Mask = (message) => {
    if (typeof message === "string") return inText(message, hide)
    return message instanceof Uint8Array ? inBytes(message, hide) : inValue(message, hide)
  }
  return ({ kind }) => kind === "records" ? (record) => inRecord(record as Record, shown) : shown
}

const inValue = (value: unknown, hide: Replace): unknown => {
  try {
    return replaced(value, hide)
  } catch {
    return hidden
  }
}

const inText = (text: string, hide: Replace): string => {
  try {
    const value: unknown = JSON.parse(text)
    const shown = replaced(value, hide)
    return shown === value ? text : JSON.stringify(shown)
  } catch (thrown) {
    return thrown instanceof SyntaxError ? text : hidden
  }
}

const inBytes = (bytes: Uint8Array, hide: Replace): Uint8Array => {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return bytes
  }
  const shown = inText(text, hide)
  return shown === text ? bytes : utf8.encode(shown).slice()
}

const inRecord = (record: Record, shown: Mask): Record => {
  const value = shown(record.value) as Uint8Array
  return value === record.value ? record : { ...record, value }
}
