/**
 * The end of a listener: who is told when, until when one waits, and what became of everybody. There is one deadline for all.
 *
 *     shut     nobody gets in any more
 *     after    until those have left that stand on the connections
 *     tell     each connection that is in, at a time of its own
 *     wait     until they have left
 *     close    nobody is accepted any more, and who is still at the threshold is told
 *     cut      what is left at the deadline
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { DrainOptions, DrainReport } from "../Listener.ts"
import type { Crowd } from "./Crowd.ts"
import type { Deadlines } from "./Deadlines.ts"
import type { Handling, Parting } from "./Handling.ts"
import { toll } from "./toll.ts"

/** How long a drain waits for handlers it has interrupted; one that is not interruptible then goes on by itself. */
const patience = "1 seconds"

/** Milliseconds a drain may take. */
export const drainTime = ({ within = "5 seconds" }: DrainOptions<any> = {}): number => Duration.toMillis(within)

/** A listener, as its drain sees it. */
export interface Premises {
  readonly inside: Crowd<Handling>
  /** Those that a layer has yet to let in. */
  readonly atThreshold: Crowd<Handling>
  readonly deadlines: Deadlines
  readonly parting: Parting
  /** Lets nobody in any more; gives how many that have waited for it were cut. */
  readonly shut: Effect.Effect<number>
  /** Accepts nobody any more; the same. */
  readonly close: Effect.Effect<number>
}

export const drain = (
  { atThreshold, close, deadlines, inside, parting, shut }: Premises,
  options: DrainOptions<any>
): Effect.Effect<Omit<DrainReport, "refused">> =>
  Effect.gen(function*() {
    const { after = Effect.void } = options
    const began = deadlines.now
    const left = () => Math.max(began + drainTime(options) - deadlines.now, 0)
    const inTime = (waiting: Effect.Effect<unknown>) => Effect.timeoutOption(waiting, left())
    const open = inside.all
    const before = yield* shut
    yield* Effect.timeoutOption(Effect.exit(after), left() / 2)
    const part = (handling: Handling) => inside.has(handling) && handling.part(parting, left(), deadlines)
    const telling = Effect.andThen(tellAll(open, part, Math.min(overOf(options), left()), deadlines), Effect.never)
    yield* inTime(Effect.raceFirst(telling, inside.gone))
    const meanwhile = yield* close
    for (const { fiber } of atThreshold.all) fiber?.interruptUnsafe()
    yield* inTime(atThreshold.gone)
    const late = inside.all
    for (const handling of [...late, ...atThreshold.all]) handling.cut()
    yield* Effect.timeoutOption(Effect.andThen(inside.gone, atThreshold.gone), patience)
    return {
      open: open.length,
      ended: open.length - late.length,
      interrupted: late.length,
      ...toll(open.map(({ life }) => life)),
      waiting: before + meanwhile,
      took: deadlines.now - began
    }
  })

/** How connections drain that carry others: the goodbye is said to those. */
export const unsaid = ({ goodbye: _, ...options }: DrainOptions<any>): Omit<DrainOptions, "goodbye"> => options

const overOf = ({ over = 0 }: DrainOptions<any>): number => Duration.toMillis(over)

/** Tells each in its slot of a time, at a moment by chance; those that still shake hands at once, as they have nothing to lose. */
const tellAll = (
  open: ReadonlyArray<Handling>,
  part: (handling: Handling) => void,
  over: number,
  deadlines: Deadlines
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const began = deadlines.now
    for (const handling of open) if (handling.life.handled === undefined) part(handling)
    for (const [n, handling] of open.entries()) {
      const wait = began + (n + (yield* Random.next)) * over / open.length - deadlines.now
      if (wait > 0) yield* Effect.sleep(Math.ceil(wait))
      part(handling)
    }
  })
