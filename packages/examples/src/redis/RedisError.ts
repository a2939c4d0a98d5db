/** A server said no. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** The answer to a command is an error, such as `WRONGTYPE`; the connection goes on. */
export class RedisError extends Data.TaggedError("RedisError")<{ readonly code: string; readonly detail: string }> {
  override get message(): string {
    return `${this.code} ${this.detail}`
  }
}

/** The server does not want us, such as for a wrong password (`WRONGPASS`) or without one (`NOAUTH`). */
export class RedisRefused extends Data.TaggedClass("RedisRefused")<{ readonly code: string; readonly detail: string }>
  implements Reason
{
  get message(): string {
    return `the server refused: ${this.detail} (${this.code})`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly RedisRefused: RedisRefused
  }
}
