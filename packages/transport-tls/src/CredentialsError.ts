/** The failure to build a TLS layer. */

import * as Data from "effect/Data"

/** A certificate, key, list of authorities or algorithm in the options can't be used: malformed, not belonging together, or unknown here. */
export class CredentialsError extends Data.TaggedError("CredentialsError")<{
  readonly role: "client" | "server"
  /** Which of the options, if that is known. */
  readonly option?: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `the TLS ${this.role}'s ${this.option ?? "credentials"} can't be used: ${
      this.cause instanceof Error ? this.cause.message : String(this.cause)
    }`
  }
}
