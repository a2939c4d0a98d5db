/** A client's session: the connection that it is, and how it is carried by one connection after the other. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Ask } from "../../Ask.ts"
import type { ConnectError } from "../../ConnectError.ts"
import type { Connection } from "../../Connection.ts"
import { Violation } from "../../Reason.ts"
import { Reconnection } from "../../resilience/Reconnection.ts"
import type { ClientOptions } from "../../resilience/Resume.ts"
import type { Message, Transport } from "../../Transport.ts"
import { Deadlines } from "../Deadlines.ts"
import { LiveConnection } from "../LiveConnection.ts"
import { Leg } from "../resilience/Leg.ts"
import { prepare } from "../resilience/reconnect.ts"
import * as Frame from "./Frame.ts"
import { detailsOf, firstFrame, inTime, limitsOf, type Lower, plainly, say } from "./handshake.ts"
import { Ledger } from "./Ledger.ts"
import { SessionWire } from "./SessionWire.ts"

export const connectOver =
  (lower: Transport<Message, Message>, options: ClientOptions) =>
  (ask: Ask): Effect.Effect<Connection<Message, Message>, ConnectError, Scope.Scope> =>
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
