/** A server's side of the handshake: which session a connection is to carry, and how long it does. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "../../ConnectError.ts"
import * as Connection from "../../Connection.ts"
import { Closing } from "../../ConnectionError.ts"
import { Violation } from "../../Reason.ts"
import type { ServerOptions } from "../../resilience/Resume.ts"
import type { Handover } from "../Handover.ts"
import { Leg } from "../resilience/Leg.ts"
import { Observing } from "../telemetry/Observer.ts"
import * as Frame from "./Frame.ts"
import { detailsOf, failed, firstFrame, inTime, type Lower, plainly, say } from "./handshake.ts"
import { Ledger } from "./Ledger.ts"
import { proves, type Session, type Sessions } from "./Sessions.ts"

declare const crypto: { getRandomValues(array: Uint8Array): Uint8Array }

const random = (): Uint8Array => crypto.getRandomValues(new Uint8Array(Frame.nameSize))

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

export class Host {
  private readonly sessions: Sessions
  private readonly handover: Handover
  private readonly options: ServerOptions
  private turns = 0

  constructor(sessions: Sessions, handover: Handover, options: ServerOptions) {
    this.sessions = sessions
    this.handover = handover
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
      const observer = yield* Observing
      const session = yield* (resumes === undefined ? this.begin(lower) : this.find(lower, resumes, turn))
      if (session instanceof Refusal) {
        observer?.resumed(session.code === Frame.Code.Gap ? "gap" : "unknown")
        return yield* this.refuse(lower, session)
      }
      session.turn = turn
      session.wire.detach()
      yield* say(lower, Frame.welcome(session.ticket, session.wire.greet()))
      const leg = yield* Leg.of(lower, session.wire, rest)
      if (session.turn !== turn || session.wire.arrived) return yield* failed(new Closing())
      yield* plainly(() => session.wire.resumed(resumes ?? { done: 0, received: 0 }))
      session.calm()
      session.wire.board(leg)
      if (resumes !== undefined) observer?.resumed(undefined)
      return { leg, session, turn }
    })
  }

  private begin(lower: Lower): Effect.Effect<Session, ConnectError, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const ticket = { session: random(), secret: random() }
      const secret = Redacted.make(Hex.encode(ticket.secret), { label: "session" })
      yield* this.options.store?.opened(Hex.encode(ticket.session), secret) ?? Effect.void
      return yield* this.open(lower, ticket, new Ledger())
    })
  }

  /** Opens a session and hands it over. Should the connection fail to carry it, it waits for another. */
  private open(lower: Lower, ticket: Frame.Ticket, ledger: Ledger): Effect.Effect<Session, ConnectError, Scope.Scope> {
    const opened = Effect.suspend(() => {
      const session = this.sessions.open(ticket, ledger)
      const { details } = lower
      const told = detailsOf(session.wire, () => session.ticket)
      this.handover.hand(session.wire, () => Context.merge(details, told()), Connection.peer(lower))
      return session.wire.arrived ? Effect.fail(failed(new Closing())) : Effect.succeed(session)
    })
    return Effect.acquireRelease(opened, (session) => Effect.sync(() => session.abandon()))
  }

  private find(
    lower: Lower,
    resumes: Frame.Ticket & Frame.Progress,
    turn: number
  ): Effect.Effect<Session | Refusal, ConnectError, Scope.Scope> {
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
  ): Effect.Effect<Session | Refusal, ConnectError, Scope.Scope> {
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
