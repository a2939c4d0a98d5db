/** What can go wrong in the opening handshake, beyond what `ConnectError` has for every layer. */
import { type Headers, values } from "@wirestack/http/Headers"
import { type Reason, Violation } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** The statuses of a server, or of a proxy before it, that can't now and may later. */
const passing = [408, 429, 502, 503, 504]

/** Milliseconds of a Retry-After, which is a number of seconds, or a date by the clock of whoever said it (RFC 9110 section 10.2.3). */
const millisOf = (value: string, date: string | undefined): number => {
  if (/^\d+$/.test(value)) return Number(value) * 1_000
  const millis = date === undefined ? NaN : Date.parse(value) - Date.parse(date)
  return millis > 0 ? millis : 0
}

/**
 * The server answered, but not with an upgrade: to authenticate (401), to go elsewhere (3xx), to come later (503).
 * `body` is the beginning of what it said.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.1
 */
export class UpgradeRejected extends Data.TaggedClass("UpgradeRejected")<{
  readonly status: number
  readonly headers: Headers
  readonly body: string
}> implements Reason {
  get message(): string {
    const [line] = this.body.split("\n", 1)
    return `the upgrade was answered with status ${this.status}${line === "" ? "" : `: ${line.slice(0, 200)}`}`
  }

  /** What a Retry-After of 408, 429, 502, 503 and 504 says; other answers are final. */
  get retryAfter(): number | undefined {
    const { headers, status } = this
    if (!passing.includes(status)) return undefined
    const [value = ""] = values(headers, "retry-after")
    return millisOf(value, values(headers, "date")[0])
  }
}

/** The peer's half of the handshake breaks a rule; `section` is where the rule is written. */
export class UpgradeMalformed extends Data.TaggedClass("UpgradeMalformed")<{
  readonly rule: string
  readonly section: string
}> implements Reason {
  get message(): string {
    return `${this.rule} (${this.section})`
  }
}

/** What breaks HTTP breaks the handshake; anything else stays what it is. */
export const fromHttp = <R>(reason: Violation | R): UpgradeMalformed | R =>
  reason instanceof Violation
    ? new UpgradeMalformed({ rule: reason.rule, section: reason.section ?? "RFC 9112" })
    : reason

/** A server's own decision can't be sent: 300 to 599 are the statuses that refuse. The client got a 500. */
export class InvalidStatus extends Data.TaggedClass("InvalidStatus")<{ readonly status: number }> implements Reason {
  get message(): string {
    return `an upgrade can't be refused with status ${this.status}`
  }
}

/** The server's own rules refused the upgrade, and the client was told with this status. */
export class UpgradeRefused extends Data.TaggedClass("UpgradeRefused")<{
  readonly status: number
  readonly path: string
  readonly origin?: string | undefined
}> implements Reason {
  get message(): string {
    const on = this.origin === undefined ? "" : ` for ${JSON.stringify(this.origin)}`
    return `the upgrade of ${this.path}${on} was refused with status ${this.status}`
  }
}

/**
 * The server's policy does not admit the site on whose behalf a browser connects; `origin` is what the browser said, and
 * `policy` the rule in words.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-10.2
 */
export class OriginRefused extends Data.TaggedClass("OriginRefused")<{
  readonly origin: string | undefined
  readonly policy: string
}> implements Reason {
  get message(): string {
    const who = this.origin === undefined ? "a request without Origin" : `the origin ${JSON.stringify(this.origin)}`
    return `${who} is refused: the policy is ${this.policy}`
  }
}

/** The server sent us elsewhere, where we don't go; `location` is where. */
export class RedirectRefused extends Data.TaggedClass("RedirectRefused")<{
  readonly location: string
  readonly detail: string
}> implements Reason {
  get message(): string {
    return `the redirect to ${JSON.stringify(this.location)} is not followed: ${this.detail}`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly UpgradeRejected: UpgradeRejected
    readonly UpgradeMalformed: UpgradeMalformed
    readonly InvalidStatus: InvalidStatus
    readonly UpgradeRefused: UpgradeRefused
    readonly OriginRefused: OriginRefused
    readonly RedirectRefused: RedirectRefused
  }
}
