/** Options that make no sense together, or would protect less than they say. */
import * as Effect from "effect/Effect"
import type { ClientOptions } from "../ClientOptions.ts"
import { CredentialsError } from "../CredentialsError.ts"
import type { Authorities } from "../Identity.ts"
import type { Checks, CommonOptions } from "../Options.ts"
import type { ServerOptions } from "../ServerOptions.ts"
import { faultOf } from "./sharedKey.ts"
import { unspeakable } from "./unspeakable.ts"

const refuse = (role: CredentialsError["role"], detail: string): Effect.Effect<void, CredentialsError> =>
  Effect.fail(new CredentialsError({ role, cause: new Error(detail) }))

/** The longest name of a key that Node takes. */
const maxName = 256

/** The form of a pin whose digest has 32 bytes. */
const pin = /^sha256\/[A-Za-z0-9+/]{43}=$/

/** Whether what both roles have makes sense. */
const sound = (
  role: CredentialsError["role"],
  authorities: Authorities | undefined,
  { alpn = [], cipherSuites, groups, pins = [] }: CommonOptions & Checks<any>
): Effect.Effect<void, CredentialsError> => {
  const unreadable = pins.find((text) => !pin.test(text))
  if (unreadable !== undefined) return refuse(role, `${unreadable} is no SHA-256 digest in Base64`)
  if (unspeakable(alpn) !== undefined) return refuse(role, "a name for ALPN has 1 to 255 bytes")
  // Of none OpenSSL makes its own, and of no lists no question.
  if (cipherSuites?.length === 0 || groups?.length === 0) return refuse(role, "there is no cipher suite or no group")
  return authorities?.crl?.length === 0 ? refuse(role, "there is no list of revoked certificates") : Effect.void
}

/** Whether a client's options make sense. */
export const soundClient = <E, R>(
  authorities: Authorities | undefined,
  options: ClientOptions<E, R>
): Effect.Effect<void, CredentialsError> => {
  const { psk } = options
  const fault = psk === undefined ? undefined : faultOf(psk.key)
  if (fault !== undefined) return refuse("client", fault)
  if (psk !== undefined && Buffer.byteLength(psk.identity) > maxName) {
    return refuse("client", `the name of a key has more than ${maxName} bytes`)
  }
  return sound("client", authorities, options)
}

/** Whether a server's options make sense. */
export const soundServer = <E, R>(options: ServerOptions<E, R>): Effect.Effect<void, CredentialsError> => {
  const { clientCertificates, identity, pins, psk, tickets = false } = options
  if (identity === "none" && psk === undefined) {
    return refuse("server", "a server has an identity, or keys that it shares with clients")
  }
  if (psk !== undefined && tickets !== false) {
    return refuse("server", "who resumes by a ticket does not say which key it shares")
  }
  if (pins !== undefined && clientCertificates === undefined) {
    return refuse("server", "clients are not asked for the certificates whose keys are pinned")
  }
  return sound("server", clientCertificates, options)
}
