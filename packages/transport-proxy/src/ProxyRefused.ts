/** A proxy said no. */
import type { Headers } from "@wirestack/http/Headers"
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** The proxy does not connect us, for a reason of its own; what SOCKS5 says of the address itself is `Refused`, `Unreachable` or `Forbidden`. */
export class ProxyRefused extends Data.TaggedClass("ProxyRefused")<{
  /** The endpoint of the proxy. */
  readonly proxy: string
  /** The status or reply code it gave. */
  readonly code: number
  readonly detail: string
  /** The headers of an HTTP proxy's answer. */
  readonly headers?: Headers
  /** The beginning of its body, 4 KiB at most. */
  readonly body?: string
}> implements Reason {
  get message(): string {
    return `the proxy ${this.proxy} refused: ${this.detail} (${this.code})`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly ProxyRefused: ProxyRefused
  }
}
