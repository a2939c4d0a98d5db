/** Options that make no sense together, or would protect less than they say. */
import * as Effect from "effect/Effect"
import { CredentialsError } from "../CredentialsError.ts"
import type { ServerOptions } from "../ServerOptions.ts"

const refuse = (role: CredentialsError["role"], detail: string): Effect.Effect<void, CredentialsError> =>
  Effect.fail(new CredentialsError({ role, cause: new Error(detail) }))

/** Whether a server's options make sense. */
export const soundServer = <E, R>(
  { clientCertificates, identity, pins, psk, tickets = false }: ServerOptions<E, R>
): Effect.Effect<void, CredentialsError> => {
  if (identity === "none" && psk === undefined) {
    return refuse("server", "a server has an identity, or keys that it shares with clients")
  }
  if (psk !== undefined && tickets !== false) {
    return refuse("server", "who resumes by a ticket does not say which key it shares")
  }
  return pins !== undefined && clientCertificates === undefined
    ? refuse("server", "clients are not asked for the certificates whose keys are pinned")
    : Effect.void
}
