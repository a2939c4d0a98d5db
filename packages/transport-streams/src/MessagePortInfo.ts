/** What is under a connection on a message port. */
import * as Context from "effect/Context"
import type { PortLike } from "./MessagePort.ts"

/** The port itself. Whoever posts to it breaks the connection. */
export class MessagePortInfo extends Context.Service<MessagePortInfo, {
  readonly port: PortLike
}>()("@wirestack/transport-streams/MessagePortInfo") {}
