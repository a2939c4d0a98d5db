import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { resources } from "@wirestack/test-support"
import { Effect, type Scope } from "effect"

export const connect = Transport.connect(Transport.Datagrams)
export const listen = Transport.listen(Transport.Datagrams)

/** Runs a program and fails if it leaves anything behind. */
export const tight = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  withoutLeaks(Effect.scoped(program), resources)

export const quiet = { onIncident: () => Effect.void }

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
