/** What must hold after a scenario. */
import { ConnectError } from "@wirestack/protocol/ConnectError"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Outcome } from "@wirestack/protocol/Outcome"
import type { FromServer, Membership, Room } from "./Room.ts"
import type { Scenario } from "./Scenario.ts"
import type { Visit } from "./Visitor.ts"

/** What is known at the end. */
export interface Seen {
  readonly scenario: Scenario
  readonly room: Room
  /** How the connections of the server ended, in the order of its memberships. */
  readonly outcomes: ReadonlyArray<Outcome>
}

type Demand = (holds: boolean, what: string) => void

/** Whether an error says what has happened, or the one that it comes from. */
const hasReason = ({ reason }: ConnectError | ConnectionError): boolean => {
  if (reason._tag === "Other") return reason.cause instanceof ConnectionError && hasReason(reason.cause)
  if (reason._tag !== "GivenUp") return true
  const error = reason.ended instanceof ConnectError ? reason.ended : reason.ended.error
  return error === undefined || hasReason(error)
}

const isRising = (numbers: ReadonlyArray<number>): boolean =>
  numbers.every((number, n) => n === 0 || number > numbers[n - 1])

const isWithoutGap = (numbers: ReadonlyArray<number>): boolean =>
  numbers.every((number, n) => number === numbers[0] + n)

const isNumbered = (numbers: ReadonlyArray<number>): boolean => numbers.every((number, n) => number === n)

/** What was heard on each connection: each begins with `Here`. */
const staysOf = (received: ReadonlyArray<FromServer>): ReadonlyArray<ReadonlyArray<FromServer>> => {
  const stays: Array<Array<FromServer>> = []
  for (const message of received) {
    if (message._tag === "Here" || stays.length === 0) stays.push([])
    stays.at(-1)!.push(message)
  }
  return stays
}

/** It has ended as it may: closed, for a reason, and without a defect. */
const demandEnd = ({ defect, outcome, refused }: Visit, theirs: ReadonlyArray<Outcome>, demand: Demand): void => {
  demand(defect === undefined, `a defect: ${String(defect)}`)
  demand(refused !== undefined || outcome !== undefined, "neither refused nor closed")
  for (const error of [refused, outcome?.error, ...theirs.map(({ error }) => error)]) {
    demand(error === undefined || hasReason(error), `${error?.message} has no reason of its own`)
  }
}

/** What it has heard is in order, without a gap on one connection, nothing twice, and as it was said. */
const demandHeard = ({ received }: Visit, stays: number, demand: Demand): void => {
  const numbersOf = (messages: ReadonlyArray<FromServer>) =>
    messages.flatMap((message) => message._tag === "Said" ? [message.number] : [])
  const heard = staysOf(received)
  demand(heard.length <= stays, `was told ${heard.length} times that it is here`)
  demand(isRising(numbersOf(received)), `heard ${numbersOf(received).join(" ")}`)
  for (const messages of heard) {
    const [first] = messages
    demand(first._tag === "Here", `was first told ${first._tag}`)
    if (first._tag !== "Here") continue
    const numbers = [first.last, ...numbersOf(messages)]
    demand(isWithoutGap(numbers), `heard ${numbers.join(" ")}`)
  }
  demand(
    received.every((message) => message._tag !== "Said" || /^x*$/.test(message.padding)),
    "was told something that nobody has said"
  )
}

const acknowledgedOf = ({ received }: Visit): ReadonlyArray<number> =>
  received.flatMap((message) => message._tag === "Taken" ? [message.nth] : [])

/** What the server has taken of it, and what it was acknowledged. */
const demandTaken = (visit: Visit, taken: ReadonlyArray<number>, gaps: boolean, demand: Demand): void => {
  const acknowledged = acknowledgedOf(visit)
  const holds = gaps ? isRising : isNumbered
  demand(holds(taken), `the server took ${taken.join(" ")}`)
  demand(holds(acknowledged), `was acknowledged ${acknowledged.join(" ")}`)
  demand(acknowledged.every((nth) => taken.includes(nth)), "was acknowledged more than was taken")
}

/** After clean ends, what was accepted was received or is counted. */
const demandCounted = (
  { outcome, received, sent }: Visit,
  membership: Membership,
  theirs: Outcome,
  demand: Demand
): void => {
  if (outcome?.clean !== true || !theirs.clean) return
  demand(
    received.length + outcome.undelivered === membership.sent - theirs.unsent.messages,
    `received ${received.length}, undelivered ${outcome.undelivered}, of ${membership.sent} that were accepted`
  )
  demand(
    membership.pulled + theirs.undelivered === sent - outcome.unsent.messages,
    `the server took ${membership.pulled}, undelivered ${theirs.undelivered}, of ${sent} that were accepted`
  )
}

/** However a session ends, what its peer has not received is counted as not sent, and after a clean end there is no such thing. */
const demandAcknowledged = (
  whose: string,
  { clean, error, unsent }: Outcome,
  sent: number,
  received: number,
  demand: Demand
): void => {
  const { messages } = unsent
  demand(received >= sent - messages, `${whose}: ${messages} of ${sent} are told unsent, and ${received} were received`)
  demand(!clean || messages === 0, `${whose}: a clean end, and ${messages} unsent`)
  if (error?.reason._tag !== "ResumeGap") return
  const { first, last } = error.reason.unacknowledged ?? { first: 1, last: 0 }
  const doubtful = last - first + 1
  demand(doubtful === messages, `${whose}: ${doubtful} are in doubt, and ${messages} unsent`)
  demand(doubtful === 0 || last === sent, `${whose}: ${last} is in doubt, and ${sent} the last that was sent`)
}

/** What did not hold for one client. */
export const faultsOf = (visit: Visit, { outcomes, room, scenario: { kind } }: Seen): ReadonlyArray<string> => {
  const { by, outcome, received, sent } = visit
  const broken: Array<string> = []
  const demand: Demand = (holds, what) => {
    if (!holds) broken.push(`client ${by}: ${what}`)
  }
  const resilient = kind === "resilient"
  const mine = room.memberships.flatMap((membership, nth) =>
    membership.by === by ? [{ membership, theirs: outcomes[nth] }] : []
  )
  demand(resilient || mine.length <= 1, `the server took it for ${mine.length}`)
  demandEnd(visit, mine.map(({ theirs }) => theirs), demand)
  demandHeard(visit, resilient ? Infinity : 1, demand)
  demandTaken(visit, mine.flatMap(({ membership }) => membership.taken), resilient, demand)
  if (mine.length === 0 || outcome === undefined) return broken
  const [{ membership, theirs }] = mine
  if (!resilient) demandCounted(visit, membership, theirs, demand)
  if (kind === "resuming") {
    demandAcknowledged("the client", outcome, sent, membership.pulled, demand)
    demandAcknowledged("the server", theirs, membership.sent, received.length, demand)
    // The last goodbye may be lost on its way; then nothing is in doubt but how it ended.
    const ends = (clean: boolean, error: ConnectionError | undefined) =>
      !clean || error === undefined || (error.reason._tag === "ResumeGap" && error.reason.unacknowledged === undefined)
    demand(ends(theirs.clean, outcome.error), `a clean end there, and here ${outcome.error?.message}`)
    demand(ends(outcome.clean, theirs.error), `a clean end here, and there ${theirs.error?.message}`)
  }
  if (resilient) {
    const pulled = mine.reduce((sum, { membership }) => sum + membership.pulled, 0)
    const undelivered = mine.reduce((sum, { theirs }) => sum + theirs.undelivered, 0)
    const reached = pulled + undelivered
    const { messages } = outcome.unsent
    demand(reached <= sent - messages, `${reached} have reached the server, and ${messages} of ${sent} are told unsent`)
    // A connection on which nothing was said may have been this one's.
    const clean = outcomes.every(({ clean }, nth) => clean || ![by, undefined].includes(room.memberships[nth].by))
    demand(!clean || !outcome.clean || reached === sent - messages, `${reached} have reached the server, of ${sent}`)
  }
  return broken
}
