/**
 * Sessions that go on with another connection where the one before broke: no message is lost, and none comes twice.
 *
 *     Tcp.layer().pipe(WebSocket.client(), Resume.client(), Chat.over(Codec.json()))
 *     Tcp.layer().pipe(WebSocket.server(), Resume.server(), Chat.over(Codec.json()))
 *
 * Each message has a number and is kept until the peer has acknowledged it. When a connection breaks, the client connects again as
 * `Reconnection.Options` have it and names its session; each side says what it has received, and sends what the other lacks. To
 * the layers above, and to a server's handler, that is one connection all the time. The frames are those of `internal/resume/Frame`.
 *
 * The contract:
 *
 * - **Acknowledging.** What was pulled is acknowledged, after so many messages or bytes or so long. With `acknowledge: "stored"` it is
 *   what `Resume.acknowledge` was called for: then also a process may end at any time (see `Store`).
 * - **Bounds.** What is not acknowledged is kept, up to a number and a size; then senders wait, whether there is a connection or not. A session
 *   without a connection is kept for a time, and only so many of them.
 * - **Gaps.** A session that the peer does not know any more, or that lacks messages, is over with `ResumeGap`, which tells the numbers
 *   in doubt. Nothing is skipped.
 * - **Goodbye.** Closing says so to the peer, on the next connection if there is none, within the budget; after it nothing is resumed.
 *   What the peer has not acknowledged by then is `unsent` in the outcome, and the outcome not clean.
 * - **Taking over.** Who shows the session's secret gets it, and the connection that carried it is cut, as it is half-open at best. So
 *   it is to run over TLS. A heartbeat below finds out that a connection is half-open.
 * - The first connection either comes about or fails as any other does. There is no half-close.
 * - The messages below have to carry bytes: those of `Lines`, which are text, carry no sessions.
 */

import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { ResumeGap } from "../ConnectionError.ts"
import { connectOver } from "../internal/resume/connect.ts"
import { listenOver } from "../internal/resume/listen.ts"
import type { Over } from "../Protocol.ts"
import * as Transport from "../Transport.ts"
import type { Options as ReconnectionOptions, Reconnection } from "./Reconnection.ts"
import { acknowledge, Session } from "./Session.ts"

type Message = Transport.Message

/** What a session needs on either side. */
export interface Options {
  /** How many messages are kept until they are acknowledged; 1,024 by default. */
  readonly maxMessages?: number
  /** How many bytes of them; 1,048,576 by default. One message may be larger. */
  readonly maxBytes?: number
  /** Whether messages are acknowledged when they are `"pulled"`, the default, or with `Resume.acknowledge` when they are `"stored"`. */
  readonly acknowledge?: "pulled" | "stored"
  /** After how many messages, or 64 KiB of them, that is told; 64 by default. */
  readonly acknowledgeAfter?: number
  /** How long it may take until that is told; 100 milliseconds by default. */
  readonly acknowledgeWithin?: Duration.Input
  /** How long it may take to begin or to resume a session on a new connection; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}

/** How a client resumes. A peer that closes with 1000 and without a goodbye of the session is connected to again. */
export interface ClientOptions extends Options, ReconnectionOptions {}

/** How a server keeps sessions. */
export interface ServerOptions extends Options {
  /** How long a session without a connection is kept; 2 minutes by default. */
  readonly keepFor?: Duration.Input
  /** How many such sessions are kept; 1,024 by default. Beyond that those that have waited longest are over. */
  readonly maxKept?: number
  /** Where sessions are found that another process has begun. */
  readonly store?: Store
}

/** What a process needs to go on with a session of another one. */
export interface Restored {
  readonly secret: Redacted.Redacted<string>
  /** The number of the last message of the client that was stored. */
  readonly received: number
  /** The number of the last message that was sent to the client, 0 by default; `replay` are as many of the last ones as it may lack: dies if they are more. */
  readonly sent?: number
  /** As the layer above sends them: of a typed protocol what its codec makes of the values. */
  readonly replay?: ReadonlyArray<Message>
}

/**
 * Keeps sessions beyond the process: it is told of each before the client is, and asked for those that are unknown. The numbers are
 * to be stored by the handler, together with what it does with the messages (`acknowledge: "stored"`). A server with a store that goes
 * away, or restarts, says no goodbye: its clients go on with the next one. What fails here fails the handshake, and the client tries again.
 */
export interface Store {
  readonly opened: (id: string, secret: Redacted.Redacted<string>) => Effect.Effect<void>
  /**
   * `received` is the number of the last message the client has: it lacks those behind it. The client has not shown its secret yet, so
   * nothing is to be forgotten or changed for its sake.
   */
  readonly load: (id: string, received: number) => Effect.Effect<Restored | undefined>
}

type Lower = Transport.Transport<Message, Message>

const put = (on: (lower: Lower) => Lower): Over<"messages", never, "messages", any, any> =>
  ((stack: Layer.Layer<any, any, any>) =>
    Layer.provide(Transport.layer(Transport.Messages, Effect.map(Transport.Messages.key, on)), stack)) as any

/** What the type of the stack does not offer. */
const absent = (): Effect.Effect<never> => Effect.die(new Error("this stack plays one role only"))

/**
 * Puts sessions on a stack that connects and listens.
 *
 * @category layers
 */
export const over = (
  options: { readonly client?: ClientOptions; readonly server?: ServerOptions } = {}
): Over<"messages", never, "messages", Session> =>
  put((lower) => ({
    connect: connectOver(lower, options.client ?? {}),
    listen: listenOver(lower, options.server ?? {})
  }))

/**
 * Puts sessions on a stack that connects.
 *
 * @category layers
 */
export const client = (
  options: ClientOptions = {}
): Over<"messages", never, "messages", Session | Reconnection, Transport.Listen> =>
  put((lower) => ({ connect: connectOver(lower, options), listen: absent }))

/**
 * Puts sessions on a stack that listens.
 *
 * @category layers
 */
export const server = (
  options: ServerOptions = {}
): Over<"messages", never, "messages", Session, Transport.Connect> =>
  put((lower) => ({ connect: absent, listen: listenOver(lower, options) }))

export {
  acknowledge,
  /** Why a session is over that can't be resumed. */
  ResumeGap,
  Session
}
