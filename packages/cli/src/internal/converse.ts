/**
 * A conversation between this end and a peer: both ways at once.
 *
 *     the input ends     the peer is told, where that can be; it ends once the peer has ended too, or has been silent for long
 *     the peer ends      where we can go on, what is still piped in is sent; it ends with the input, or once that has been silent
 */
import { messages } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Top } from "../Stack.ts"
import type { InputUnusable, Operator, OutputError } from "./Operator.ts"

/** When it is over. */
export interface Ending {
  /** After so many messages; never by default. */
  readonly count: number | undefined
  /** After so much silence, behind the end of one of the two. */
  readonly linger: Duration.Duration | undefined
  /** Whether each way has an end of its own, and the peer is to be told of ours. */
  readonly halfClose: boolean
}

/** How long to wait for a peer that owes us its end, or messages; and for anything else. */
const patience = Duration.seconds(30)
const impatience = Duration.seconds(1)

/** A message that the connection can't carry; the connection goes on. */
const isRefusal = ({ reason: { _tag } }: ConnectionError): boolean => _tag === "Unencodable" || _tag === "TooLarge"

/** When something passed last, one way. */
class Activity {
  private last = -Infinity

  readonly happens: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (now) => {
    this.last = now
  })

  /** Waits until there was nothing for so long. */
  silent(time: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(time)
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const rest = this.last + millis - now
      return rest <= 0 ? Effect.void : Effect.andThen(Effect.sleep(rest), this.silent(time))
    })
  }
}

export const converse = Effect.fnUntraced(function*(
  connection: Top,
  { input, isPerson, note, show }: Operator,
  { count, halfClose, linger }: Ending
) {
  const hearing = new Activity()
  const saying = new Activity()
  const ended = yield* Deferred.make<void>()
  const received = count === undefined ? messages(connection) : Stream.take(messages(connection), count)
  const receive = Stream.runForEachArray(received, (batch) => Effect.andThen(show(batch), hearing.happens))
  // That the connection is over is told by what receives.
  // What can't be sent takes nothing with it that a person has typed behind it.
  const said = isPerson ? Stream.rechunk(input, 1) : input
  const send = Stream.runForEachArray(said, (batch) =>
    connection.sendAll(batch).pipe(
      Effect.andThen(saying.happens),
      Effect.catch((error) => !isRefusal(error) ? Effect.never : isPerson ? note(error.message) : Effect.fail(error))
    ))
  const heardOut = Effect.gen(function*() {
    yield* Deferred.succeed(ended, undefined)
    if (halfClose) yield* Effect.ignore(connection.end)
    yield* hearing.happens
    yield* hearing.silent(linger ?? (halfClose || count !== undefined ? patience : impatience))
  })
  const saidAll = Effect.gen(function*() {
    if (!halfClose || isPerson || count !== undefined) return
    yield* saying.happens
    yield* Effect.raceFirst(Deferred.await(ended), saying.silent(linger ?? impatience))
  })
  const over: Effect.Effect<void, ConnectionError | InputUnusable | OutputError> = Effect.raceFirst(
    Effect.andThen(receive, saidAll),
    Effect.andThen(send, heardOut)
  )
  yield* Effect.catchTag(over, "OutputClosed", () => Effect.void)
})
