/** What the layer of a proxy tells about a connection by way of it. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"

/** The proxy that leads to the server. */
export class ProxyInfo extends Context.Service<ProxyInfo, {
  readonly protocol: "http" | "socks5"
  /** The endpoint of the proxy. */
  readonly proxy: string
  /** How long the proxy took for its handshake, in which it has connected to the server. */
  readonly handshakeTime: Duration.Duration
}>()("@wirestack/transport-proxy/ProxyInfo") {}
