/**
 * The proxies that the environment names, for each endpoint the one that is meant for it, or none.
 *
 *     endpoint            variable, if it is set                  else
 *     wss://, tls://      https_proxy, HTTPS_PROXY                all_proxy, ALL_PROXY
 *     ws://               http_proxy                              all_proxy, ALL_PROXY
 *     tcp://, host:port   all_proxy, ALL_PROXY
 *
 *     the proxy           layers
 *     http://             HTTP CONNECT
 *     https://            HTTP CONNECT over TLS, verified for the name of the proxy
 *     socks5://           SOCKS5; names are resolved by the proxy, so socks5h:// is the same
 *
 * The contract:
 *
 * - It is asked for: no other layer looks at the environment. The variables come from Effect's `ConfigProvider`, once, when the layer
 *   is built.
 * - What `no_proxy` or `NO_PROXY` excepts is connected to directly, and so is what no proxy could mean: sockets of Unix, memory, and
 *   addresses with a zone. A host is compared as it is written: names are not resolved for it.
 * - A service of a domain, which proxies can't look up, is an `InvalidEndpoint` where there is a proxy for it, unless its domain is excepted.
 * - `HTTP_PROXY` in capitals is not read: a program that is run by a CGI server would get it from a header of the request.
 * - A variable that can't be used fails the layer, so that nothing goes another way than it should.
 *
 * @see https://curl.se/docs/manpage.html#ENVIRONMENT
 */

import type { Place, Service, Tcp } from "@wirestack/protocol/Endpoint"
import type * as Protocol from "@wirestack/protocol/Protocol"
import { type At, Bytes, layer, type Transport } from "@wirestack/protocol/Transport"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as HttpConnect from "./HttpConnect.ts"
import { type Exceptions, exceptions } from "./internal/exceptions.ts"
import { type ProxyUrl, proxyUrl } from "./internal/proxyUrl.ts"
import { type Target, targetOf } from "./internal/targetOf.ts"
import { ProxyVariableInvalid } from "./ProxyVariableInvalid.ts"
import * as Socks5 from "./Socks5.ts"

type Ground = Layer.Layer<At<"bytes", any>>

export interface Options<E = never> {
  /** TLS to a proxy whose URL begins by `https://`, such as `Tls.client()`. Without it such a URL can't be used. */
  readonly tls?: Protocol.Over<"bytes", never, "bytes", any, any, E>
  /** How long a handshake with a proxy may take, its own connecting included; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}

/**
 * The operator that puts the proxies of the environment on a stack. `ProxyInfo` is among the details of the connections that go by
 * way of one.
 */
export type Over<E = never> = Protocol.Over<
  "bytes",
  never,
  "bytes",
  never,
  never,
  ProxyVariableInvalid | Config.ConfigError | E
>

type Read<A> = Effect.Effect<A | undefined, ProxyVariableInvalid | Config.ConfigError>

/** What the first of these variables that is set says. */
const variable = <A>(
  names: ReadonlyArray<string>,
  parse: (value: string) => Result.Result<A, string>
): Read<A> =>
  Effect.gen(function*() {
    for (const name of names) {
      const value = Option.getOrElse(yield* Config.option(Config.String(name)), () => "").trim()
      if (value === "") continue
      const parsed = parse(value)
      if (Result.isSuccess(parsed)) return parsed.success
      return yield* new ProxyVariableInvalid({ variable: name, detail: parsed.failure })
    }
    return undefined
  })

/** A name in small letters, which counts first, and in capitals. */
const either = (name: string): ReadonlyArray<string> => [name, name.toUpperCase()]

const nothing: Exceptions = () => false

/** Whether a place is one for others too. */
const isShared = (place: Place): place is Tcp | Service =>
  place._tag === "Service" || (place._tag === "Tcp" && !place.host.includes("%"))

/** What may be excepted: of a service its domain. */
const exceptable = (place: Tcp | Service): Target | undefined =>
  place._tag === "Tcp" ? targetOf(place) : { place: { _tag: "Tcp", host: place.domain, port: 0 }, ip: undefined }

/** The layers for a proxy. */
const stackFor = <E>(
  { credentials, endpoint, scheme }: ProxyUrl,
  { handshakeWithin, tls }: Options<E>
): Result.Result<(lower: Ground) => Ground, string> => {
  const common = {
    ...credentials === undefined ? undefined : { credentials },
    ...handshakeWithin === undefined ? undefined : { handshakeWithin }
  }
  if (scheme === "http") return Result.succeed(HttpConnect.over({ proxy: endpoint, ...common }))
  if (scheme !== "https") return Result.succeed(Socks5.over({ proxy: endpoint, ...common }))
  if (tls === undefined) return Result.fail("TLS to a proxy has to be given as the option `tls`")
  const connects = HttpConnect.over({ proxy: { ...endpoint, demands: ["tls"] }, ...common })
  return Result.succeed((lower) => connects(tls(lower) as Ground))
}

/**
 * Connects by way of the proxies that the environment names. A stack that could listen still does, directly.
 *
 * @category layers
 */
export const fromEnvironment = <E = never>(options: Options<E> = {}): Over<E> => {
  const lift = Effect.gen(function*() {
    const direct = yield* Bytes.key
    const ground = Layer.succeed(Bytes.key, direct)
    const proxy = (names: ReadonlyArray<string>) =>
      Effect.flatMap(
        variable(names, (value) => Result.flatMap(proxyUrl(value), (url) => stackFor(url, options))),
        (stack) =>
          stack === undefined
            ? Effect.undefined
            : Effect.map(Layer.build(stack(ground)), (built) => Context.get(built, Bytes.key))
      )
    const excepted = (yield* variable(either("no_proxy"), exceptions)) ?? nothing
    const all = (yield* proxy(either("all_proxy"))) ?? direct
    const https = (yield* proxy(either("https_proxy"))) ?? all
    const http = (yield* proxy(["http_proxy"])) ?? all
    const transport: Transport<Uint8Array, Uint8Array> = {
      connect: (ask) => {
        const { demands, place } = ask.endpoint
        const target = isShared(place) ? exceptable(place) : undefined
        const chosen = !isShared(place) || (target !== undefined && excepted(target))
          ? direct
          : demands.includes("tls")
          ? https
          : demands.includes("websocket")
          ? http
          : all
        return chosen.connect(ask)
      },
      listen: direct.listen
    }
    return transport
  })
  return ((stack: Layer.Layer<any, any, any>) => Layer.provide(layer(Bytes, lift as any), stack)) as any
}
