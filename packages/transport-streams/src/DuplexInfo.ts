/** What is under a connection on a duplex stream. */
import * as Context from "effect/Context"
import type { DuplexLike } from "./Duplex.ts"

/** The stream itself, to ask it what it knows. Whoever reads, writes or ends it breaks the connection. */
export class DuplexInfo extends Context.Service<DuplexInfo, {
  readonly duplex: DuplexLike
}>()("@wirestack/transport-streams/DuplexInfo") {}
