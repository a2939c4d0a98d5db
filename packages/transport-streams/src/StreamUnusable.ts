/** A stream that was handed over can't be a connection. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** What was opened or accepted can't carry a connection: it is in object mode, is in use already, or is over. It is left as it was. */
export class StreamUnusable extends Data.TaggedClass("StreamUnusable")<{ readonly detail: string }> implements Reason {
  get message(): string {
    return `the stream can't be used: ${this.detail}`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly StreamUnusable: StreamUnusable
  }
}

declare module "@wirestack/protocol/ListenError" {
  interface ListenReasons {
    readonly StreamUnusable: StreamUnusable
  }
}
