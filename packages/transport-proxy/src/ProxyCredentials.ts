/** Who we are to a proxy. */
import type * as Redacted from "effect/Redacted"

export interface ProxyCredentials {
  readonly username: string
  readonly password: Redacted.Redacted<string>
}
