/**
 * The layer at the very bottom: host names become addresses, and services of a domain become hosts.
 *
 * `layer` asks the operating system (`getaddrinfo`, with the hosts file), and DNS for services; `layerResolver` asks any
 * `AddressResolver` and `Dns`, and `layerStatic` a fixed zone. Addresses come in the order the resolver gives them.
 */

import * as NodeAddressResolver from "@effect/platform-node/NodeAddressResolver"
import * as NodeDns from "@effect/platform-node/NodeDns"
import { Unresolved } from "@wirestack/protocol/ConnectError"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Arr from "effect/Array"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AddressResolver from "effect/net/AddressResolver"
import * as Dns from "effect/net/Dns"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { byWeight } from "./internal/byWeight.ts"
import { ServiceUnavailable } from "./ServiceUnavailable.ts"

/** Resolution of a host (a name or an IP literal) to addresses, and of a service to hosts. */
export class Ip extends Context.Service<Ip, {
  /** All addresses of the host with this port, in the resolver's order; only those of a family if one is given. */
  readonly resolve: (
    host: string,
    port: number,
    family?: NetAddress.IpFamily
  ) => Effect.Effect<NonEmptyReadonlyArray<NetAddress.InetAddress>, Unresolved>
  /**
   * Where a service is (SRV, RFC 2782), in the order in which its targets are to be tried: by priority, and by their weights as
   * `Random` has it.
   */
  readonly locate: (
    service: Endpoint.Service
  ) => Effect.Effect<NonEmptyReadonlyArray<Endpoint.Tcp>, Unresolved | ServiceUnavailable>
}>()("@wirestack/transport-tcp/Ip") {}

/** The target of a service that is decidedly not available. */
const root = "."

/** A target without the dot of the root, with which a hosts file would not know it. */
const placeOf = ({ port, target }: Dns.Srv): Endpoint.Tcp => ({ _tag: "Tcp", host: Host.toRelative(target), port })

const locate = (dns: Dns.Dns["Service"]): Ip["Service"]["locate"] => (service) => {
  const host = Endpoint.formatPlace(service)
  const records = Effect.mapError(
    dns.resolve(Endpoint.serviceName(service), "SRV"),
    (cause) => new Unresolved({ host, cause })
  )
  return Effect.flatMap(Effect.all([records, Random.Random]), ([records, random]) => {
    const targets = byWeight(records.filter(({ target }) => target !== root), () => random.nextDoubleUnsafe())
    return Arr.isArrayNonEmpty(targets)
      ? Effect.succeed(Arr.map(targets, placeOf))
      : Effect.fail(new ServiceUnavailable({ service: host }))
  })
}

/**
 * Resolution through the `AddressResolver` and the `Dns` of the context. It is built anew at each use, so that several resolvers may
 * be used in one program.
 *
 * @category layers
 */
export const layerResolver: Layer.Layer<Ip, never, AddressResolver.AddressResolver | Dns.Dns> = Layer.fresh(
  Layer.effect(
    Ip,
    Effect.map(Effect.all([AddressResolver.AddressResolver, Dns.Dns]), ([resolver, dns]) => ({
      resolve: (host, port, family) =>
        Effect.mapError(resolver.resolve({ host, port }, { family }), (cause) => new Unresolved({ host, cause })),
      locate: locate(dns)
    }))
  )
)

/** `NodeAddressResolver.layer` is one value, and so would be shared by all that are put on different ones. */
const on = <E>(dns: Layer.Layer<Dns.Dns, E>): Layer.Layer<Ip, E> =>
  Layer.fresh(Layer.provide(layerResolver, Layer.provideMerge(NodeAddressResolver.layer, dns)))

const loopbacks = { IPv4: ["127.0.0.1"], IPv6: ["::1"] } as const

/** Names that are always this machine. A server of DNS is not asked for them: it may answer late, or with anything. */
const isLoopback = (host: string): boolean => /^(?:.*\.)?localhost\.?$/i.test(host)

const knowingItself = (ip: Ip["Service"]): Ip["Service"] => ({
  ...ip,
  resolve: (host, port, family) => {
    if (!isLoopback(host)) return ip.resolve(host, port, family)
    const addresses = family === undefined ? [...loopbacks.IPv4, ...loopbacks.IPv6] as const : loopbacks[family]
    return Effect.succeed(Arr.map(addresses, (ip) => Result.getOrThrow(NetAddress.inetAddressFromIpString(ip, port))))
  }
})

/**
 * Resolution by the operating system. `localhost`, and what ends in `.localhost`, is 127.0.0.1 and ::1 without asking anybody (RFC 6761
 * section 6.3).
 *
 * @category layers
 */
export const layer: Layer.Layer<Ip> = Layer.fresh(
  Layer.provide(Layer.effect(Ip, Effect.map(Ip, knowingItself)), on(NodeDns.layer))
)

/**
 * Resolution from fixed names and addresses, for tests; IP literals resolve to themselves.
 *
 * @category layers
 */
export const layerStatic = (zone: Dns.StaticZone): Layer.Layer<Ip, NetAddress.NetAddressError> =>
  on(Dns.layerStatic(zone))
