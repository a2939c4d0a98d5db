/** What became of a connection, in words for people. */
import { ConnectError } from "@wirestack/protocol/ConnectError"
import type { Outcome, Status } from "@wirestack/protocol/Outcome"
import type { State } from "@wirestack/protocol/resilience/Reconnection"
import type { Ended } from "@wirestack/protocol/resilience/Verdict"

/** The codes of RFC 6455 section 7.4.1 and of its registry. */
const meanings: Readonly<Record<number, string>> = {
  1000: "the server said goodbye",
  1001: "the server is going away",
  1002: "the server saw a protocol error",
  1003: "the server does not take such data",
  1005: "the server gave no reason",
  1006: "the connection was cut",
  1007: "the server could not read what was sent",
  1008: "the server's policy does not allow it",
  1009: "a message was too big for the server",
  1010: "the server lacks an extension",
  1011: "something went wrong in the server",
  1012: "the server restarts",
  1013: "the server has too much to do",
  1014: "a gateway got a bad answer"
}

const ofStatus = ({ code, reason }: Status): string =>
  `${meanings[code] ?? "the server closed"} (${code}${reason === "" ? "" : `: ${reason}`})`

/** Why a connection is over, or did not come about. */
export const ofEnd = (ended: Ended): string => {
  if (ended instanceof ConnectError) {
    return ended.reason._tag === "OpeningFailed" ? "the server could not be reached" : ended.reason.message
  }
  const { error, received } = ended
  if (received !== undefined) return ofStatus(received)
  return error === undefined ? meanings[1006] : error.reason.message
}

const endOf = (outcome: Outcome | undefined, otherwise: string): string =>
  outcome === undefined ? otherwise : ofEnd(outcome)

/** The state of the connection: one word, why it is so, and whether it can be connected by hand. */
export interface Told {
  readonly kind: "connecting" | "open" | "waiting" | "closed"
  readonly word: string
  readonly why: string
}

export const ofState = (state: State): Told => {
  switch (state._tag) {
    case "Preparing":
      return { kind: "connecting", word: "Connecting", why: state.attempt > 1 ? `attempt ${state.attempt}` : "" }
    case "Ready":
      return { kind: "open", word: "Open", why: "" }
    case "Waiting":
      return { kind: "waiting", word: "Waiting", why: ofEnd(state.ended) }
    case "Closing":
      return { kind: "closed", word: "Closing", why: "" }
    case "Closed":
      return { kind: "closed", word: "Closed", why: ofEnd(state.outcome) }
    case "Failed":
      return { kind: "closed", word: "Closed", why: endOf(state.outcome, state.error.reason.message) }
  }
}
