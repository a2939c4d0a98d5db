/**
 * The client's half of the opening handshake: a request to send, and what to make of the answer.
 *
 * The server agrees with status 101 and the proof that it knows the key; then the connection below is a WebSocket from the
 * first byte behind the head on. Every other final status is the server's answer as HTTP, given as `UpgradeRejected`
 * with the beginning of its body. Interim answers (100, 103) are skipped. Heads, their number and the body are bounded.
 *
 * Who waits for an answer has to say when it is over, whether the connection ended or the time is up. `ended` then gives
 * what is known: with the head of a refusal it is the `UpgradeRejected`, with as much of the body as has come; a server
 * that is slow with its body doesn't hide its status behind a timeout.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.1
 */

import { type Answer, AnswerReader } from "@wirestack/http/Answer"
import * as Basic from "@wirestack/http/Basic"
import { hasToken, type Headers, isSendable, isToken, list, trim, values } from "@wirestack/http/Headers"
import * as HttpHead from "@wirestack/http/HttpHead"
import { InvalidHeader } from "@wirestack/http/InvalidHeader"
import { type ConnectReason, InvalidEndpoint, NothingNegotiated } from "@wirestack/protocol/ConnectError"
import * as Result from "effect/Result"
import { acceptFor, areProtocols, freshKey, invalidHeader, isHost, version } from "./Handshake.ts"
import { fromHttp, UpgradeMalformed, UpgradeRejected } from "./HandshakeReason.ts"

export interface Options {
  /** The host, and behind a colon its port if it isn't the default one; see `hostHeader`. */
  readonly host: string
  /** The resource: path and query; `/` by default. */
  readonly path?: string
  /** The subprotocols to offer, most wanted first. */
  readonly protocols?: ReadonlyArray<string>
  /** Gives up with `NothingNegotiated` if the server chooses none of the `protocols`. */
  readonly requireProtocol?: boolean
  /** The extensions to offer with their parameters, as values of `Sec-WebSocket-Extensions`; none by default. */
  readonly extensions?: ReadonlyArray<string>
  /** Sent as `Authorization: Basic`, unless this is among the `headers`. Without TLS everybody on the way can read it. */
  readonly credentials?: Basic.Credentials
  /** Sent as one `Cookie` header, unless this is among the `headers`. */
  readonly cookies?: Readonly<Record<string, string>>
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
  /** The values of `Sec-WebSocket-Extensions`, not judged yet; empty if none was offered. */
  readonly extensions: ReadonlyArray<string>
  /** The headers of its answer, as they came. */
  readonly fields: HttpHead.Fields
  /** What it has sent already as a WebSocket. */
  readonly leftover: Uint8Array
}

/**
 * The value of `Host`. The port is left out if it is the default one; an IPv6 address is put in brackets, without its
 * zone, which means nothing to others.
 */
export const hostHeader = (host: string, port: number, secure: boolean): string => {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host.replace(/%.*$/, "")}]` : host
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`
}

const protocolHeader = "Sec-WebSocket-Protocol"

const extensionsHeader = "Sec-WebSocket-Extensions"

const target = /^\/[!-"$-~]*$/

const unusable = (input: string, detail: string) => Result.fail(new InvalidEndpoint({ input, detail }))

const unsendable = (name: string, detail: string) => Result.fail(new InvalidHeader({ name, detail }))

type Header = Result.Result<Headers, InvalidHeader>

const none: Header = Result.succeed([])

const authorization = (credentials: Basic.Credentials): Header =>
  Result.map(Basic.header("Authorization", credentials), (header) => [header])

const cookieValue = /^("?)[!#-+\--:<-[\]-~]*\1$/

/** @see https://www.rfc-editor.org/rfc/rfc6265#section-4.2.1 */
const cookie = (cookies: Readonly<Record<string, string>>): Header => {
  const pairs = Object.entries(cookies)
  for (const [name, value] of pairs) {
    if (!isToken(name)) return unsendable("Cookie", `the name ${JSON.stringify(name)} is not a token`)
    if (!cookieValue.test(value)) return unsendable("Cookie", `the value of ${name} has characters no cookie has`)
  }
  return pairs.length === 0
    ? none
    : Result.succeed([["Cookie", pairs.map(([name, value]) => `${name}=${value}`).join("; ")]])
}

/** The headers that the options spell out, and those they imply. */
const furtherHeaders = ({ cookies, credentials, headers = [], origin }: Options): Header => {
  const given = new Set(headers.map(([name]) => name.toLowerCase()))
  const implied = [
    credentials === undefined || given.has("authorization") ? none : authorization(credentials),
    cookies === undefined || given.has("cookie") ? none : cookie(cookies)
  ]
  return Result.flatMap(Result.all(implied), (implied) => {
    const all = [...origin === undefined ? [] : [["Origin", origin] as const], ...implied.flat(), ...headers]
    const invalid = invalidHeader(all)
    return invalid === undefined ? Result.succeed(all) : Result.fail(invalid)
  })
}

/**
 * A handshake to begin with its `request`.
 *
 * @category constructors
 */
export const make = (options: Options): Result.Result<ClientHandshake, InvalidHeader | InvalidEndpoint> => {
  const { extensions = [], path = "/", protocols = [] } = options
  if (!target.test(path)) return unusable(path, "a path is / and visible ASCII, percent-encoded where needed")
  if (!isHost(options.host)) return unusable(options.host, "it can't be the value of a Host header")
  if (!areProtocols(protocols)) return unsendable(protocolHeader, "the names are not tokens, each of them once")
  if (!extensions.every((value) => trim(value) !== "" && isSendable(value))) {
    return unsendable(extensionsHeader, "a value is empty or has other than printable characters")
  }
  const further = furtherHeaders(options)
  if (Result.isFailure(further)) return Result.fail(further.failure)
  const key = freshKey()
  const request = HttpHead.encode(`GET ${path} HTTP/1.1`, [
    ["Host", options.host],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", key],
    ["Sec-WebSocket-Version", version],
    ...protocols.length === 0 ? [] : [[protocolHeader, protocols.join(", ")] as const],
    ...extensions.length === 0 ? [] : [[extensionsHeader, extensions.join(", ")] as const],
    ...further.success
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
  private readonly answer: AnswerReader

  constructor(request: Uint8Array, key: string, options: Options) {
    this.request = request
    this.key = key
    this.options = options
    this.answer = new AnswerReader({
      what: "the upgrade",
      agrees: (status) => status === 101,
      limits: options.limits
    })
  }

  /** The answer is a no, and only the rest of its body is still to come. */
  get refused(): boolean {
    return this.answer.refused
  }

  /** Takes the next bytes; undefined if more are needed. */
  receive(chunk: Uint8Array): Result.Result<Upgraded, ConnectReason> | undefined {
    const answer = this.answer.receive(chunk)
    return answer === undefined ? undefined : this.judge(answer)
  }

  /**
   * The connection below has ended, or its time is up: what is known of the answer until now. That is `UpgradeRejected`
   * from the moment on that the head of a refusal has come, else `Truncated`, for which a deadline has a better name.
   */
  ended(): Result.Result<Upgraded, ConnectReason> {
    return this.judge(this.answer.ended())
  }

  private judge(answer: Answer): Result.Result<Upgraded, ConnectReason> {
    if (Result.isFailure(answer)) return Result.fail(fromHttp(answer.failure))
    const { success } = answer
    if (success._tag === "Agreed") return this.check(success)
    const { body, head: { headers, status } } = success
    return Result.fail(new UpgradeRejected({ status, headers, body }))
  }

  private check(
    { fields, head, leftover }: HttpHead.Received<HttpHead.Response>
  ): Result.Result<Upgraded, ConnectReason> {
    const { headers, version } = head
    if (version.major !== 1 || version.minor === 0) return malformed("the answer 101 is of HTTP/1.1")
    const upgrade = list(headers, "upgrade")
    if (upgrade.length !== 1 || upgrade[0].toLowerCase() !== "websocket") {
      return malformed("the answer upgrades to websocket and nothing else")
    }
    if (!hasToken(headers, "connection", "upgrade")) return malformed("the answer has Connection: Upgrade")
    const accept = values(headers, "sec-websocket-accept")
    if (accept.length !== 1 || accept[0] !== acceptFor(this.key)) {
      return malformed("the answer proves with Sec-WebSocket-Accept that the key was understood")
    }
    const { extensions: offers = [], protocols: offered = [], requireProtocol = false } = this.options
    if (offers.length === 0 && list(headers, "sec-websocket-extensions").length > 0) {
      return malformed("the answer has no extension that was not offered")
    }
    const chosen = values(headers, "sec-websocket-protocol")
    if (chosen.length > 1) return malformed("the answer has at most one subprotocol")
    const [protocol] = chosen
    if (protocol === undefined ? requireProtocol : !offered.includes(protocol)) {
      return Result.fail(new NothingNegotiated(protocol === undefined ? { offered } : { offered, selected: protocol }))
    }
    const extensions = offers.length === 0 ? [] : values(headers, "sec-websocket-extensions")
    return Result.succeed({ protocol, extensions, fields, leftover })
  }
}
