/** What TCP tells about a connection. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type { Address } from "./Address.ts"
import type { Course } from "./HappyEyeballs.ts"

/** The TCP layer of a connection. */
export class TcpInfo extends Context.Service<TcpInfo, {
  readonly local: Address
  readonly remote: Address
  readonly family: "IPv4" | "IPv6"
  /** What was looked up, and which addresses were tried; nothing on the listening side. */
  readonly course: Course<string>
  /** How many bytes the system has delivered so far. */
  readonly bytesRead: number
  /** How many bytes were handed to the system so far. */
  readonly bytesWritten: number
  /** How long it took to connect, resolution included; zero on the listening side. */
  readonly connectTime: Duration.Duration
}>()("@wirestack/transport-tcp/TcpInfo") {}
