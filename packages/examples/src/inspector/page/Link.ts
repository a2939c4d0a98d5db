/** The page's connection: it tells the model what the server says, and comes back when the server does. */
import * as Connection from "@wirestack/protocol/Connection"
import * as Reconnection from "@wirestack/protocol/resilience/Reconnection"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as BrowserWebSocket from "@wirestack/websocket/browser/BrowserWebSocket"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Inspector, type ServerMessage } from "../Inspector.ts"

/** Soon at first, then every 5 seconds. */
const schedule = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("5 seconds")])

/** What happens to the connection. */
export interface Watch {
  /** A connection is there: all is told anew. */
  readonly opened: () => void
  readonly receive: (message: ServerMessage) => void
  readonly state: (state: Reconnection.State) => void
}

/** Keeps connected to `url` until the page is left; gives how a connection is chosen. */
export const start = (url: string, watch: Watch): (id: number) => void => {
  const choices = Effect.runSync(Queue.sliding<number>(1))
  const connect = Effect.tap(Inspector.connect(url), () => Effect.sync(watch.opened))
  const session = Effect.scoped(Effect.gen(function*() {
    const connection = yield* Connection.resilient(connect, { schedule })
    const { changes } = Connection.detail(connection, Reconnection.Reconnection)
    const heard = Stream.runForEach(
      Connection.messages(connection),
      (message) => Effect.sync(() => watch.receive(message))
    )
    const said = Stream.runForEach(
      Stream.fromQueue(choices),
      (id) => Effect.ignore(connection.send({ _tag: "Choose", id }))
    )
    yield* Effect.forkScoped(Effect.ignore(heard))
    yield* Effect.forkScoped(said)
    yield* Stream.runForEach(changes, (state) => Effect.sync(() => watch.state(state)))
  }))
  Effect.runFork(Effect.provide(session, Inspector.over(Codec.json())(BrowserWebSocket.layer())))
  return (id) => void Queue.offerUnsafe(choices, id)
}
