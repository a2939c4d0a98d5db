/** A server's listener of sessions, on a listener of the connections that carry them. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Ask } from "../../Ask.ts"
import * as Connection from "../../Connection.ts"
import * as Listener from "../../Listener.ts"
import type { ServerOptions } from "../../resilience/Resume.ts"
import type { Message, Transport } from "../../Transport.ts"
import { atLeast } from "../atLeast.ts"
import { Deadlines } from "../Deadlines.ts"
import { unsaid } from "../drain.ts"
import { incidentLog } from "../incidentLog.ts"
import { limitsOf } from "./handshake.ts"
import { Host } from "./Host.ts"
import { SessionAcceptor } from "./SessionAcceptor.ts"
import { Sessions } from "./Sessions.ts"

export const listenOver = (lower: Transport<Message, Message>, options: ServerOptions) => (ask: Ask) =>
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
