/** A conversation between this end and a peer: both ways at once, until one has nothing more to say. */
import { messages } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Top } from "../Stack.ts"
import type { InputUnusable, Operator, OutputClosed } from "./Operator.ts"

/** When it is over. */
export interface Ending {
  /** After so many messages; never by default. */
  readonly count: number | undefined
  /** After so much silence behind the end of the input. */
  readonly linger: Duration.Duration | undefined
  /** Whether the peer is told of the end of the input. */
  readonly halfClose: boolean
}

/** How long to wait for a peer that can say that it has ended, or that owes us messages; and for one of which nothing is known. */
const patience = Duration.seconds(30)
const impatience = Duration.seconds(1)

/** A message that the connection can't carry; the connection goes on. */
const isRefusal = ({ reason: { _tag } }: ConnectionError): boolean => _tag === "Unencodable" || _tag === "TooLarge"

/** Tells the peer that nothing more comes, and whether it could be told. */
const halfClosed = ({ end }: Top): Effect.Effect<boolean> =>
  Effect.match(end, { onFailure: () => false, onSuccess: () => true })

export const converse = (
  connection: Top,
  { input, isPerson, note, show }: Operator,
  { count, halfClose, linger }: Ending
): Effect.Effect<void, ConnectionError | InputUnusable> => {
  let heard = 0
  const received = count === undefined ? messages(connection) : Stream.take(messages(connection), count)
  const receive = Stream.runForEachArray(received, (batch) =>
    Effect.andThen(
      show(batch),
      Effect.map(Clock.currentTimeMillis, (now) => {
        heard = now
      })
    ))
  // That it is over is told by what receives.
  const send = Stream.runForEachArray(
    input,
    (batch) =>
      Effect.catchTag(
        connection.sendAll(batch),
        "ConnectionError",
        (error) => !isRefusal(error) ? Effect.never : isPerson ? note(error.message) : Effect.fail(error)
      )
  )
  const silence = (millis: number): Effect.Effect<void> =>
    Effect.flatMap(
      Clock.currentTimeMillis,
      (now) =>
        now - heard >= millis ? Effect.void : Effect.andThen(Effect.sleep(millis - (now - heard)), silence(millis))
    )
  const leave = Effect.gen(function*() {
    const ended = halfClose && (yield* halfClosed(connection))
    heard = Math.max(heard, yield* Clock.currentTimeMillis)
    yield* silence(Duration.toMillis(linger ?? (ended || count !== undefined ? patience : impatience)))
  })
  return Effect.catchTag(
    Effect.raceFirst(receive, Effect.andThen(send, leave)),
    "OutputClosed",
    (_: OutputClosed) => Effect.void
  )
}
