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
import { carriedBy } from "../Handover.ts"
import { limitsOf } from "./handshake.ts"
import { Host } from "./Host.ts"
import { Sessions } from "./Sessions.ts"
import { layer } from "./SessionWire.ts"

export const listenOver = (lower: Transport<Message, Message>, options: ServerOptions) => (ask: Ask) =>
  Effect.gen(function*() {
    const below = ask.drain === undefined ? ask : { ...ask, drain: unsaid(ask.drain) }
    const carriers = Listener.handled(yield* lower.listen(below))
    const { keepFor = "2 minutes", maxKept = 1_024, store } = options
    const sessions = new Sessions(limitsOf(options), {
      keepFor: Duration.toMillis(keepFor),
      maxKept: atLeast(0, "maxKept", maxKept),
      outlives: (why) => store !== undefined && (why === "away" || why === "restart")
    }, Deadlines.of(yield* Clock.Clock))
    return yield* carriedBy(layer, carriers, ask, (handover, report) => {
      const host = new Host(sessions, handover, options)
      return (connection) =>
        Effect.catch(host.carry(connection), (error) =>
          error.reason._tag === "Closing"
            ? Effect.void
            : report({ _tag: "HandshakeFailed", error, peer: Connection.peer(connection) }))
    })
  })
