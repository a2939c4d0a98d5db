/** Incidents as warnings: a peer that brings about many of them does not fill the log with them too. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ConnectionError } from "../ConnectionError.ts"
import type { Incident } from "../Listener.ts"

/** How many are logged in a second; those beyond are counted, and that is logged with the next one. */
const perSecond = 10

const second = 1_000_000_000n

const logged = (incident: Incident): Effect.Effect<void> => {
  const { peer } = incident
  const who = peer === undefined ? "" : ` of ${peer}`
  switch (incident._tag) {
    case "HandshakeFailed":
      return Effect.logWarning(`handshake${who} failed:`, incident.error.message)
    case "HandlerFailed": {
      const failure = Option.getOrUndefined(Cause.findErrorOption(incident.cause))
      return failure instanceof ConnectionError
        ? Effect.logWarning(`connection${who} failed:`, failure.message)
        : Effect.logWarning(`handler of a connection${who} failed`, incident.cause)
    }
    case "TooManyConnections": {
      const { count, limit, of } = incident
      const cut = count === 1 ? `connection${who} cut` : `${count} connections cut, the last${who}`
      return Effect.logWarning(`${cut}: ${limit} are ${of === "waiting" ? "waiting" : "open"}`)
    }
  }
}

/** The log of one listener. */
export const incidentLog = (): (incident: Incident) => Effect.Effect<void> => {
  let since = -second
  let room = 0
  let leftOut = 0
  return (incident) =>
    Effect.clockWith((clock) => {
      const now = clock.currentTimeNanosUnsafe()
      if (now - since >= second) {
        since = now
        room = perSecond
      }
      if (room === 0) return Effect.sync(() => void leftOut++)
      room--
      if (leftOut === 0) return logged(incident)
      const more = Effect.logWarning(`${leftOut} more incidents were not logged`)
      leftOut = 0
      return Effect.andThen(more, logged(incident))
    })
}
