/** The failure to build a TLS layer. */
import * as Data from "effect/Data"

/** A certificate, key or list of authorities in the options can't be used: malformed, or not belonging together. */
export class CredentialsError extends Data.TaggedError("CredentialsError")<{
  readonly role: "client" | "server"
  readonly cause: unknown
}> {
  override get message(): string {
    return `the TLS ${this.role}'s credentials can't be used: ${
      this.cause instanceof Error ? this.cause.message : String(this.cause)
    }`
  }
}
