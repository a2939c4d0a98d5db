/**
 * The head of an HTTP/1.1 message: start line and headers, read from a byte stream.
 *
 * A head is read as strictly as RFC 9112 allows: lines end in CRLF, no line is folded, and nothing but visible characters,
 * spaces and tabs is in them, so what speaks another protocol is told from HTTP at its first bytes. Only the values of
 * headers, and the phrase behind a status, may have bytes above 127: browsers send cookies with such, and they are
 * opaque (RFC 9110 section 5.5). What comes behind the head is given back. Head and number of headers are bounded.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112
 */

import { Gather } from "@wirestack/protocol/bytes/Gather"
import { encode as encodeText } from "@wirestack/protocol/bytes/Utf8"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import { type Headers, isToken, trim } from "./Headers.ts"
import { decode } from "./internal/utf8.ts"

export interface Request {
  readonly method: string
  readonly target: string
  readonly version: Version
  readonly headers: Headers
}

export interface Response {
  readonly status: number
  readonly version: Version
  readonly headers: Headers
}

/** Headers that are well formed, as the lines they came in. */
export type Fields = string

/** The version of HTTP that was spoken, such as 1.1. */
export interface Version {
  readonly major: number
  readonly minor: number
}

/** A head, and the bytes that came behind it. */
export interface Received<A> {
  readonly head: A
  /** Its headers as they came, which take less memory. */
  readonly fields: Fields
  readonly leftover: Uint8Array
}

export interface Limits {
  /** The size of a head in bytes. */
  readonly maxHeadSize: number
  readonly maxHeaders: number
}

/** The limits of a reader that is not given others. */
export const defaultLimits: Limits = { maxHeadSize: 16_384, maxHeaders: 100 }

/** One header, on its line. */
export const line = (name: string, value: string): string => `${name}: ${value}\r\n`

/**
 * The bytes of a head. All of it is ASCII that was checked before.
 *
 * @category encoding
 */
export const encode = (startLine: string, headers: Headers): Uint8Array => {
  let text = `${startLine}\r\n`
  for (const [name, value] of headers) text += line(name, value)
  return encodeText(`${text}\r\n`)
}

const tab = 0x09
const lineFeed = 0x0a
const carriageReturn = 0x0d
const space = 0x20
const colon = 0x3a
const del = 0x7f

const malformed = (rule: string, section: string): Result.Result<never, Violation> =>
  Result.fail(new Violation({ rule, section: `RFC ${section}` }))

const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP\/(\d)\.(\d)$/

const decodeRequest = (line: string, headers: Headers): Result.Result<Request, Violation> => {
  const match = requestLine.exec(line)
  if (match === null) return malformed("a request begins with a method, a target and a version", "9112 section 3")
  const [, method, target, major, minor] = match
  return Result.succeed({ method, target, version: { major: Number(major), minor: Number(minor) }, headers })
}

const statusLine = /^HTTP\/(\d)\.(\d) (\d{3})(?: |$)/

const decodeResponse = (line: string, headers: Headers): Result.Result<Response, Violation> => {
  const match = statusLine.exec(line)
  if (match === null) return malformed("a response begins with a version and a status", "9112 section 4")
  const [, major, minor, status] = match
  return Result.succeed({ status: Number(status), version: { major: Number(major), minor: Number(minor) }, headers })
}

/** The headers in lines that end in CRLF each; the last line is empty. */
const decodeHeaders = (text: Fields): Result.Result<Headers, Violation> => {
  const headers: Array<readonly [string, string]> = []
  for (let at = 0, end: number; (end = text.indexOf("\r\n", at)) > at; at = end + 2) {
    const first = text.charCodeAt(at)
    if (first === space || first === tab) return malformed("a header is not folded", "9112 section 5.2")
    const colon = text.indexOf(":", at)
    const name = colon < 0 || colon > end ? "" : text.slice(at, colon)
    if (!isToken(name)) return malformed("a header has a name and a colon right after it", "9112 section 5.1")
    headers.push([name.toLowerCase(), trim(text.slice(colon + 1, end))])
  }
  return Result.succeed(headers)
}

/** The headers in fields. */
export const headersOf = (fields: Fields): Headers => Result.getOrElse(decodeHeaders(fields), () => [])

const latin1 = (bytes: Uint8Array, end: number): string => {
  let text = ""
  for (let at = 0; at < end; at++) text += String.fromCharCode(bytes[at])
  return text
}

/** How a kind of head is read. */
interface Kind<A> {
  readonly decode: (startLine: string, headers: Headers) => Result.Result<A, Violation>
  /** Where in the start line bytes above 127 may begin to come. */
  readonly opaqueFrom: number
  /** Where the start line is defined. */
  readonly section: string
}

const request: Kind<Request> = { decode: decodeRequest, opaqueFrom: Infinity, section: "9112 section 3" }

const response: Kind<Response> = {
  decode: decodeResponse,
  opaqueFrom: "HTTP/1.1 101 ".length,
  section: "9112 section 4"
}

/** Reads one head; it is used up by the first result that is not undefined. */
export class HeadReader<A> {
  private readonly kind: Kind<A>
  private readonly limits: Limits
  private readonly bytes = new Gather()
  private lines = 0
  private lineLength = 0
  private afterColon = false
  private afterReturn = false
  private ascii = true

  constructor(kind: Kind<A>, limits: Limits) {
    this.kind = kind
    this.limits = limits
  }

  /** Takes the next bytes; undefined if the head goes on. */
  receive(chunk: Uint8Array): Result.Result<Received<A>, Violation | TooLarge> | undefined {
    const { maxHeadSize, maxHeaders } = this.limits
    const end = Math.min(chunk.length, maxHeadSize - this.bytes.size)
    for (let at = 0; at < end; at++) {
      const byte = chunk[at]
      if (this.afterReturn) {
        if (byte !== lineFeed) return malformed("a carriage return is followed by a line feed", "9112 section 2.2")
        if (this.lineLength === 0) return this.finish(chunk, at + 1)
        // The start line is no header.
        if (this.lines++ > maxHeaders) {
          return Result.fail(new TooLarge({ what: "the number of headers", size: this.lines - 1, limit: maxHeaders }))
        }
        this.afterReturn = false
        this.afterColon = false
        this.lineLength = 0
      } else if (byte === carriageReturn) this.afterReturn = true
      else if ((byte < space && byte !== tab) || byte === del) {
        return malformed("a head has no control characters", "9112 section 2.2")
      } else if (byte > del && !this.isOpaque()) {
        return this.lines === 0
          ? malformed("a start line is ASCII", this.kind.section)
          : malformed("the name of a header is ASCII", "9112 section 5.1")
      } else {
        if (byte === colon) this.afterColon = true
        else if (byte > del) this.ascii = false
        this.lineLength++
      }
    }
    if (end < chunk.length) {
      return Result.fail(
        new TooLarge({ what: "the head of an HTTP message", size: maxHeadSize + 1, limit: maxHeadSize })
      )
    }
    this.bytes.add(chunk, 0, end, maxHeadSize)
    return undefined
  }

  private isOpaque(): boolean {
    return this.lines === 0 ? this.lineLength >= this.kind.opaqueFrom : this.afterColon
  }

  private finish(chunk: Uint8Array, end: number): Result.Result<Received<A>, Violation> {
    const { bytes } = this
    if (bytes.size === 0) return this.decode(chunk, end, chunk.subarray(end))
    bytes.add(chunk, 0, end, this.limits.maxHeadSize)
    return this.decode(bytes.bytes, bytes.size, chunk.subarray(end))
  }

  private decode(bytes: Uint8Array, end: number, leftover: Uint8Array): Result.Result<Received<A>, Violation> {
    const text = this.ascii ? decode(bytes.subarray(0, end)) : latin1(bytes, end)
    const lineEnd = text.indexOf("\r\n")
    const fields = text.slice(lineEnd + 2)
    const headers = decodeHeaders(fields)
    if (Result.isFailure(headers)) return Result.fail(headers.failure)
    const head = this.kind.decode(text.slice(0, lineEnd), headers.success)
    return Result.isFailure(head) ? Result.fail(head.failure) : Result.succeed({ head: head.success, fields, leftover })
  }
}

/**
 * A reader of a request's head.
 *
 * @category constructors
 */
export const requestReader = (limits: Limits = defaultLimits): HeadReader<Request> => new HeadReader(request, limits)

/**
 * A reader of a response's head.
 *
 * @category constructors
 */
export const responseReader = (limits: Limits = defaultLimits): HeadReader<Response> => new HeadReader(response, limits)
