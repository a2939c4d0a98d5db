/** A server said no. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** The server does not want us: a password, a name, its own state. The code is that of its CONNACK, by the version that is spoken. */
export class MqttRefused extends Data.TaggedClass("MqttRefused")<{ readonly code: number; readonly detail: string }>
  implements Reason
{
  get message(): string {
    return `the server refused: ${this.detail} (${this.code})`
  }
}

/** The server does not take a message, or gives us no subscription; the connection goes on. */
export class NotPermitted extends Data.TaggedError("NotPermitted")<{
  readonly what: "publish" | "subscribe"
  readonly topic: string
  readonly code: number
}> {
  override get message(): string {
    return `the server does not let us ${this.what} ${JSON.stringify(this.topic)} (${this.code})`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly MqttRefused: MqttRefused
  }
}
