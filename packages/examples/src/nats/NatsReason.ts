/** What a server of NATS says no to. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** The server does not want us, such as for a wrong password. */
export class NatsRefused extends Data.TaggedClass("NatsRefused")<{ readonly detail: string }> implements Reason {
  get message(): string {
    return `the server refused: ${this.detail}`
  }
}

/** The server has ended the connection, and said why, such as `Stale Connection`. */
export class NatsFailed extends Data.TaggedClass("NatsFailed")<{ readonly detail: string }> implements Reason {
  get message(): string {
    return `the server ended the connection: ${this.detail}`
  }
}

/** The server does not let us publish or subscribe; the connection goes on. */
export class NotPermitted extends Data.TaggedError("NotPermitted")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** Nobody is there to answer a request. */
export class NoResponders extends Data.TaggedError("NoResponders")<{ readonly subject: string }> {
  override get message(): string {
    return `nobody answers on ${this.subject}`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly NatsRefused: NatsRefused
  }
}

declare module "@wirestack/protocol/ConnectionError" {
  interface ConnectionReasons {
    readonly NatsFailed: NatsFailed
  }
}
