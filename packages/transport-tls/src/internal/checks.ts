/** The checks beyond the built-in verification. */
import { ConnectError } from "@wirestack/protocol/ConnectError"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Checks } from "../Options.ts"
import type { Pin } from "../Pin.ts"
import type { TlsInfo } from "../TlsInfo.ts"
import { CertificateInvalid } from "../TlsReason.ts"

type Info = TlsInfo["Service"]

/** The checks with the services they need. */
export const ready = <R>({ pins, verify }: Checks<R>): Effect.Effect<Checks, never, R> =>
  Effect.contextWith((services: Context.Context<R>) =>
    Effect.succeed({
      ...(pins === undefined ? undefined : { pins }),
      ...(verify === undefined
        ? undefined
        : { verify: (info: Info) => Effect.provideContext(verify(info), services) })
    })
  )

/** What is wrong with the keys of a peer that has presented a certificate. */
const pinned = ({ chain }: Info, pins: ReadonlyArray<Pin>): CertificateInvalid | undefined => {
  if (chain.length === 0 || chain.some(({ pin }) => pins.includes(pin))) return undefined
  const detail = `none of ${chain.map(({ pin }) => pin).join(", ")} is pinned, but ${pins.join(", ")}`
  return new CertificateInvalid({ code: "pin-mismatch", detail, cause: undefined })
}

const rejected = (cause: unknown): CertificateInvalid =>
  new CertificateInvalid({ code: "rejected", detail: cause instanceof Error ? cause.message : String(cause), cause })

const refuse = (reason: CertificateInvalid) => Effect.fail(new ConnectError({ layer: "tls", reason }))

/** Lets a peer pass, or says why not. */
export const check = (info: Info, { pins, verify }: Checks): Effect.Effect<void, ConnectError> => {
  const mismatch = pins === undefined ? undefined : pinned(info, pins)
  if (mismatch !== undefined) return refuse(mismatch)
  return verify === undefined ? Effect.void : Effect.catch(verify(info), (cause) => refuse(rejected(cause)))
}
