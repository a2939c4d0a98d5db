/**
 * The layer at the very bottom: host names become addresses.
 *
 * `layer` asks the operating system (`getaddrinfo`, with the hosts file); `layerResolver` asks any `AddressResolver`, and
 * `layerStatic` a fixed zone. Addresses come in the order the resolver gives them.
 */
import * as NodeAddressResolver from "@effect/platform-node/NodeAddressResolver"
import * as NodeDns from "@effect/platform-node/NodeDns"
import { Unresolved } from "@wirestack/protocol/ConnectError"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AddressResolver from "effect/net/AddressResolver"
import * as Dns from "effect/net/Dns"
import type * as NetAddress from "effect/net/NetAddress"

/** Resolution of a host (a name or an IP literal) to addresses. */
export class Ip extends Context.Service<Ip, {
  /** All addresses of the host with this port, in the resolver's order; only those of a family if one is given. */
  readonly resolve: (
    host: string,
    port: number,
    family?: NetAddress.IpFamily
  ) => Effect.Effect<NonEmptyReadonlyArray<NetAddress.InetAddress>, Unresolved>
}>()("@wirestack/transport-tcp/Ip") {}

/**
 * Resolution through the `AddressResolver` of the context.
 *
 * @category layers
 */
export const layerResolver: Layer.Layer<Ip, never, AddressResolver.AddressResolver> = Layer.effect(
  Ip,
  Effect.map(AddressResolver.AddressResolver, (resolver) => ({
    resolve: (host, port, family) =>
      Effect.mapError(resolver.resolve({ host, port }, { family }), (cause) => new Unresolved({ host, cause }))
  }))
)

/**
 * Resolution by the operating system.
 *
 * @category layers
 */
export const layer: Layer.Layer<Ip> = layerResolver.pipe(
  Layer.provide(NodeAddressResolver.layer),
  Layer.provide(NodeDns.layer)
)

/**
 * Resolution from fixed names and addresses, for tests; IP literals resolve to themselves.
 *
 * @category layers
 */
export const layerStatic = (zone: Dns.StaticZone): Layer.Layer<Ip, NetAddress.NetAddressError> =>
  layerResolver.pipe(
    Layer.provide(NodeAddressResolver.layer),
    Layer.provide(Dns.layerStatic(zone))
  )
