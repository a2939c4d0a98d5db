/** What can go wrong in the opening handshake, beyond what `ConnectError` has for every layer. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"
import type { Headers } from "./Headers.ts"

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
    return `the upgrade was answered with status ${this.status}`
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

/** A header of our own half of the handshake can't be sent. Nothing was. */
export class InvalidHeader extends Data.TaggedClass("InvalidHeader")<{
  readonly name: string
  readonly detail: string
}> implements Reason {
  get message(): string {
    return `the header ${JSON.stringify(this.name)} can't be sent: ${this.detail}`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly UpgradeRejected: UpgradeRejected
    readonly UpgradeMalformed: UpgradeMalformed
    readonly InvalidHeader: InvalidHeader
  }
}
