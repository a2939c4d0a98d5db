/** Why a browser opened no WebSocket, which it tells no page. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/**
 * The browser opened no WebSocket, and keeps the reason to itself and its console, so that pages can't explore networks: nobody listens
 * there, the network is down, the certificate is not trusted, the content policy forbids it, the server answered with another status (such
 * as 403 to a foreign origin), or did not select a subprotocol that was offered. As any of it may pass, it is tried again where others that
 * may pass are.
 *
 * @see https://websockets.spec.whatwg.org/#feedback-from-the-protocol
 */
export class OpeningFailed extends Data.TaggedClass("OpeningFailed")<{
  readonly url: string
  /** The subprotocols that were offered. */
  readonly offered: ReadonlyArray<string>
}> implements Reason {
  get message(): string {
    return `${this.url} could not be opened; browsers don't tell why`
  }
  get retryAfter(): number {
    return 0
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly OpeningFailed: OpeningFailed
  }
}
