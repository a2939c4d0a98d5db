/** An identity in files, which a program such as an ACME client renews. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Identity } from "./Identity.ts"

/** Where an identity is. */
export interface Files {
  /** The certificate and those between it and the authority, in PEM. */
  readonly certificate: string
  /** The private key in PEM. */
  readonly key: string
  /** The passphrase of the key, if it is encrypted. */
  readonly passphrase?: Redacted.Redacted<string>
}

const equal = (one: Identity, other: Identity): boolean =>
  one.certificate === other.certificate && Redacted.value(one.key) === Redacted.value(other.key)

/**
 * The identity, and each that is there later; a minute apart by default. It is looked for by reading, which also sees what replaces a
 * link or a folder. If the files can't be read at first, it fails; later that is logged, and looked at again the next time.
 */
export const watch = (
  { certificate, key, passphrase }: Files,
  every: Duration.Input = "1 minute"
): Stream.Stream<Identity, PlatformError, FileSystem.FileSystem> => {
  const read = Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const identity: Identity = {
      certificate: yield* files.readFileString(certificate),
      key: Redacted.make(yield* files.readFileString(key)),
      ...(passphrase === undefined ? undefined : { passphrase })
    }
    return identity
  })
  const again = Effect.catch(
    Effect.map(read, (identity) => [identity]),
    (error) => Effect.as(Effect.logWarning("can't read the TLS identity:", error), [])
  )
  const later = Stream.fromSchedule(Schedule.spaced(every)).pipe(
    Stream.mapEffect(() => again),
    Stream.flattenIterable
  )
  return Stream.fromEffect(read).pipe(Stream.concat(later), Stream.changesWith(equal))
}
