/**
 * A server's own no, with which the decision about an upgrade fails: authentication, routing, rate, maintenance.
 *
 *     new Refusal({ status: 401, headers: [["WWW-Authenticate", "Bearer"]] })
 *     new Refusal({ status: 307, headers: [["Location", "https://b.example/chat"]] })
 *     new Refusal({ status: 503, headers: [["Retry-After", "30"]], body: "come back later\n" })
 *
 * The client gets it as an HTTP answer, and the connection is closed. It is for the client: what the server should know
 * of it goes to its own log.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
 */
import type { Headers } from "@wirestack/http/Headers"
import * as Data from "effect/Data"

/** What the client is answered instead of an upgrade. */
export class Refusal extends Data.TaggedError("Refusal")<{
  /** From 300 to 599. */
  readonly status: number
  /** Further headers; a `Content-Type` among them is the one of the body. */
  readonly headers?: Headers | undefined
  /** What the answer says: text in UTF-8, or bytes; by default what the status means. */
  readonly body?: string | Uint8Array | undefined
}> {
  override get message(): string {
    return `the upgrade is refused with status ${this.status}`
  }
}
