import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { Effect, type Scope } from "effect"

export const connect = Transport.connect(Transport.Datagrams)
export const listen = Transport.listen(Transport.Datagrams)

/** How many sockets the process holds. */
export const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length

/** Runs a program and fails if it leaves anything behind. */
export const tight = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  withoutLeaks(Effect.scoped(program), sockets)

export const quiet = { onIncident: () => Effect.void }

/** One turn of the event loop, whatever the clock says. */
const turn = Effect.promise(() => new Promise<void>((done) => void setImmediate(done)))

/** Waits until something holds, or the test's time is up. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => holds() ? Effect.void : Effect.andThen(turn, until(holds)))

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
