/** What all proxies on the way to a server have in common: only their handshakes differ. */
import { lacking } from "@wirestack/protocol/Ask"
import {
  ConnectError,
  type ConnectReason,
  fromConnectionError,
  InvalidEndpoint
} from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Protocol from "@wirestack/protocol/Protocol"
import type { Facts } from "@wirestack/protocol/reports/EstablishmentReport"
import { Bytes, type Listen } from "@wirestack/protocol/Transport"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { ProxyCredentials } from "../ProxyCredentials.ts"
import { ProxyInfo } from "../ProxyInfo.ts"
import { type Target, targetOf } from "./targetOf.ts"

/** What the options of a proxy say, whichever it is. */
export interface Options {
  /** Where the proxy is, such as `proxy.example:1080`; `tls://` if there is TLS below. The `http://` URLs of an environment are for `Proxy`. */
  readonly proxy: Endpoint.Input
  readonly credentials?: ProxyCredentials
  /** How long a handshake with the proxy may take, its own connecting included; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}

export type Over = Protocol.Over<"bytes", never, "bytes", ProxyInfo, Listen>

export type Lower = Connection.Connection<Uint8Array, Uint8Array>

/** The way to a server. */
export interface Route {
  /** The proxy, as errors name it. */
  readonly proxy: string
  readonly credentials: ProxyCredentials | undefined
  readonly target: Target
}

type Upper = Effect.Effect<Connection.Connection<Uint8Array, Uint8Array, ProxyInfo>, ConnectError, Scope.Scope>

/** A proxy, as its own layer has it. */
export interface Proxy {
  readonly layer: string
  readonly protocol: ProxyInfo["Service"]["protocol"]
  readonly options: Options
  /** What the layers below are offered: the names of what the proxy is spoken to in. */
  readonly offers: ReadonlyArray<string>
  /** Connects to the proxy and shakes hands, once or more often; a handshake gives what came behind it. */
  readonly connect: (
    attempt: (handshake: (lower: Lower) => Effect.Effect<ReadonlyArray<Uint8Array>, ConnectError>) => Upper,
    route: Route
  ) => Upper
}

export const failing = (layer: string) => (reason: ConnectReason): Effect.Effect<never, ConnectError> =>
  Effect.fail(new ConnectError({ layer, reason }))

export const send = (lower: Lower, bytes: Uint8Array): Effect.Effect<void, ConnectError> =>
  Effect.mapError(lower.send(bytes), fromConnectionError)

/** What a proxy tells in an `EstablishmentReport`. */
const facts = (details: Context.Context<ProxyInfo>): Facts => ({ proxy: Context.get(details, ProxyInfo).proxy })

const credentialsOf = ({ credentials }: Endpoint.Endpoint): ProxyCredentials | undefined =>
  credentials === undefined ? undefined : { ...credentials, password: Redacted.make(credentials.password) }

export const byProxy = ({ connect, layer, offers, options, protocol }: Proxy): Over => {
  const fail = failing(layer)
  const proxy = Result.mapError(
    Endpoint.make(options.proxy),
    ({ detail, input }) =>
      new InvalidEndpoint({ input, detail: `${detail}; a proxy is at host:port, or at a tcp:// or tls:// URL` })
  )
  return Protocol.within(Bytes)<ProxyInfo, Listen>({
    layer,
    handshakeWithin: options.handshakeWithin,
    facts,
    connect: (attempt, ask) => {
      const missing = lacking(ask)
      if (missing !== undefined) return fail(missing)
      if (Result.isFailure(proxy)) return fail(proxy.failure)
      const target = targetOf(ask.endpoint.place)
      if (target === undefined) {
        const detail = "a proxy connects to host:port, and the host is a name or an address"
        return fail(new InvalidEndpoint({ input: Endpoint.format(ask.endpoint), detail }))
      }
      const { demands, place } = proxy.success
      const name = Endpoint.format(proxy.success)
      const { reached: _, skip: __, ...rest } = ask
      const below = { ...rest, endpoint: { place, demands }, demands, offers }
      const credentials = options.credentials ?? credentialsOf(proxy.success)
      const connected = connect(
        (handshake) =>
          attempt(below, (lower) =>
            Effect.gen(function*() {
              const started = yield* Clock.monotonicTimeNanos
              const leftover = yield* handshake(lower)
              const handshakeTime = Duration.nanos((yield* Clock.monotonicTimeNanos) - started)
              const info = Context.make(ProxyInfo, { protocol, proxy: name, handshakeTime })
              return yield* Connection.resume(lower, { leftover, details: () => info })
            })),
        { proxy: name, credentials, target }
      )
      const to = `to ${Endpoint.formatPlace(target.place)}`
      return Effect.mapError(connected, ({ layer, reason, way }) => {
        const whole = reason._tag === "ProxyRefused" ? to : `${to} by the proxy ${name}`
        return new ConnectError({ layer, reason, way: way ?? whole })
      })
    }
  })
}
