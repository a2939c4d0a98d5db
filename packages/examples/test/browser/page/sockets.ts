/** Connections of messages on the browser's WebSocket. */
import * as Connection from "@wirestack/protocol/Connection"
import * as Heartbeat from "@wirestack/protocol/liveness/Heartbeat"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Transport from "@wirestack/protocol/Transport"
import { BrowserCloseCode, BrowserWebSocket } from "@wirestack/websocket/browser"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"

export interface Where {
  readonly url: string
  readonly offers?: ReadonlyArray<string>
  readonly options?: BrowserWebSocket.Options
}

type Live = Connection.Connection<Transport.Message, Transport.Message, BrowserWebSocket.BrowserWebSocket>

const connect = ({ offers = [], url }: Where) =>
  Transport.connect({ ...Transport.Messages, offers })<BrowserWebSocket.BrowserWebSocket>(url)

const using = <A, E>(where: Where, use: (connection: Live) => Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.flatMap(connect(where), use).pipe(
    Effect.scoped,
    Effect.provide(BrowserWebSocket.layer(where.options)),
    Effect.runPromise
  )

const told = ({ clean, error, first, received, sent, undelivered, unsent }: Outcome) => ({
  clean,
  first,
  received,
  sent,
  undelivered,
  unsent: unsent.bytes,
  error: error?.reason._tag
})

/** What connecting fails with. */
export const refusal = (where: Where) =>
  Effect.map(Effect.flip(connect(where)), ({ layer, message, reason }) => ({ layer, message, tag: reason._tag })).pipe(
    Effect.scoped,
    Effect.provide(BrowserWebSocket.layer(where.options)),
    Effect.runPromise
  )

const hash = (message: Transport.Message): number => {
  let sum = 0
  for (let i = 0; i < message.length; i++) {
    sum = (Math.imul(sum, 31) + (typeof message === "string" ? message.charCodeAt(i) : message[i])) | 0
  }
  return sum
}

const print = (message: Transport.Message) => `${typeof message} of ${message.length}, hash ${hash(message)}`

/** Sends messages of every kind and size to an echo, and gives what came back beside what was sent. */
export const echo = (where: Where) =>
  using(where, (connection) =>
    Effect.gen(function*() {
      const large = Uint8Array.from({ length: 1_048_576 }, (_, n) => n * 7 + (n >> 8))
      const messages = ["text", "", new Uint8Array(0), new Uint8Array([0, 255]), "ä€😀x".repeat(100_000), large, "end"]
      yield* Effect.forkChild(Effect.forEach(messages, connection.send))
      const received: Array<Transport.Message> = []
      while (received.length < messages.length) received.push(...yield* connection.pull)
      const { extensions } = Connection.detail(connection, BrowserWebSocket.BrowserWebSocket)
      return { extensions, sent: messages.map(print), received: received.map(print) }
    }))

/** Closes with a code and a reason. */
export const closing = ({ code, reason, ...where }: Where & { readonly code: number; readonly reason: string }) =>
  using(where, (connection) => {
    const { close } = Connection.detail(connection, BrowserWebSocket.BrowserWebSocket)
    return Effect.map(close(Option.getOrThrow(BrowserCloseCode.make(code)), reason), told)
  })

/** Says something, if it is given that, and receives until the peer closes. */
export const closed = ({ says, ...where }: Where & { readonly says?: string }) =>
  using(where, (connection) =>
    Effect.gen(function*() {
      if (says !== undefined) yield* Effect.ignore(connection.send(says))
      yield* Effect.exit(Effect.forever(connection.pull))
      return told(yield* connection.closed)
    }))

const scope = Scope.makeUnsafe()

/** The connection that is held, which nobody pulls. */
let held: Live

/** Opens a connection and pulls nothing. */
export const hold = (where: Where): Promise<string> =>
  connect(where).pipe(
    Effect.map((connection) => {
      held = connection
      return Connection.detail(connection, BrowserWebSocket.BrowserWebSocket).api
    }),
    Scope.provide(scope),
    Effect.provide(BrowserWebSocket.layer(where.options)),
    Effect.runPromise
  )

/** Sends so many messages of a size on it. */
export const push = ({ count, size }: { readonly count: number; readonly size: number }): Promise<void> =>
  Effect.runPromise(
    Effect.forEach(Array.from({ length: count }), () => held.send(new Uint8Array(size)), { discard: true })
  )

/** Pulls all that it has, until its end, or so many messages. */
export const drain = (most: number) =>
  Effect.gen(function*() {
    const sizes: Array<number> = []
    const report = (outcome?: Outcome) => ({
      messages: sizes.length,
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      outcome: outcome && told(outcome)
    })
    while (sizes.length < most) {
      const pulled = yield* Effect.exit(held.pull)
      if (Exit.isFailure(pulled)) return report(yield* held.closed)
      sizes.push(...pulled.value.map(({ length }) => length))
    }
    return report()
  }).pipe(Effect.runPromise)

/** Listens for so long with a heartbeat, and gives how that ended. */
export const beating = ({ millis, ...where }: Where & { readonly millis: number }) =>
  Effect.gen(function*() {
    const connection = yield* Transport.connect(Transport.Messages)(where.url)
    const exit = yield* Effect.timeoutOption(Effect.exit(connection.pull), millis)
    return Option.isNone(exit) ? "alive" : told(yield* connection.closed).error
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Heartbeat.over({ interval: "50 millis", timeout: "100 millis" })(BrowserWebSocket.layer(where.options))
    ),
    Effect.runPromise
  )
