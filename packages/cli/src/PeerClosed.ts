/** How a connection may end that is no failure of the connection, but of the conversation. */

import type { Outcome, Status } from "@wirestack/protocol/Outcome"
import * as Data from "effect/Data"

/** The peer closed in order, with a code that says that something went wrong. */
export class PeerClosed extends Data.TaggedError("PeerClosed")<Status> {
  override get message(): string {
    return `websocket: the peer closed with ${this.code}${this.reason === "" ? "" : ` (${this.reason})`}`
  }
}

/** What was accepted and did not leave. */
export class Unsent extends Data.TaggedError("Unsent")<Outcome["unsent"]> {
  override get message(): string {
    return `the connection is over, and ${this.messages} messages and ${this.bytes} bytes were not sent`
  }
}
