/** What is under a connection on a `Socket` of Effect. */
import * as Context from "effect/Context"
import type { Socket } from "effect/socket/Socket"

/** The socket itself. */
export class EffectSocketInfo extends Context.Service<EffectSocketInfo, {
  readonly socket: Socket
}>()("@wirestack/transport-streams/EffectSocketInfo") {}
