/** What is under a connection on WHATWG streams. */
import * as Context from "effect/Context"
import type { WebStreamPair } from "./WebStreams.ts"

/** The streams as they were handed over, to ask their owner what it knows. They are locked as long as the connection lives. */
export class WebStreamsInfo extends Context.Service<WebStreamsInfo, {
  readonly streams: WebStreamPair
}>()("@wirestack/transport-streams/WebStreamsInfo") {}
