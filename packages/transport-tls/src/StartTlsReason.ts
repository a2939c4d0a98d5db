/** The reasons that asking for TLS in plaintext adds to `ConnectError`. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** The server does not begin TLS. Nothing was said to it in plaintext but the question. */
export class StartTlsRefused extends Data.TaggedClass("StartTlsRefused")<{ readonly detail: string }>
  implements Reason
{
  get message(): string {
    return `the server does not begin TLS: ${this.detail}`
  }
}

/**
 * Something was sent in plaintext behind the last word before TLS, where nobody who keeps the protocol sends anything: whoever is on
 * the way may have put it there, to be taken for what TLS protects.
 */
export class PlaintextInjected extends Data.TaggedClass("PlaintextInjected")<{ readonly size: number }>
  implements Reason
{
  get message(): string {
    return `${this.size} bytes of plaintext came where TLS was to begin`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly StartTlsRefused: StartTlsRefused
    readonly PlaintextInjected: PlaintextInjected
  }
}
