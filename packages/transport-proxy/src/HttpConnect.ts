/**
 * HTTP CONNECT (RFC 9110 section 9.3.6): connections by way of an HTTP/1.1 proxy, as a layer over any byte transport.
 *
 *     client                                              proxy
 *       | -- CONNECT chat.example:443 HTTP/1.1 ------------> |
 *       | <- HTTP/1.1 200 Connection established ----------- |
 *       | <================ bytes, both ways ==============> |
 *
 * The contract:
 *
 * - Names are resolved by the proxy: nothing is looked up here, so nothing is told to anybody else.
 * - Every status of 2xx opens the tunnel, right behind the empty line; what the headers say of a body is ignored. Every other
 *   final status is `ProxyRefused`, with the headers and the beginning of the body.
 * - User name and password go as they are (RFC 7617), so that whoever reads the way to the proxy can read them: put TLS below for
 *   that. They are in no error and no log.
 * - The head of the answer is bounded, and what is sent is checked: neither a name nor a header can become another header.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
 */

import * as Answer from "@wirestack/http/Answer"
import * as Basic from "@wirestack/http/Basic"
import { type Headers, values } from "@wirestack/http/Headers"
import * as HttpHead from "@wirestack/http/HttpHead"
import { type InvalidHeader, invalidHeader } from "@wirestack/http/InvalidHeader"
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import type * as Protocol from "@wirestack/protocol/Protocol"
import { Violation } from "@wirestack/protocol/Reason"
import type { Listen } from "@wirestack/protocol/Transport"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { byProxy, failing, type Lower, type Options as Common, type Route, send } from "./internal/byProxy.ts"
import type { ProxyCredentials } from "./ProxyCredentials.ts"
import type { ProxyInfo } from "./ProxyInfo.ts"
import { ProxyRefused } from "./ProxyRefused.ts"

const layer = "http connect"

export interface Options extends Common {
  /** Who we are, in a user name without a colon; by default what the user information of a URL says. */
  readonly credentials?: ProxyCredentials
  /**
   * When to say who we are: with the first request (`"atOnce"`, the default), or on a connection of its own once the proxy has
   * asked for it with 407 (`"whenAsked"`).
   */
  readonly authenticate?: "atOnce" | "whenAsked"
  /** Further headers of the request. `Host`, those of a body or of an upgrade, and those that `credentials` make can't be among them. */
  readonly headers?: Headers
  /** The size of the answer's head in bytes; 16,384 by default. */
  readonly maxHeadSize?: number
}

/** The operator that puts HTTP CONNECT on a stack, which then only connects. */
export type Over = Protocol.Over<"bytes", never, "bytes", ProxyInfo, Listen>

const fail = failing(layer)

const authorization = "Proxy-Authorization"

const reserved = new Set(["host", "connection", "upgrade", "content-length", "transfer-encoding", "te", "trailer"])

const reservedWith = new Set([...reserved, authorization.toLowerCase()])

/** A request for a tunnel; with `credentials` it says who we are. */
const requestFor = (
  { target }: Route,
  further: Headers,
  credentials: Route["credentials"]
): Result.Result<Uint8Array, InvalidHeader> => {
  const invalid = invalidHeader(further, credentials === undefined ? reserved : reservedWith)
  if (invalid !== undefined) return Result.fail(invalid)
  const authority = Endpoint.formatPlace(target.place)
  const request = (own: Headers): Uint8Array =>
    HttpHead.encode(`CONNECT ${authority} HTTP/1.1`, [["Host", authority], ...own, ...further])
  if (credentials === undefined) return Result.succeed(request([]))
  const password = Redacted.value(credentials.password)
  return Result.map(Basic.header(authorization, { ...credentials, password }), (header) => request([header]))
}

const details: { readonly [status: number]: string } = {
  403: "it does not allow it",
  407: "it wants to know who we are",
  502: "it could not reach the server",
  503: "it is not ready",
  504: "the server took too long"
}

const refusal = (proxy: string, { body, head: { headers, status } }: Answer.Declined): ProxyRefused =>
  new ProxyRefused({ proxy, code: status, detail: details[status] ?? "the answer is not 2xx", headers, body })

/** What is quoted, also without an end: so no quote is looked at twice. */
const quoted = /"(?:[^"\\]|\\.)*(?:"|\\?$)/g

/** Whether a challenge offers the scheme `Basic`; what is quoted is none. */
const wantsBasic = ({ reason }: ConnectError): boolean =>
  reason._tag === "ProxyRefused" && reason.code === 407 &&
  values(reason.headers ?? [], "proxy-authenticate").some((value) =>
    /(?:^|,)[ \t]*basic(?:[ \t,]|$)/i.test(value.replace(quoted, ""))
  )

/**
 * Connects by way of an HTTP proxy.
 *
 * @category layers
 */
export const over = (options: Options): Over => {
  const { authenticate = "atOnce", handshakeWithin = "10 seconds", headers = [] } = options
  const limits = { ...HttpHead.defaultLimits, maxHeadSize: options.maxHeadSize ?? HttpHead.defaultLimits.maxHeadSize }
  const within = Duration.toMillis(Duration.fromInputUnsafe(handshakeWithin))

  const handshake = Effect.fnUntraced(function*(lower: Lower, { proxy }: Route, request: Uint8Array) {
    const deadline = (yield* Answer.now) + within
    yield* send(lower, request)
    const agrees = (status: number): boolean => status >= 200 && status < 300
    const reader = new Answer.AnswerReader({ what: "CONNECT", agrees, limits })
    const { found, rest } = yield* Answer.read(lower, reader, deadline)
    if (Result.isFailure(found)) return yield* fail(found.failure)
    const answer = found.success
    if (answer._tag === "Declined") return yield* fail(refusal(proxy, answer))
    if (answer.head.version.major !== 1) {
      return yield* fail(new Violation({ rule: "the answer is of HTTP/1.x", section: "RFC 9112 section 2.3" }))
    }
    return [answer.leftover, ...rest].filter(({ length }) => length > 0)
  })

  return byProxy({
    layer,
    protocol: "http",
    options,
    offers: ["http/1.1"],
    connect: (attempt, route) => {
      const { credentials } = route
      const first = requestFor(route, headers, authenticate === "atOnce" ? credentials : undefined)
      if (Result.isFailure(first)) return fail(first.failure)
      const connected = attempt((lower) => handshake(lower, route, first.success))
      if (credentials === undefined || authenticate === "atOnce") return connected
      return Effect.catch(connected, (error) => {
        if (!wantsBasic(error)) return Effect.fail(error)
        const second = requestFor(route, headers, credentials)
        return Result.isFailure(second)
          ? fail(second.failure)
          : attempt((lower) => handshake(lower, route, second.success))
      })
    }
  })
}
