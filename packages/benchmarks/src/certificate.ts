/** A certificate for this machine and its key, in PEM. */
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Serving } from "./Serving.ts"

/** Made once; it lives as long as this process. */
export const certificate: () => Promise<NonNullable<Serving["tls"]>> = () => made

const made = Effect.runPromise(
  Effect.map(
    DevelopmentCertificates.localhost,
    ({ identity }) => ({ cert: identity.certificate, key: Redacted.value(identity.key) })
  )
)
