/** What can go wrong on a WebSocket, beyond what `ConnectionError` has for every layer. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** The peer sent more in a time than we allow; it is told so with 1008. */
export class RateExceeded extends Data.TaggedClass("RateExceeded")<{
  readonly what: "messages" | "bytes" | "control frames"
  /** How many a second are allowed. */
  readonly limit: number
}> implements Reason {
  get message(): string {
    const what = this.limit === 1 ? this.what.slice(0, -1) : this.what
    return `more than ${this.limit} ${what} a second`
  }
}

declare module "@wirestack/protocol/ConnectionError" {
  interface ConnectionReasons {
    readonly RateExceeded: RateExceeded
  }
}
