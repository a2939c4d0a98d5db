/** Who a server is to whom: its identities by name, each the latest, ready for handshakes. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import type * as NodeTls from "node:tls"
import { CredentialsError } from "../CredentialsError.ts"
import type { Identity } from "../Identity.ts"
import type { ServerOptions, Tickets } from "../ServerOptions.ts"
import { latest } from "./latest.ts"
import { secureContext } from "./secureContext.ts"
import { soundServer } from "./sound.ts"

/** An identity, ready for handshakes. */
export interface Standing {
  readonly context: NodeTls.SecureContext
  readonly ocspResponse: Uint8Array | undefined
}

export interface Identities {
  /** For who asks for no name, or for one that is not known. */
  readonly fallback: () => Standing
  readonly named: ReadonlyMap<string, () => Standing>
  /** Whether one of them has had something to staple. */
  readonly staples: () => boolean
}

/** The identity for a name: its own, or that of a wildcard for its last labels. */
export const standingFor = ({ named }: Identities, name: string): Standing | undefined => {
  const key = name.toLowerCase()
  return (named.get(key) ?? named.get(`*${key.slice(Math.max(0, key.indexOf(".")))}`))?.()
}

/** The tickets a server is to give, if any. */
const ticketsOf = <E, R>({ clientCertificates, psk, tickets }: ServerOptions<E, R>): Tickets<E, R> | undefined => {
  const given = tickets ?? (clientCertificates === undefined && psk === undefined)
  return given === false ? undefined : given === true ? {} : given
}

const protect = ({ context }: Standing, keys: Uint8Array): Effect.Effect<void, CredentialsError> =>
  Effect.try({
    try: () => void context.context.setTicketKeys(Buffer.from(keys)),
    catch: (cause) => new CredentialsError({ role: "server", cause })
  })

/** Makes them, and watches those that change. */
export const serverIdentities = <E, R>(
  options: ServerOptions<E, R>
): Effect.Effect<Identities, E | CredentialsError, R | Scope.Scope> =>
  Effect.gen(function*() {
    yield* soundServer(options)
    const watch = { role: "server", onUnusable: options.onUnusable } as const
    const tickets = ticketsOf(options)
    const lifetime = tickets?.lifetime ?? "1 hour"
    let keys: Redacted.Redacted<Uint8Array> | undefined
    let staples = false

    const stand = (identity: Identity | undefined): Effect.Effect<Standing, CredentialsError> => {
      const terms = { options, authorities: options.clientCertificates, tickets: tickets && { keys, lifetime } }
      return Effect.map(secureContext("server", identity, terms), (context) => {
        const ocspResponse = identity?.ocspResponse
        if (ocspResponse !== undefined) staples = true
        return { context, ocspResponse }
      })
    }

    // Tickets are made and accepted by this one, whatever name a client asks for.
    const identity = options.identity === "none" ? undefined : options.identity
    const fallback = yield* latest<Identity | undefined, Standing, E, R>(identity, stand, watch)
    if (tickets?.keys !== undefined) {
      const use = (given: Redacted.Redacted<Uint8Array>) =>
        Effect.map(protect(fallback(), Redacted.value(given)), () => void (keys = given))
      yield* latest(tickets.keys, use, watch)
    }
    // Who resumed would not see the new identity of a name.
    const forget = tickets === undefined || tickets.keys !== undefined
      ? Effect.void
      : Effect.suspend(() => protect(fallback(), randomBytes(48)))
    const renew = (identity: Identity) => Effect.tap(stand(identity), () => forget)
    const named = new Map<string, () => Standing>()
    for (const [name, identity] of Object.entries(options.identities ?? {})) {
      named.set(name.toLowerCase(), yield* latest(identity, renew, watch))
    }
    return { fallback, named, staples: () => staples }
  })
