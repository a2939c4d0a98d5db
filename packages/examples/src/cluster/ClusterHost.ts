/** Rooms in a cluster, as a gateway sees them: whichever process a room is in, it is called by its name. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { Away, away, type Host } from "../gateway/Host.ts"
import { Room } from "./RoomEntity.ts"

/** How long a room may take to answer, and be silent. */
const patience = "3 seconds"

/** Why there is no answer. A room that moves interrupts who waits for it in the same process. */
const whyNot = (cause: Cause.Cause<unknown>): Away => {
  const error = Cause.squash(cause)
  return error instanceof Away ? error : away(error)
}

const inTime = <A, E>(answer: Effect.Effect<A, E>): Effect.Effect<A, Away> =>
  Effect.timeoutOrElse(Effect.catchCause(answer, (cause) => Effect.fail(whyNot(cause))), {
    duration: patience,
    orElse: () => Effect.fail(away("the room does not answer"))
  })

/** The host of one gateway. */
export const make = Effect.gen(function*() {
  const called = yield* Room.client
  const gateway = randomUUID()
  const host: Host = {
    follow: (room, after, people) =>
      Stream.suspend(() =>
        called(room).Follow({ gateway, people: people(), ...after !== undefined && { after } }).pipe(
          Stream.catchCause((cause) => Stream.fail(whyNot(cause))),
          Stream.timeoutOrElse({
            duration: patience,
            orElse: () => Stream.fail(away("the room is silent"))
          })
        )
      ),
    enter: (room, person) => inTime(called(room).Enter({ gateway, person })),
    leave: (room, name) => inTime(called(room).Leave({ gateway, name })),
    say: (room, speech) => inTime(called(room).Say(speech))
  }
  return host
})
