/**
 * What both halves of the opening handshake have in common: key and proof, hosts, and the names of subprotocols.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4
 */
import { type Headers, isToken } from "@wirestack/http/Headers"
import { type InvalidHeader, invalidHeader as check } from "@wirestack/http/InvalidHeader"
import * as Base64 from "effect/encoding/Base64"
import { crypto } from "../internal/platform.ts"
import { sha1Base64 } from "../internal/sha1.ts"

/** The version of the protocol that RFC 6455 defines. */
export const version = "13"

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/** A value for `Sec-WebSocket-Key`: 16 random bytes. */
export const freshKey = (): string => Base64.encode(crypto.getRandomValues(new Uint8Array(16)))

const key = /^[A-Za-z0-9+/]{22}==$/

/** Whether the text is 16 bytes in Base64. */
export const isKey = (text: string): boolean => key.test(text)

/**
 * The value of `Sec-WebSocket-Accept` by which the server proves that it has understood a key.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
 */
export const acceptFor = (key: string): string => sha1Base64(key + guid)

const host = /^(?:\[[0-9A-Fa-f:.]+\]|[-!$%&'()*+,;=.~\w]+)(?::\d*)?$/

/**
 * Whether the text can be the value of `Host`: a host, and perhaps a port behind a colon.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.2
 */
export const isHost = (text: string): boolean => host.test(text)

/** Whether these can be offered as subprotocols: tokens, each of them once. */
export const areProtocols = (names: ReadonlyArray<string>): boolean =>
  names.every(isToken) && new Set(names).size === names.length

const reserved = new Set([
  "host",
  "upgrade",
  "connection",
  "content-length",
  "transfer-encoding",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
  "sec-websocket-accept"
])

/** What is wrong with headers that somebody wants to add to a handshake, if something is. */
export const invalidHeader = (headers: Headers): InvalidHeader | undefined => check(headers, reserved)
