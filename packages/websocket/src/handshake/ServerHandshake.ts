/**
 * The server's half of the opening handshake, in steps between which a server's own rules stand.
 *
 *     read      bytes   -> request          bounded, as strict as HTTP/1.1
 *     judge     request -> Upgrade          the rules of the RFC, and no others
 *     admit     the policy for origins      OriginRefused
 *               a server's own rules        authentication, routing, rate: a Refusal
 *     choose    the subprotocol             NothingNegotiated
 *     accept    Upgrade -> bytes            the answer 101, behind which the connection is a WebSocket
 *
 * Each step succeeds, or gives a `Refused`: a complete HTTP answer to send before the connection is closed, and the
 * reason as data, for the server. A decision of the server that can't be sent, such as a subprotocol that was not offered,
 * is answered with 500, and the client is not told what is wrong.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2
 */
import { elements, type Headers, isSendable, lists, trim } from "@wirestack/http/Headers"
import * as HttpHead from "@wirestack/http/HttpHead"
import { InvalidHeader } from "@wirestack/http/InvalidHeader"
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import { type ConnectReason, NothingNegotiated } from "@wirestack/protocol/ConnectError"
import * as Result from "effect/Result"
import { acceptFor, areProtocols, invalidHeader, isHost, isKey, version } from "./Handshake.ts"
import { fromHttp, InvalidStatus, UpgradeMalformed, UpgradeRefused } from "./HandshakeReason.ts"
import * as Origin from "./Origin.ts"
import type { Refusal } from "./Refusal.ts"

/** A request for an upgrade that keeps the rules. All of it is what the client says. */
export interface Upgrade {
  /** As it was sent: percent-encoded. */
  readonly path: string
  /** The query without its question mark; empty if there is none. */
  readonly query: string
  /** The host that was asked for, and its port if the client named one. */
  readonly host: string
  /** The site on whose behalf a browser connects; undefined for most others. */
  readonly origin: string | undefined
  /** All headers; names are in lower case. */
  readonly headers: Headers
  /** The subprotocols that were offered, most wanted first. */
  readonly protocols: ReadonlyArray<string>
  /** The values of `Sec-WebSocket-Extensions`, for somebody else to parse. */
  readonly extensions: ReadonlyArray<string>
  /** The value of `Sec-WebSocket-Key`. */
  readonly key: string
}

/** What a server chose of what a client offered. */
export interface Decision {
  /** One of the subprotocols that were offered. */
  readonly protocol?: string | undefined
  /** The value of `Sec-WebSocket-Extensions`: some of those that were offered, with their parameters. */
  readonly extensions?: string | undefined
  /** Further headers of the answer. */
  readonly headers?: Headers | undefined
}

export interface Refused {
  readonly status: number
  /** The headers of the answer. */
  readonly headers: Headers
  /** What it says below them; empty if the answer has no body. */
  readonly body: Uint8Array
  /** The bytes to send before the connection is closed. */
  readonly response: Uint8Array
  readonly reason: ConnectReason
}

const phrases: { readonly [status: number]: string } = {
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  414: "URI Too Long",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  507: "Insufficient Storage",
  511: "Network Authentication Required"
}

const upgradeHeaders: Headers = [["Upgrade", "websocket"], ["Connection", "Upgrade"]]

/** What an answer with this status has to say, whoever gives it. */
const mandatory: { readonly [status: number]: Headers } = {
  405: [["Allow", "GET"]],
  426: [...upgradeHeaders, ["Sec-WebSocket-Version", version]]
}

const has = (headers: Headers, name: string): boolean => headers.some(([other]) => other.toLowerCase() === name)

type Body = string | Uint8Array

const nothing = new Uint8Array(0)

const phrase = (status: number): string => `${phrases[status] ?? `Status ${status}`}\n`

/** `toHead` if it answers the method HEAD: everything but the body. */
const refusal = (
  status: number,
  reason: ConnectReason,
  headers: Headers = [],
  body: Body = `${reason.message}\n`,
  toHead = false
): Refused => {
  const bytes = typeof body === "string" ? Utf8.encode(body) : body
  const described = bytes.length === 0 || has(headers, "content-type")
  const type = typeof body === "string" ? "text/plain; charset=utf-8" : "application/octet-stream"
  const bodiless = status === 304
  const all: Headers = [
    ...(mandatory[status] ?? []).filter(([name]) => !has(headers, name.toLowerCase())),
    ...headers,
    ...described || bodiless ? [] : [["Content-Type", type] as const],
    ...bodiless ? [] : [["Content-Length", String(bytes.length)] as const],
    ["Connection", "close"]
  ]
  const head = HttpHead.encode(`HTTP/1.1 ${status} ${phrases[status] ?? ""}`, all)
  const sent = bodiless || toHead ? nothing : bytes
  const response = new Uint8Array(head.length + sent.length)
  response.set(head)
  response.set(sent, head.length)
  return { status, headers: all, body: sent, response, reason }
}

const unsendable = (reason: InvalidHeader | InvalidStatus): Refused => refusal(500, reason, [], phrase(500))

/**
 * A refusal with this status, from 300 to 599, and body; by default the body says the reason. `Content-Type` may be
 * among the headers. What a status makes mandatory (`Allow`, `Upgrade`) is added. What can't be sent makes it a 500.
 *
 * @category constructors
 */
export const refuse = (status: number, reason: ConnectReason, headers: Headers = [], body?: Body): Refused => {
  if (!Number.isInteger(status) || status < 300 || status > 599) return unsendable(new InvalidStatus({ status }))
  const invalid = invalidHeader(headers)
  return invalid === undefined ? refusal(status, reason, headers, body) : unsendable(invalid)
}

/**
 * A server's own no to an upgrade, as an answer to send.
 *
 * @category constructors
 */
export const decline = ({ origin, path }: Upgrade, { body, headers, status }: Refusal): Refused =>
  refuse(status, new UpgradeRefused({ status, path, origin }), headers, body ?? phrase(status))

/** The answer to a request for what is not there. */
export const missing = ({ path }: Upgrade): Refused =>
  refuse(404, new UpgradeMalformed({ rule: `there is no WebSocket at ${path}`, section: "RFC 6455 section 4.2.2" }))

/** Reads a request; undefined if more bytes are needed. */
export type Reader = (
  chunk: Uint8Array
) => Result.Result<HttpHead.Received<HttpHead.Request>, Refused> | undefined

/**
 * A reader for one request.
 *
 * @category constructors
 */
export const read = (limits?: HttpHead.Limits): Reader => {
  const reader = HttpHead.requestReader(limits)
  return (chunk) => {
    const received = reader.receive(chunk)
    return received === undefined
      ? undefined
      : Result.mapError(received, (reason) => refusal(reason._tag === "TooLarge" ? 431 : 400, fromHttp(reason)))
  }
}

const target = /^(?:https?:\/\/([^/?#]*)|(?=\/))(\/[^?#]*)?(?:\?([^#]*))?$/i

const none: ReadonlyArray<string> = []

/** The only one of some values, if there is just one. */
const the = (values: ReadonlyArray<string>): string | undefined => values.length === 1 ? values[0] : undefined

/** What the headers of a request say of an upgrade: values as they came, and whether a list has what it has to. */
interface Sayings {
  host: ReadonlyArray<string>
  upgrades: boolean
  connects: boolean
  body: boolean
  version: ReadonlyArray<string>
  key: ReadonlyArray<string>
  origin: ReadonlyArray<string>
  protocols: ReadonlyArray<string>
  extensions: ReadonlyArray<string>
}

const and = (values: ReadonlyArray<string>, value: string): ReadonlyArray<string> =>
  values === none ? [value] : [...values, value]

/** Goes through the headers once. */
const sayings = (headers: Headers): Sayings => {
  const said: Sayings = {
    host: none,
    upgrades: false,
    connects: false,
    body: false,
    version: none,
    key: none,
    origin: none,
    protocols: none,
    extensions: none
  }
  for (const [name, value] of headers) {
    switch (name) {
      case "host":
        said.host = and(said.host, value)
        break
      case "upgrade":
        said.upgrades ||= lists(value, "websocket")
        break
      case "connection":
        said.connects ||= lists(value, "upgrade")
        break
      case "transfer-encoding":
        said.body = true
        break
      case "content-length":
        said.body ||= value !== "0"
        break
      case "sec-websocket-version":
        said.version = and(said.version, value)
        break
      case "sec-websocket-key":
        said.key = and(said.key, value)
        break
      case "origin":
        said.origin = and(said.origin, value)
        break
      case "sec-websocket-protocol":
        said.protocols = and(said.protocols, value)
        break
      case "sec-websocket-extensions":
        said.extensions = and(said.extensions, value)
    }
  }
  return said
}

/**
 * Judges a request by the rules of the RFC.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
 */
export const judge = (request: HttpHead.Request): Result.Result<Upgrade, Refused> => {
  const { headers, method, version: http } = request
  const fail = (status: number, rule: string, section: string): Result.Result<never, Refused> => {
    const reason = new UpgradeMalformed({ rule, section: `RFC ${section}` })
    return Result.fail(refusal(status, reason, [], undefined, method === "HEAD"))
  }
  if (http.major !== 1 || http.minor === 0) return fail(505, "the upgrade is made with HTTP/1.1", "6455 section 4.2.1")
  if (method !== "GET") return fail(405, "the method is GET", "6455 section 4.2.1")
  const said = sayings(headers)
  const named = the(said.host)
  if (named === undefined || !isHost(named)) return fail(400, "a request has one Host", "9112 section 3.2")
  const match = target.exec(request.target)
  if (match === null) return fail(400, "the target is a path or an absolute URI", "6455 section 4.2.1")
  const [, host = named, path = "/", query = ""] = match
  if (host !== named && !isHost(host)) return fail(400, "an absolute URI has a host, and no user", "9110 section 4.2")
  if (!said.upgrades) return fail(426, "the request has Upgrade: websocket", "6455 section 4.2.1")
  if (!said.connects) return fail(400, "the request has Connection: Upgrade", "6455 section 4.2.1")
  if (said.body) return fail(400, "the request has no body", "6455 section 4.2.1")
  if (the(said.version) !== version) return fail(426, `the version is ${version}`, "6455 section 4.4")
  const key = the(said.key)
  if (key === undefined || !isKey(key)) return fail(400, "the request has one key of 16 bytes", "6455 section 4.2.1")
  if (said.origin.length > 1) return fail(400, "a request has at most one Origin", "6454 section 7.3")
  const protocols = said.protocols.length === 0 ? none : elements(said.protocols)
  if (said.protocols.length > 0 && (protocols.length === 0 || !areProtocols(protocols))) {
    return fail(400, "the offered subprotocols are tokens, each of them once", "6455 section 4.1")
  }
  return Result.succeed({
    path,
    query,
    host,
    origin: said.origin[0],
    headers,
    protocols,
    extensions: said.extensions,
    key
  })
}

/**
 * Lets an upgrade in whose origin the policy admits; another one is refused with 403, without the policy's words.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-10.2
 */
export const admit = (upgrade: Upgrade, policy: Origin.Policy): Result.Result<void, Refused> =>
  Result.mapError(
    Origin.judge(policy, upgrade.origin),
    (reason) => refusal(403, reason, [], "this origin is not allowed\n")
  )

/**
 * Chooses the first subprotocol in the client's order that the server speaks. Without one there is none, or a 400 if one
 * is `required`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
 */
export const choose = (
  upgrade: Upgrade,
  protocols: ReadonlyArray<string>,
  required = false
): Result.Result<string | undefined, Refused> => {
  const offered = upgrade.protocols
  const protocol = offered.find((name) => protocols.includes(name))
  return protocol === undefined && required
    ? Result.fail(refusal(400, new NothingNegotiated({ offered })))
    : Result.succeed(protocol)
}

/** The names of extensions. A comma in a quoted value is none of a token, so it makes names that nobody offered. */
const names = (extensions: ReadonlyArray<string>): ReadonlyArray<string> =>
  extensions.flatMap((value) => value.split(",")).map((element) => trim(element.split(";", 1)[0]))

const invalidDecision = (upgrade: Upgrade, decision: Decision): InvalidHeader | undefined => {
  const { extensions, headers = [], protocol } = decision
  if (protocol !== undefined && !upgrade.protocols.includes(protocol)) {
    return new InvalidHeader({ name: "Sec-WebSocket-Protocol", detail: `${protocol} was not offered` })
  }
  if (extensions !== undefined) {
    const offered = names(upgrade.extensions)
    const strange = names([extensions]).find((name) => name === "" || !offered.includes(name))
    const detail = strange !== undefined ?
      `${JSON.stringify(strange)} was not offered`
      : isSendable(extensions) ?
      undefined
      : "the value has other than printable characters"
    if (detail !== undefined) return new InvalidHeader({ name: "Sec-WebSocket-Extensions", detail })
  }
  return invalidHeader(headers)
}

const accepted =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "

/**
 * The bytes by which an upgrade is accepted.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
 */
export const accept = (upgrade: Upgrade, decision: Decision = {}): Result.Result<Uint8Array, Refused> => {
  const invalid = invalidDecision(upgrade, decision)
  if (invalid !== undefined) return Result.fail(unsendable(invalid))
  const { extensions, headers = [], protocol } = decision
  let text = `${accepted}${acceptFor(upgrade.key)}\r\n`
  if (protocol !== undefined) text += HttpHead.line("Sec-WebSocket-Protocol", protocol)
  if (extensions !== undefined) text += HttpHead.line("Sec-WebSocket-Extensions", extensions)
  for (const [name, value] of headers) text += HttpHead.line(name, value)
  return Result.succeed(Utf8.encode(`${text}\r\n`))
}
