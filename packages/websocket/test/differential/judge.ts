/**
 * Two receivers compared: whether they agree on some traffic, or differ as a table says they may.
 *
 * Of compressed traffic the receiver of `ws` is asked twice: with its own extension, and with one that does what RFC 7692 says.
 * The machine is held to the second one; where the first differs from it, a quirk of the table must have been met.
 */
import { concat } from "../support.ts"
import type { Quirk } from "./Inflation.ts"
import { ours, Theirs, type Verdict, withOwnDeflate } from "./receivers.ts"
import { bytesOf, generate, type Limits, shrink, type Traffic, type Variant } from "./traffic.ts"

/** Where the two part. */
export interface Parting {
  readonly mine: Verdict
  readonly theirs: Theirs
  /** The input up to and including the byte that ended it for us; all of it if we are still open. */
  readonly input: Uint8Array
  /** `ws` before that byte; it went on until there, and said the same. */
  readonly before: Theirs
  readonly mask: boolean
  readonly limits: Limits
  /** How it ends for `ws` if these bytes come next, and if they come instead of the last byte. */
  readonly after: (bytes: Uint8Array, limits?: Limits) => string
  readonly instead: (bytes: Uint8Array, limits?: Limits) => string
  /** How it ends for us if these bytes come next. */
  readonly afterOurs: (bytes: Uint8Array) => string
}

export interface Difference {
  /** Of RFC 6455, if not said otherwise. */
  readonly section: string
  readonly ours: string
  readonly theirs: string
  /** What to ask: as the bytes say, and as `ws` says of what may follow; or what of RFC 7692 `ws` does otherwise. */
  readonly is: ((parting: Parting) => boolean) | Quirk
}

const show = ({ breach, ending, events, pings }: Verdict): string => JSON.stringify({ ending, events, pings, breach })

/** Whether both answer the same pings, as long as both are open; those before the end may be too late, those behind it are. */
const sameAnswers = (mine: Verdict, theirs: Verdict): boolean =>
  mine.pings.every((pings, n) => {
    if (n > mine.endedIn) return pings.length === 0
    if (n >= theirs.endedIn) return true
    return pings.every((ping, i) => ping === theirs.pings[n][i]) &&
      (n === mine.endedIn || pings.length === theirs.pings[n].length)
  })

const sameEvents = (mine: Verdict, theirs: Verdict): boolean =>
  mine.events.length === theirs.events.length && mine.events.every((event, n) => event === theirs.events[n])

/**
 * Whether both end with the same code. If a compressed message breaks more than one rule, the code may be that of any in the
 * chunk with the first: an inflater says of a chunk that it is not DEFLATE before it says what came ahead of that.
 */
const sameEnding = ({ deflate }: Traffic, one: Verdict, other: Verdict): boolean =>
  one.ending === other.ending || (deflate !== undefined && [one, other].every(({ ending }) => broken.includes(ending)))

const broken: ReadonlyArray<string> = ["failed 1007", "failed 1009"]

/** The offset of the byte that ends it for us, or the length if none does. */
const lastByte = (whole: Traffic, bytes: Uint8Array): number => {
  let open = 0
  for (let ended = bytes.length + 1; open + 1 < ended;) {
    const middle = (open + ended) >> 1
    if (ours(whole, bytes.subarray(0, middle)).endedIn === Infinity) open = middle
    else ended = middle
  }
  return open
}

interface Judgement {
  readonly ending: string
  readonly differences: ReadonlyArray<Difference>
  readonly fault?: string
}

/** How the traffic ends, and, if the two don't agree on it, the difference of the table or what is wrong. */
const compare = (table: ReadonlyArray<Difference>, traffic: Traffic, bytes: Uint8Array, theirs: Theirs): Judgement => {
  const mine = ours(traffic, bytes)
  const { ending } = mine
  const fault = (what: string, other: Verdict = theirs): Judgement => ({
    ending,
    differences: [],
    fault: `${what}\n  ours:   ${show(mine)}\n  theirs: ${show(other)}`
  })
  if (mine.breach !== undefined) return fault(mine.breach)
  if (!sameAnswers(mine, theirs)) return fault("other pings are answered")
  if (ending === theirs.ending && sameEvents(mine, theirs)) return { ending, differences: [] }

  const whole: Traffic = { ...traffic, chunks: [], batch: 1, room: Infinity }
  const uncut = ours(whole, bytes)
  if (!sameEnding(traffic, mine, uncut) || !sameEvents(mine, uncut)) return fault("in one piece it is another", uncut)
  const at = lastByte(whole, bytes)
  const before = new Theirs(whole, bytes.subarray(0, at), whole).hear()
  if (at < bytes.length && before.endedIn < Infinity) return fault("ws has ended before", before)
  if (!sameEvents(mine, before)) return fault("before the end they have not heard the same", before)
  const input = bytes.subarray(0, at + 1)
  const parting: Parting = {
    mine: at < bytes.length ? ours(whole, input) : mine,
    theirs,
    input,
    before,
    mask: traffic.toServer,
    limits: traffic,
    after: (next, limits = whole) => new Theirs(whole, concat(input, next), limits).hear().ending,
    instead: (next, limits = whole) => new Theirs(whole, concat(input.subarray(0, -1), next), limits).hear().ending,
    afterOurs: (next) => ours(whole, concat(input, next)).ending
  }
  const difference = table.find(({ is }) => typeof is === "function" && is(parting))
  return difference === undefined
    ? fault("they differ in a way that is not in the table")
    : { ending, differences: [difference] }
}

const judge = (table: ReadonlyArray<Difference>) => async (traffic: Traffic): Promise<Judgement> => {
  const bytes = bytesOf(traffic)
  const theirs = new Theirs(traffic, bytes, traffic).hear()
  const judgement = compare(table, traffic, bytes, theirs)
  if (theirs.inflation === undefined || judgement.fault !== undefined) return judgement

  const own = await withOwnDeflate(traffic, bytes)
  const isSame = sameEnding(traffic, own, theirs) && own.endedIn === theirs.endedIn && sameEvents(own, theirs)
  if (isSame) return judgement
  const quirks = table.filter(({ is }) => typeof is === "string" && theirs.inflation!.met.has(is))
  if (quirks.length > 0) return { ...judgement, differences: [...judgement.differences, ...quirks] }
  const what = "ws inflates something else, for a reason that is not in the table"
  return { ...judgement, fault: `${what}\n  as the RFC: ${show(theirs)}\n  theirs:     ${show(own)}` }
}

export interface Found {
  /** How many cases were judged. */
  readonly judged: number
  /** How often each difference was met, and each kind of ending. */
  readonly differences: ReadonlyMap<Difference, number>
  readonly endings: ReadonlyMap<string, number>
  /** The first case that is none of this, as simple as it gets. */
  readonly wrong?: { readonly seed: number; readonly fault: string; readonly traffic: Traffic }
}

/** Which cases are searched. */
export interface Range {
  readonly firstSeed: number
  readonly cases: number
  readonly seconds: number
}

const environment = (name: string): number | undefined => {
  const value = process.env[name]
  return value === undefined ? undefined : Number(value)
}

/** So many cases, if the environment asks for no others. */
export const chosen = (cases: number): Range => {
  const seconds = environment("WIRESTACK_SECONDS") ?? Infinity
  return {
    firstSeed: environment("WIRESTACK_SEED") ?? 1,
    cases: environment("WIRESTACK_CASES") ?? (seconds === Infinity ? cases : Infinity),
    seconds
  }
}

/** Searches for traffic on which they differ in a way that is not in the table. */
export const search = async (
  variant: Variant,
  table: ReadonlyArray<Difference>,
  { cases, firstSeed, seconds }: Range
): Promise<Found> => {
  // The receiver of `ws` asks for the stack with each of its errors.
  Error.stackTraceLimit = 0
  const judging = judge(table)
  const differences = new Map<Difference, number>()
  const endings = new Map<string, number>()
  const end = performance.now() + seconds * 1_000
  let judged = 0
  for (; judged < cases && (judged % 256 > 0 || performance.now() < end); judged++) {
    const seed = firstSeed + judged
    const traffic = generate(seed, variant)
    const { differences: met, ending, fault } = await judging(traffic)
    if (fault !== undefined) {
      const simplest = await shrink(traffic, async (simpler) => (await judging(simpler)).fault !== undefined)
      const { fault: simply } = await judging(simplest)
      return { judged, differences, endings, wrong: { seed, fault: simply!, traffic: simplest } }
    }
    const kind = ending.startsWith("closed") ? "closed" : ending
    endings.set(kind, (endings.get(kind) ?? 0) + 1)
    for (const difference of met) differences.set(difference, (differences.get(difference) ?? 0) + 1)
  }
  return { judged, differences, endings }
}
