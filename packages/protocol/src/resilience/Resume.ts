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

import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Ask } from "../Ask.ts"
import { ConnectError, type ConnectReason, fromConnectionError } from "../ConnectError.ts"
import * as Connection from "../Connection.ts"
import { Closed, Closing, ConnectionError, ResumeGap } from "../ConnectionError.ts"
import { atLeast } from "../internal/atLeast.ts"
import { Deadlines } from "../internal/Deadlines.ts"
import { unsaid } from "../internal/drain.ts"
import { incidentLog } from "../internal/incidentLog.ts"
import { LiveConnection } from "../internal/LiveConnection.ts"
import { reasonOf } from "../internal/reasonOf.ts"
import { Leg } from "../internal/resilience/Leg.ts"
import { prepare } from "../internal/resilience/reconnect.ts"
import * as Frame from "../internal/resume/Frame.ts"
import { Ledger } from "../internal/resume/Ledger.ts"
import { proves, type Session as Kept, Sessions } from "../internal/resume/Sessions.ts"
import { layer, type Limits, SessionWire } from "../internal/resume/SessionWire.ts"
import * as Listener from "../Listener.ts"
import type { ListenError } from "../ListenError.ts"
import type { Over } from "../Protocol.ts"
import { Other, TimedOut, Violation } from "../Reason.ts"
import * as Transport from "../Transport.ts"
import { type Options as ReconnectionOptions, Reconnection } from "./Reconnection.ts"

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

/** What a session tells. Numbers begin with 1. */
export class Session extends Context.Service<Session, {
  /** The name of the session, which is no secret. */
  readonly id: string
  /** What a client has to show to resume it. */
  readonly secret: Redacted.Redacted<string>
  /** The number of the last message from the peer that was acknowledged; the next one to be acknowledged has the number after it. */
  readonly received: number
  /** The number of the last message that was sent. */
  readonly sent: number
  /** The number of the last message that the peer has acknowledged. */
  readonly acknowledged: number
  /** Says that the next `count` messages were stored; dies with a `RangeError` if there are not as many. */
  readonly acknowledge: (count: number) => Effect.Effect<void>
}>()("@wirestack/protocol/resilience/Resume/Session") {}

/** Says that the next `count` messages of a connection were stored (see `Options.acknowledge`). */
export const acknowledge = <In, Out>(
  connection: Connection.Connection<In, Out, Session>,
  count: number
): Effect.Effect<void> => Connection.detail(connection, Session).acknowledge(count)

declare const crypto: { getRandomValues(array: Uint8Array): Uint8Array }

const random = (): Uint8Array => crypto.getRandomValues(new Uint8Array(Frame.nameSize))

const limitsOf = (options: Options): Limits => ({
  maxMessages: atLeast(1, "maxMessages", options.maxMessages ?? 1_024),
  maxBytes: atLeast(1, "maxBytes", options.maxBytes ?? 1_048_576),
  everyMessages: atLeast(1, "acknowledgeAfter", options.acknowledgeAfter ?? 64),
  everyBytes: 65_536,
  within: Duration.toMillis(options.acknowledgeWithin ?? "100 millis"),
  automatic: options.acknowledge !== "stored"
})

const failed = (reason: ConnectReason): ConnectError => new ConnectError({ layer, reason })

/** What a handshake threw, or was told. */
const failureOf = (thrown: unknown): ConnectError =>
  failed((reasonOf(thrown) as ConnectReason | undefined) ?? new Other({ cause: thrown }))

const plainly = <A>(make: () => A): Effect.Effect<A, ConnectError> => Effect.try({ try: make, catch: failureOf })

/** What the connection below gives up with. */
const lowerFailure = (error: unknown): ConnectError =>
  error instanceof ConnectionError ? fromConnectionError(error) : failed(new Closed())

const detailsOf = (wire: SessionWire, ticket: () => Frame.Ticket) => () => {
  const { ledger } = wire
  return Context.make(Session, {
    get id() {
      return wire.name
    },
    get secret() {
      return Redacted.make(Hex.encode(ticket().secret), { label: "session" })
    },
    get received() {
      return ledger.done
    },
    get sent() {
      return ledger.sent
    },
    get acknowledged() {
      return ledger.acknowledged
    },
    acknowledge: (count) => Effect.sync(() => wire.acknowledge(count))
  })
}

type Lower = Connection.Connection<Message, Message>

/** The first frame of the peer, and what came with it. */
const firstFrame = (lower: Lower): Effect.Effect<readonly [Frame.Frame, ReadonlyArray<Message>], ConnectError> =>
  Effect.flatMap(
    Effect.mapError(lower.pull, lowerFailure),
    ([first, ...rest]) => plainly(() => [Frame.read(first), rest] as const)
  )

const say = (lower: Lower, frame: Uint8Array): Effect.Effect<void, ConnectError> =>
  Effect.mapError(lower.send(frame), lowerFailure)

/** A handshake within its time; what fails cuts the connection. */
const inTime = <A, R>(
  lower: Lower,
  within: Duration.Input = "10 seconds",
  handshake: Effect.Effect<A, ConnectError, R>
): Effect.Effect<A, ConnectError, R> => {
  const after = Duration.toMillis(within)
  const late = () => Effect.fail(failed(new TimedOut({ phase: "handshake", after })))
  return Effect.onError(Effect.timeoutOrElse(handshake, { duration: after, orElse: late }), () => lower.abort)
}

// The client.

const connectOver =
  (lower: Transport.Transport<Message, Message>, options: ClientOptions) =>
  (ask: Ask): Effect.Effect<Connection.Connection<Message, Message>, ConnectError, Scope.Scope> =>
    Effect.gen(function*() {
      const journey = yield* prepare({ ...options, codes: { 1000: "retry", ...options.codes } })
      const deadlines = Deadlines.of(yield* Clock.Clock)
      const first = Deferred.makeUnsafe<Lower, ConnectError>()
      const { journal: _journal, reached: _reached, skip: _skip, ...again } = ask
      let running: Fiber.Fiber<void> | undefined = undefined
      let ticket: Frame.Ticket | undefined = undefined
      const wire: SessionWire = new SessionWire("", new Ledger(), limitsOf(options), deadlines, {
        outlives: () => false,
        detached: () => {},
        ended: () => running?.interruptUnsafe()
      })

      const welcomed = (frame: Frame.Frame): void => {
        if (frame.type === Frame.Type.Refused && ticket !== undefined) {
          throw wire.tear(frame.first > 0 ? { first: frame.first, last: frame.last } : undefined)
        }
        if (frame.type !== Frame.Type.Welcome) throw new Violation({ rule: "a session begins with WELCOME" })
        ticket ??= frame.ticket
        wire.name = Hex.encode(ticket.session)
        wire.resumed(frame.progress)
      }

      const join = Effect.gen(function*() {
        const carrier = yield* lower.connect(ticket === undefined ? ask : again)
        const leg = yield* inTime(
          carrier,
          options.handshakeWithin,
          Effect.gen(function*() {
            yield* say(carrier, ticket === undefined ? Frame.hello() : Frame.helloAgain(ticket, wire.greet()))
            const [frame, rest] = yield* firstFrame(carrier)
            yield* plainly(() => welcomed(frame))
            const leg = yield* Leg.of(carrier, wire, rest)
            wire.board(leg)
            return leg
          })
        )
        Deferred.doneUnsafe(first, Exit.succeed(carrier))
        return leg
      })

      const passenger = {
        get arrived() {
          return wire.arrived
        },
        parted: () => wire.parted(),
        stranded: (ended: Parameters<SessionWire["stranded"]>[0]) => {
          if (ticket !== undefined) return wire.stranded(ended)
          Deferred.doneUnsafe(first, Exit.fail(ended as ConnectError))
        }
      }
      running = yield* Effect.forkScoped(journey.run(join, passenger, () => ticket !== undefined))
      const { details } = yield* Deferred.await(first)
      const told = detailsOf(wire, () => ticket!)
      const connection = yield* LiveConnection.make<Message, Message, any>(wire, {
        ask,
        details: () =>
          Context.merge(details, Context.add(told(), Reconnection, journey.reconnection)) as Context.Context<any>
      })
      journey.follow(connection)
      return connection
    })

// The server.

/** What hands sessions over to a listener. */
class SessionAcceptor implements Listener.Acceptor<Message, Message, any> {
  readonly layer = layer
  readonly address: Listener.Acceptor<Message, Message, any>["address"]
  readonly below: Listener.Acceptor<Message, Message, any>["below"]
  private accept: Parameters<Listener.Acceptor<Message, Message, any>["start"]>[0] | undefined
  private lost: ((error: ListenError) => void) | undefined
  readonly stop: Effect.Effect<void> = Effect.sync(() => {
    this.accept = undefined
  })

  constructor(below: Pick<Listener.Listener<Message, Message>, "address" | "drain">) {
    this.address = below.address
    this.below = below
  }

  start(accept: NonNullable<SessionAcceptor["accept"]>, lost: (error: ListenError) => void): void {
    this.accept = accept
    this.lost = lost
  }

  lose(error: ListenError): void {
    this.lost?.(error)
  }

  hand({ ticket, wire }: Kept, lower: Lower): void {
    const { details } = lower
    const told = detailsOf(wire, () => ticket)
    if (this.accept === undefined) return wire.abort()
    this.accept(wire, () => Context.merge(details, told()), Connection.peer(lower))
  }
}

const bytesOf = (text: string): Uint8Array => Result.getOrElse(Hex.decode(text), () => new Uint8Array(0))

/** A client that has to be told why it is refused. */
class Refusal {
  readonly code: Frame.Code
  readonly first: number
  readonly last: number
  readonly detail: string

  constructor(code: Frame.Code, detail: string, first = 0, last = 0) {
    this.code = code
    this.detail = detail
    this.first = first
    this.last = last
  }
}

class Host {
  private readonly sessions: Sessions
  private readonly acceptor: SessionAcceptor
  private readonly options: ServerOptions
  private turns = 0

  constructor(sessions: Sessions, acceptor: SessionAcceptor, options: ServerOptions) {
    this.sessions = sessions
    this.acceptor = acceptor
    this.options = options
  }

  /** Carries a session with a connection, as long as that lives. */
  carry(lower: Lower): Effect.Effect<void, ConnectError, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const { leg, session, turn } = yield* inTime(lower, this.options.handshakeWithin, this.join(lower))
      yield* Effect.exit(leg.connection.pull)
      leg.leave("done")
      yield* leg.connection.closed
      // Unless another one has taken over, and may end it otherwise.
      if (session.turn === turn) session.wire.parted()
    })
  }

  private join(lower: Lower) {
    return Effect.gen({ self: this }, function*() {
      const [hello, rest] = yield* firstFrame(lower)
      if (hello.type !== Frame.Type.Hello) return yield* failed(new Violation({ rule: "a session begins with HELLO" }))
      const { resumes } = hello
      const turn = ++this.turns
      const session = yield* (resumes === undefined ? this.begin(lower) : this.find(lower, resumes, turn))
      if (session instanceof Refusal) return yield* this.refuse(lower, session)
      session.turn = turn
      session.wire.detach()
      yield* say(lower, Frame.welcome(session.ticket, session.wire.greet()))
      const leg = yield* Leg.of(lower, session.wire, rest)
      if (session.turn !== turn || session.wire.arrived) return yield* failed(new Closing())
      yield* plainly(() => session.wire.resumed(resumes ?? { done: 0, received: 0 }))
      session.calm()
      session.wire.board(leg)
      return { leg, session, turn }
    })
  }

  private begin(lower: Lower): Effect.Effect<Kept, ConnectError, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const ticket = { session: random(), secret: random() }
      const secret = Redacted.make(Hex.encode(ticket.secret), { label: "session" })
      yield* this.options.store?.opened(Hex.encode(ticket.session), secret) ?? Effect.void
      return yield* this.open(lower, ticket, new Ledger())
    })
  }

  /** Opens a session and hands it over. Should the connection fail to carry it, it waits for another. */
  private open(lower: Lower, ticket: Frame.Ticket, ledger: Ledger): Effect.Effect<Kept, ConnectError, Scope.Scope> {
    const opened = Effect.suspend(() => {
      const session = this.sessions.open(ticket, ledger)
      this.acceptor.hand(session, lower)
      return session.wire.arrived ? Effect.fail(failed(new Closing())) : Effect.succeed(session)
    })
    return Effect.acquireRelease(opened, (session) => Effect.sync(() => session.abandon()))
  }

  private find(
    lower: Lower,
    resumes: Frame.Ticket & Frame.Progress,
    turn: number
  ): Effect.Effect<Kept | Refusal, ConnectError, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const id = Hex.encode(resumes.session)
      const known = this.sessions.get(id)
      const session = known ?? (yield* this.restore(lower, id, resumes))
      if (session instanceof Refusal) return session
      if (!proves(resumes, session.ticket)) {
        return new Refusal(Frame.Code.Unknown, `a wrong secret for the session ${id}`)
      }
      // It was held up, and its client goes on with another connection.
      if (turn < session.turn) return yield* failed(new Closing())
      const { ledger } = session.wire
      const missing = ledger.lacking(resumes.received)
      if (missing !== undefined || resumes.received > ledger.sent) {
        session.expire()
        const { first, last } = missing ?? { first: 0, last: 0 }
        return new Refusal(Frame.Code.Gap, `the session ${id} lacks messages`, first, last)
      }
      return session
    })
  }

  private restore(
    lower: Lower,
    id: string,
    ticket: Frame.Ticket & Frame.Progress
  ): Effect.Effect<Kept | Refusal, ConnectError, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const unknown = new Refusal(Frame.Code.Unknown, `the session ${id} is unknown`)
      const restored = yield* this.options.store?.load(id, ticket.received) ?? Effect.undefined
      if (restored === undefined) return unknown
      // Another connection may have asked for it meanwhile.
      const known = this.sessions.get(id)
      if (known !== undefined) return known
      const { received, replay = [], secret, sent = 0 } = restored
      const own = { session: ticket.session, secret: bytesOf(Redacted.value(secret)) }
      if (!proves(ticket, own)) return unknown
      return yield* this.open(lower, own, new Ledger(received, sent, replay.map(Frame.data)))
    })
  }

  private refuse(lower: Lower, { code, detail, first, last }: Refusal): Effect.Effect<never, ConnectError> {
    // It is closed, and not cut, so that the client gets the answer.
    return Effect.andThen(
      Effect.andThen(say(lower, Frame.refused(code, first, last)), Effect.ignore(lower.pull)),
      Effect.fail(failed(new Violation({ rule: detail })))
    )
  }
}

const listenOver = (lower: Transport.Transport<Message, Message>, options: ServerOptions) => (ask: Ask) =>
  Effect.gen(function*() {
    const listener = Listener.handled(yield* lower.listen({ ...ask, ...(ask.drain && { drain: unsaid(ask.drain) }) }))
    const acceptor = new SessionAcceptor(listener)
    const { keepFor = "2 minutes", maxKept = 1_024, store } = options
    const sessions = new Sessions(limitsOf(options), {
      keepFor: Duration.toMillis(keepFor),
      maxKept: atLeast(0, "maxKept", maxKept),
      outlives: (why) => store !== undefined && (why === "away" || why === "restart")
    }, Deadlines.of(yield* Clock.Clock))
    const host = new Host(sessions, acceptor, options)
    let report: NonNullable<Listener.RunOptions["onIncident"]> = incidentLog()
    const serving = listener.run(
      (connection) =>
        Effect.catch(host.carry(connection), (error) =>
          error.reason._tag === "Closing"
            ? Effect.void
            : report({ _tag: "HandshakeFailed", error, peer: Connection.peer(connection) })),
      {
        onIncident: (incident) => report(incident)
      }
    )
    yield* Listener.runScoped(Effect.tapError(serving, (error) => Effect.sync(() => acceptor.lose(error))))
    const handed = yield* Listener.make(acceptor, ask)
    return Listener.withRun(
      handed,
      ((handler, options) => {
        report = options?.onIncident ?? report
        return handed.run(handler, options)
      }) as typeof handed.run
    )
  })

const put = (client: ClientOptions, server: ServerOptions): Over<"messages", never, "messages", any, any> =>
  ((stack: Layer.Layer<any, any, any>) =>
    Layer.provide(
      Transport.layer(
        Transport.Messages,
        Effect.map(Transport.Messages.key, (lower) => ({
          connect: connectOver(lower, client),
          listen: listenOver(lower, server)
        }))
      ),
      stack
    )) as any

/**
 * Puts sessions on a stack that connects and listens.
 *
 * @category layers
 */
export const over = (
  options: { readonly client?: ClientOptions; readonly server?: ServerOptions } = {}
): Over<"messages", never, "messages", Session> => put(options.client ?? {}, options.server ?? {})

/**
 * Puts sessions on a stack that connects.
 *
 * @category layers
 */
export const client = (
  options: ClientOptions = {}
): Over<"messages", never, "messages", Session | Reconnection, Transport.Listen> => put(options, {})

/**
 * Puts sessions on a stack that listens.
 *
 * @category layers
 */
export const server = (
  options: ServerOptions = {}
): Over<"messages", never, "messages", Session, Transport.Connect> => put({}, options)

export {
  /** Why a session is over that can't be resumed. */
  ResumeGap
}
