/**
 * The client's half of the opening handshake: a request to send, and what to make of the answer.
 *
 * The server agrees with status 101 and the proof that it knows the key; then the connection below is a WebSocket from the
 * first byte behind the head on. Every other final status is the server's answer as HTTP, given as `UpgradeRejected`
 * with the beginning of its body. Interim answers (100, 103) are skipped. Heads, their number and the body are bounded.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.1
 */
import { type ConnectReason, InvalidEndpoint, NothingNegotiated } from "@wirestack/protocol/ConnectError"
import { TooLarge, Truncated } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import { acceptFor, areProtocols, freshKey, invalidHeader, version } from "./Handshake.ts"
import { InvalidHeader, UpgradeMalformed, UpgradeRejected } from "./HandshakeReason.ts"
import { hasToken, type Headers, list, values } from "./Headers.ts"
import { BodyReader } from "./HttpBody.ts"
import * as HttpHead from "./HttpHead.ts"

export interface Options {
  /** The host, and behind a colon its port if it isn't the default one; see `hostHeader`. */
  readonly host: string
  /** The resource: path and query; `/` by default. */
  readonly path?: string
  /** The subprotocols to offer, most wanted first. */
  readonly protocols?: ReadonlyArray<string>
  /** Gives up with `NothingNegotiated` if the server chooses none of the `protocols`. */
  readonly requireProtocol?: boolean
  /** The site on whose behalf a browser connects. */
  readonly origin?: string
  /** Further headers. Those of the handshake itself can't be among them. */
  readonly headers?: Headers
  readonly limits?: HttpHead.Limits
}

/** What was agreed on. */
export interface Upgraded {
  /** The subprotocol the server has chosen, if it has. */
  readonly protocol: string | undefined
  /** The headers of its answer. */
  readonly headers: Headers
  /** What it has sent already as a WebSocket. */
  readonly leftover: Uint8Array
}

/** How much of the body of a refusal is kept. */
const maxBodySize = 4_096

/** How many interim answers may come before the final one. */
const maxInterim = 16

/**
 * The value of `Host`. The port is left out if it is the default one; an IPv6 address is put in brackets, without its
 * zone, which means nothing to others.
 */
export const hostHeader = (host: string, port: number, secure: boolean): string => {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host.replace(/%.*$/, "")}]` : host
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`
}

const protocolHeader = "Sec-WebSocket-Protocol"

const target = /^\/[!-"$-~]*$/

const host = /^(?:\[[0-9A-Fa-f:.]+\]|[-!$%&'()*+,;=.~\w]+)(?::\d+)?$/

const unusable = (input: string, detail: string) => Result.fail(new InvalidEndpoint({ input, detail }))

/**
 * A handshake to begin with its `request`.
 *
 * @category constructors
 */
export const make = (options: Options): Result.Result<ClientHandshake, InvalidHeader | InvalidEndpoint> => {
  const { path = "/", protocols = [] } = options
  if (!target.test(path)) return unusable(path, "a path is / and visible ASCII, percent-encoded where needed")
  if (!host.test(options.host)) return unusable(options.host, "it can't be the value of a Host header")
  if (!areProtocols(protocols)) {
    return Result.fail(
      new InvalidHeader({ name: protocolHeader, detail: "the names are not tokens, each of them once" })
    )
  }
  const further: Headers = [
    ...options.origin === undefined ? [] : [["Origin", options.origin] as const],
    ...options.headers ?? []
  ]
  const invalid = invalidHeader(further)
  if (invalid !== undefined) return Result.fail(invalid)
  const key = freshKey()
  const request = HttpHead.encode(`GET ${path} HTTP/1.1`, [
    ["Host", options.host],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", key],
    ["Sec-WebSocket-Version", version],
    ...protocols.length === 0 ? [] : [[protocolHeader, protocols.join(", ")] as const],
    ...further
  ])
  return Result.succeed(new ClientHandshake(request, key, options))
}

const malformed = (rule: string) => Result.fail(new UpgradeMalformed({ rule, section: "RFC 6455 section 4.1" }))

/** One handshake, from its request to the first result. */
export class ClientHandshake {
  /** The bytes to send. */
  readonly request: Uint8Array

  private readonly key: string
  private readonly options: Options
  private reader: HttpHead.HeadReader<HttpHead.Response>
  private interim = 0
  private rejected: { readonly head: HttpHead.Response; readonly body: BodyReader } | undefined = undefined

  constructor(request: Uint8Array, key: string, options: Options) {
    this.request = request
    this.key = key
    this.options = options
    this.reader = HttpHead.responseReader(options.limits)
  }

  /** Takes the next bytes; undefined if more are needed. */
  receive(chunk: Uint8Array): Result.Result<Upgraded, ConnectReason> | undefined {
    if (this.rejected !== undefined) return this.rejected.body.receive(chunk) ? this.rejection() : undefined
    const received = this.reader.receive(chunk)
    if (received === undefined) return undefined
    if (Result.isFailure(received)) return Result.fail(received.failure)
    const { head, leftover } = received.success
    if (head.status === 101) return this.check(head, leftover)
    if (head.status >= 200) {
      this.rejected = { head, body: new BodyReader(head, maxBodySize) }
      return this.receive(leftover)
    }
    if (++this.interim > maxInterim) {
      return Result.fail(new TooLarge({ what: "the number of interim answers", size: this.interim, limit: maxInterim }))
    }
    this.reader = HttpHead.responseReader(this.options.limits)
    return this.receive(leftover)
  }

  /** The connection below has ended, or its time is up: what is known of the answer until now. */
  ended(): Result.Result<never, ConnectReason> {
    return this.rejected === undefined
      ? Result.fail(new Truncated({ inside: "the answer to the upgrade" }))
      : this.rejection()
  }

  private rejection(): Result.Result<never, UpgradeRejected> {
    const { body, head } = this.rejected!
    return Result.fail(new UpgradeRejected({ status: head.status, headers: head.headers, body: body.text }))
  }

  private check(head: HttpHead.Response, leftover: Uint8Array): Result.Result<Upgraded, ConnectReason> {
    const { headers } = head
    const upgrade = list(headers, "upgrade")
    if (upgrade.length !== 1 || upgrade[0].toLowerCase() !== "websocket") {
      return malformed("the answer upgrades to websocket and nothing else")
    }
    if (!hasToken(headers, "connection", "upgrade")) return malformed("the answer has Connection: Upgrade")
    const accept = values(headers, "sec-websocket-accept")
    if (accept.length !== 1 || accept[0] !== acceptFor(this.key)) {
      return malformed("the answer proves with Sec-WebSocket-Accept that the key was understood")
    }
    if (list(headers, "sec-websocket-extensions").length > 0) {
      return malformed("the answer has no extension that was not offered")
    }
    const { protocols: offered = [], requireProtocol = false } = this.options
    const chosen = values(headers, "sec-websocket-protocol")
    if (chosen.length > 1) return malformed("the answer has at most one subprotocol")
    const [protocol] = chosen
    if (protocol === undefined ? requireProtocol : !offered.includes(protocol)) {
      return Result.fail(new NothingNegotiated(protocol === undefined ? { offered } : { offered, selected: protocol }))
    }
    return Result.succeed({ protocol, headers, leftover })
  }
}
