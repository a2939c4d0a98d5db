/**
 * The page's connection: it connects the model to the server, for as long as there is one to connect to.
 *
 * It is a resilient connection, and what loses nothing is the chat's own: the numbers of rooms and the keys of messages (see `Model`). A
 * session of `Resume` would do for a server that lives on, but not for a tab that is reloaded, or for a server that knows nothing of what
 * another one has promised. Here the only state is what rooms remember, which a chat has to keep anyway: what was said is kept before
 * anybody is told of it, so whatever a page has seen is there for all others, and what it has not seen confirmed it says again.
 *
 * What is said while there is no connection waits in two places, with the same key: in the model, which says it first of all on
 * the next connection, and in the resilient connection, behind it. So the order is kept, and the server drops what comes twice.
 */
import * as Connection from "@wirestack/protocol/Connection"
import * as EstablishmentReport from "@wirestack/protocol/reports/EstablishmentReport"
import * as Reconnection from "@wirestack/protocol/resilience/Reconnection"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as BrowserWebSocket from "@wirestack/websocket/browser/BrowserWebSocket"
import * as Page from "@wirestack/websocket/browser/Page"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Chat, type ClientMessage } from "../Chat.ts"
import type { Model } from "./Model.ts"

/** What a connection is like that is there. */
export interface Facts {
  readonly report: EstablishmentReport.EstablishmentReport
  readonly socket: BrowserWebSocket.BrowserWebSocket["Service"]
}

/** What happens to the connection. */
export interface Watch {
  readonly state: (state: Reconnection.State) => void
  readonly opened: (facts: Facts) => void
}

export interface Client {
  /** Sends in order, at once or when there is a connection. */
  readonly send: (messages: ReadonlyArray<ClientMessage>) => void
  /** Connects now: instead of waiting on, or again when all was over. */
  readonly restart: () => void
}

/** Soon at first, then every 15 seconds, and by chance a little earlier, as others come back at the same time. */
const schedule = Schedule.modifyDelay(
  Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("15 seconds")]),
  ({ duration }) => Effect.map(Random.next, (random) => Duration.times(duration, (1 + random) / 2))
)

const isBatch = (messages: ReadonlyArray<ClientMessage>): messages is Connection.Batch<ClientMessage> =>
  messages.length > 0

class Link implements Client {
  private readonly restarts = Effect.runSync(Queue.sliding<void>(1))
  private outgoing = Effect.runSync(Queue.unbounded<ClientMessage>())
  private readonly model: Model
  private readonly watch: Watch

  constructor(model: Model, watch: Watch) {
    this.model = model
    this.watch = watch
  }

  send(messages: ReadonlyArray<ClientMessage>): void {
    Queue.offerAllUnsafe(this.outgoing, messages)
  }

  restart(): void {
    Queue.offerUnsafe(this.restarts, undefined)
  }

  /** Connects, and greets on each connection before anything else is said there. */
  private get connect() {
    return Effect.tap(Chat.connect<BrowserWebSocket.BrowserWebSocket>(Page.endpoint("/chat")), (chat) => {
      this.watch.opened({
        report: EstablishmentReport.of(chat),
        socket: Connection.detail(chat, BrowserWebSocket.BrowserWebSocket)
      })
      const greetings = this.model.greetings()
      return isBatch(greetings) ? Effect.ignore(chat.sendAll(greetings)) : Effect.void
    })
  }

  /** One connection after the other, until it is over for good. */
  private readonly session = Effect.scoped(Effect.gen({ self: this }, function*() {
    const outgoing = this.outgoing = yield* Queue.unbounded<ClientMessage>()
    const connection = yield* Connection.resilient(this.connect, { schedule, between: { buffer: 256 } })
    const { changes, restart } = Connection.detail(connection, Reconnection.Reconnection)
    const heard = Stream.runForEach(
      Connection.messages(connection),
      (message) => Effect.map(Clock.currentTimeMillis, (now) => this.model.receive(message, now))
    )
    yield* Effect.forkScoped(Effect.ignore(heard))
    yield* Effect.forkScoped(Effect.ignore(Stream.runForEach(Stream.fromQueue(outgoing), connection.send)))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Queue.take(this.restarts), restart)))
    yield* Page.onReturn(restart)
    yield* Stream.runForEach(changes, (state) => Effect.sync(() => this.watch.state(state)))
  }))

  /** Goes on until interrupted: when all is over, with the next restart. */
  readonly run = Effect.forever(Effect.andThen(this.session, Queue.take(this.restarts)))
}

/** Keeps the model connected to the server of the page, until the page is left. */
export const start = (model: Model, watch: Watch): Client => {
  const link = new Link(model, watch)
  Effect.runFork(Effect.provide(link.run, Chat.over(Codec.json())(BrowserWebSocket.layer())))
  return link
}
