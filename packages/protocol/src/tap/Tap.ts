/**
 * Shows what passes between two layers, to whoever listens, and changes nothing of it.
 *
 *     const recording = Recording.make()
 *     const stack = Tcp.layer().pipe(
 *       Tls.server({ identity }),
 *       Tap.over(Transport.Bytes)({ name: "under websocket", to: [recording.sink] }),
 *       WebSocket.server(),
 *       Chat.over(Codec.json()),
 *       Tap.over(Chat)({ name: "chat", to: [Tap.log()] })
 *     )
 *
 *                above                       A tap is no layer: it stands in for the wire it is put on, under the name of that
 *     sent         |  ^    received          layer. Reports and outcomes are the same with it and without it.
 *     ------------ + -+ ------------> sinks
 *                  v  |
 *                below
 *
 * The contract:
 *
 * - **Nothing changes**: neither order, batches and backpressure, nor half-close, goodbyes and their codes. What is lent stays lent. A
 *   layer that takes the socket of the system from the layer below (TLS on Node) goes through the tap instead.
 * - **Sinks look, and copy what they keep.** What they are shown is only theirs during the call: the layer above may write to it next.
 *   A sink that throws is told nothing more of that connection but its end; one that throws when it is asked is told nothing. The
 *   connection goes on.
 * - **Who declines costs nothing.** A connection for which no sink gives a probe is not tapped at all.
 * - **Secrets are masked** before a sink sees them, as far as a tap can know them (`Redact.secrets`): credentials in the head of HTTP, and the
 *   secrets of `Resume`. It can't know a password in a message, what a client's WebSocket frame has masked, the query of a URL, or a login that
 *   is bytes, as that of SOCKS5 is: say those with `redact`, and tap above the layer that finds their boundaries.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Connection } from "../Connection.ts"
import * as Endpoint from "../Endpoint.ts"
import { kindOf, numberOf, put, type Where } from "../internal/tap/put.ts"
import { withRun } from "../Listener.ts"
import type { EndOfInput, Outcome } from "../Outcome.ts"
import type { Over } from "../Protocol.ts"
import { type At, layer, type Shape, type Transport } from "../Transport.ts"
import type { Redact } from "./Redact.ts"

export {
  /** The sink that logs. */
  log
} from "./log.ts"

/** The two ways of a connection, as seen from the end where the tap is. */
export type Way = "sent" | "received"

/** What a tap knows of the connection it is on. */
export interface Subject {
  /** The tap, of which each connection and place in its stack has one. */
  readonly tap: number
  /** The connection, which all taps of its stack name alike. */
  readonly id: number
  /** The connection itself, to be asked for its reports and details, also later. */
  readonly connection: Connection<unknown, never, unknown>
  /** What the place in the stack is called. */
  readonly name: string
  /** What passes there. */
  readonly kind: Kind
  readonly role: "client" | "server"
  /** The layer below. */
  readonly layer: string
  /** Where it leads, or the address that was listened on. The query of a URL is left out. */
  readonly endpoint: string
  /** The address that it was accepted from, where there are addresses. */
  readonly peer: string | undefined
  /** Milliseconds of the epoch at which it was asked for, or began to be handled: the times of a tap are counted from there. */
  readonly since: number
  /** Runs what a sink has to do as an Effect, with the services of the connection. */
  readonly run: (effect: Effect.Effect<void>) => void
}

/** What the messages of a shape are; those of typed protocols are values. */
export type Kind = "bytes" | "messages" | "datagrams" | "records" | "values"

/** Is told what passes on one connection; times are in milliseconds since its beginning. */
export interface Probe {
  /** A message or chunk has passed; it is only lent for the time of the call. */
  readonly passed: (way: Way, message: unknown, at: number) => void
  /** Nothing more passes this way: our output has ended, or the peer's has. */
  readonly ended: (way: Way, how: EndOfInput, at: number) => void
  /** Every layer has closed. */
  readonly closed: (outcome: Outcome, at: number) => void
}

/** Is asked for a probe by each connection when the tap is put on it; undefined declines. */
export type Sink = (subject: Subject) => Probe | undefined

/** What a tap shows, and to whom. */
export interface Options {
  /** What the place in the stack is called; by default as the layer below. */
  readonly name?: string
  readonly to: ReadonlyArray<Sink>
  /** Masks more than the secrets that a tap knows. */
  readonly redact?: Redact
  /** Whether those are masked, the default, or shown. */
  readonly secrets?: "mask" | "show"
}

/**
 * Puts a tap on a stack, between any two layers of the shape.
 *
 * @category layers
 */
export const over = <S, CIn, COut, SIn, SOut>(shape: Shape<S, CIn, COut, SIn, SOut>) =>
(
  options: Options
): Over<S, never, S, never> => {
  const kind = kindOf(shape)
  const tapped = ({ connect, listen }: Transport<CIn, COut, SIn, SOut>): Transport<CIn, COut, SIn, SOut> => ({
    connect: (ask) => {
      const where: Where = { kind, role: "client", endpoint: shownOf(ask.endpoint) }
      return Effect.flatMap(connect(ask), (connection) => put(connection, options, where))
    },
    listen: (ask) =>
      Effect.map(listen(ask), (listener) => {
        const where: Where = { kind, role: "server", endpoint: shownOf(listener.address) }
        const run: typeof listener.run = (handler, runOptions) =>
          listener.run((connection) => Effect.flatMap(put(connection, options, where), handler) as any, runOptions)
        return withRun(listener, run)
      })
  })
  return ((stack: Layer.Layer<At<S, any>, any, any>) =>
    Layer.provide(layer(shape, Effect.map(shape.key, tapped)), stack)) as any
}

/**
 * Puts a tap on a connection in hand, which takes its place; `shape` is what passes on it. For connections that no layer has made that a tap
 * could be put on, such as those of a route that is mounted.
 */
export const on = <S, CIn, COut, SIn, SOut>(shape: Shape<S, CIn, COut, SIn, SOut>, options: Options) =>
<In, Out, D>(
  connection: Connection<In, Out, D>,
  where: Pick<Subject, "endpoint" | "role">
): Effect.Effect<Connection<In, Out, D>, never, Scope.Scope> =>
  put(connection, options, { kind: kindOf(shape), ...where })

/** The number by which all taps of its stack name a connection. */
export const connectionOf = <In, Out, D>(self: Connection<In, Out, D>): number => numberOf(self)

/** The endpoint, of whose URL the query may be secret. */
const shownOf = (endpoint: Endpoint.Endpoint): string => Endpoint.format(endpoint).replace(/\?.*/s, "")
