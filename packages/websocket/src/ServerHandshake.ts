/**
 * The server's half of the opening handshake: a request is read, judged, and accepted or refused.
 *
 * `read` collects the request; `accept` judges it and gives the bytes of the 101 answer, behind which the connection is a
 * WebSocket. What is wrong gives a `Refused`: a complete HTTP answer to send before the connection is closed, and the
 * reason as data. A server's own rules (authentication, routing, rate) stand between the two and use `refuse`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2
 */
import { type ConnectReason, NothingNegotiated } from "@wirestack/protocol/ConnectError"
import * as Result from "effect/Result"
import { acceptFor, areProtocols, invalidHeader, isKey, version } from "./Handshake.ts"
import { UpgradeMalformed } from "./HandshakeReason.ts"
import { hasToken, type Headers, list, values } from "./Headers.ts"
import * as HttpHead from "./HttpHead.ts"
import * as Utf8 from "./Utf8.ts"

export interface Options {
  /** The only path to accept; any by default. */
  readonly path?: string
  /** The subprotocols the server speaks. The first of them in the order of the client's offer is chosen. */
  readonly protocols?: ReadonlyArray<string>
  /** Refuses a client that offers none of the `protocols`. */
  readonly requireProtocol?: boolean
  /** Judges the `Origin` a browser sends, on whose behalf it connects; every one is let in by default. */
  readonly allowsOrigin?: (origin: string) => boolean
  /** Further headers of the answer. */
  readonly headers?: Headers
}

export interface Accepted {
  /** The bytes to send. */
  readonly response: Uint8Array
  readonly path: string
  /** The query without its question mark; empty if there is none. */
  readonly query: string
  /** The subprotocol that was chosen, if one was. */
  readonly protocol: string | undefined
}

export interface Refused {
  readonly status: number
  /** The bytes to send before the connection is closed. */
  readonly response: Uint8Array
  readonly reason: ConnectReason
}

const phrases: { readonly [status: number]: string } = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported"
}

const refusal = (status: number, reason: ConnectReason, headers: Headers = []): Refused => {
  const body = Utf8.encode(`${reason.message}\n`)
  const head = HttpHead.encode(`HTTP/1.1 ${status} ${phrases[status] ?? ""}`, [
    ...headers,
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Length", String(body.length)],
    ["Connection", "close"]
  ])
  const response = new Uint8Array(head.length + body.length)
  response.set(head)
  response.set(body, head.length)
  return { status, response, reason }
}

/**
 * A refusal with this status; its body says the reason. Headers that can't be sent make it a 500.
 *
 * @category constructors
 */
export const refuse = (status: number, reason: ConnectReason, headers: Headers = []): Refused => {
  const invalid = invalidHeader(headers)
  return invalid === undefined ? refusal(status, reason, headers) : refusal(500, invalid)
}

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
      : Result.mapError(received, (reason) => refuse(reason._tag === "TooLarge" ? 431 : 400, reason))
  }
}

const fail = (status: number, rule: string, section: string, headers?: Headers): Result.Result<never, Refused> =>
  Result.fail(refusal(status, new UpgradeMalformed({ rule, section: `RFC ${section}` }), headers))

const upgradeHeaders: Headers = [["Upgrade", "websocket"], ["Connection", "Upgrade"]]

const versionHeaders: Headers = [...upgradeHeaders, ["Sec-WebSocket-Version", version]]

const target = /^(?:[a-z][-+.a-z0-9]*:\/\/[^/?#]*|(?=\/))(\/[^?#]*)?(?:\?([^#]*))?$/i

/**
 * Judges a request: accepted with the answer to send, or refused with another.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
 */
export const accept = (request: HttpHead.Request, options: Options = {}): Result.Result<Accepted, Refused> => {
  const { headers, method, version: http } = request
  if (http.major !== 1 || http.minor === 0) return fail(505, "the upgrade is made with HTTP/1.1", "6455 section 4.2.1")
  if (method !== "GET") return fail(405, "the method is GET", "6455 section 4.2.1", [["Allow", "GET"]])
  const host = values(headers, "host")
  if (host.length !== 1 || host[0] === "") return fail(400, "a request has one Host", "9112 section 3.2")
  const match = target.exec(request.target)
  if (match === null) return fail(400, "the target is a path or an absolute URI", "6455 section 4.2.1")
  const [, path = "/", query = ""] = match
  if (options.path !== undefined && path !== options.path) {
    return fail(404, `there is no WebSocket at ${path}`, "6455 section 4.2.2")
  }
  if (!hasToken(headers, "upgrade", "websocket")) {
    return fail(426, "the request has Upgrade: websocket", "6455 section 4.2.1", upgradeHeaders)
  }
  if (!hasToken(headers, "connection", "upgrade")) {
    return fail(400, "the request has Connection: Upgrade", "6455 section 4.2.1")
  }
  if (
    values(headers, "transfer-encoding").length > 0 || values(headers, "content-length").some((size) => size !== "0")
  ) {
    return fail(400, "the request has no body", "6455 section 4.2.1")
  }
  const versions = values(headers, "sec-websocket-version")
  if (versions.length !== 1 || versions[0] !== version) {
    return fail(426, `the version is ${version}`, "6455 section 4.4", versionHeaders)
  }
  const keys = values(headers, "sec-websocket-key")
  if (keys.length !== 1 || !isKey(keys[0])) {
    return fail(400, "the request has one key of 16 bytes", "6455 section 4.2.1")
  }
  const origins = values(headers, "origin")
  if (origins.length > 1) return fail(400, "a request has at most one Origin", "6454 section 7.3")
  if (origins.length === 1 && options.allowsOrigin?.(origins[0]) === false) {
    return fail(403, "this origin is not allowed", "6455 section 10.2")
  }

  const { protocols = [] } = options
  const offered = list(headers, "sec-websocket-protocol")
  if (values(headers, "sec-websocket-protocol").length > 0 && (offered.length === 0 || !areProtocols(offered))) {
    return fail(400, "the offered subprotocols are tokens, each of them once", "6455 section 4.1")
  }
  const protocol = offered.find((name) => protocols.includes(name))
  if (protocol === undefined && options.requireProtocol === true) {
    return Result.fail(refusal(400, new NothingNegotiated({ offered })))
  }
  const invalid = invalidHeader(options.headers ?? [])
  if (invalid !== undefined) return Result.fail(refusal(500, invalid))
  const response = HttpHead.encode("HTTP/1.1 101 Switching Protocols", [
    ...upgradeHeaders,
    ["Sec-WebSocket-Accept", acceptFor(keys[0])],
    ...protocol === undefined ? [] : [["Sec-WebSocket-Protocol", protocol] as const],
    ...options.headers ?? []
  ])
  return Result.succeed({ response, path, query, protocol })
}
