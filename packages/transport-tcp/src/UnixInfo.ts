/** What a Unix domain socket tells about a connection. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"

/** The Unix socket layer of a connection. */
export class UnixInfo extends Context.Service<UnixInfo, {
  /** The path of the listening end. */
  readonly path: string
  /** How long it took to connect; zero on the listening side. */
  readonly connectTime: Duration.Duration
}>()("@wirestack/transport-tcp/UnixInfo") {}
