/** What TCP tells about a connection. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"

/** One end of a TCP connection; `host` is an IP literal. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** The TCP layer of a connection. */
export class TcpInfo extends Context.Service<TcpInfo, {
  readonly local: Address
  readonly remote: Address
  readonly family: "IPv4" | "IPv6"
  /** The addresses that were tried, in order; the last is the one that is connected. Empty on the listening side. */
  readonly tried: ReadonlyArray<string>
  /** How long it took to connect, resolution included; zero on the listening side. */
  readonly connectTime: Duration.Duration
}>()("@wirestack/transport-tcp/TcpInfo") {}
