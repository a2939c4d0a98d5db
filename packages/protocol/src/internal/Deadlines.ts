/**
 * The deadlines of one clock, in one fiber that runs as long as there are any: nearly all of them are met, and then none of them
 * has cost a timer.
 *
 * Those of one length expire in the order in which they were set, so each length is a line of its own, and the fiber sleeps until the
 * earliest head of a line. If that was met meanwhile, it looks for the next.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** What is to happen at a time, unless it is called off. */
export interface Deadline {
  readonly length: number
  readonly at: number
  readonly expire: () => void
}

declare const queueMicrotask: (f: () => void) => void

/** One that throws must not keep the others from theirs. */
const expire = (deadline: Deadline): void => {
  try {
    deadline.expire()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

const byClock = new WeakMap<Clock.Clock, Deadlines>()

export class Deadlines {
  private readonly clock: Clock.Clock
  private readonly lines = new Map<number, Set<Deadline>>()
  private sleeper: Fiber.Fiber<void> | undefined = undefined
  private wakesAt = Infinity

  private constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  static of(clock: Clock.Clock): Deadlines {
    let deadlines = byClock.get(clock)
    if (deadlines === undefined) byClock.set(clock, deadlines = new Deadlines(clock))
    return deadlines
  }

  /** The time that never goes back, in milliseconds. */
  get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** Has something happen after some milliseconds, which are rounded up. */
  set(after: number, expire: () => void): Deadline {
    const length = Math.ceil(after)
    const deadline = { length, at: this.now + length, expire }
    const line = this.lines.get(length)
    if (line === undefined) this.lines.set(length, new Set([deadline]))
    else line.add(deadline)
    if (deadline.at < this.wakesAt) this.sleepUntil(deadline.at, length)
    return deadline
  }

  /** Calls a deadline off; one that has expired already is none. */
  delete(deadline: Deadline): void {
    const line = this.lines.get(deadline.length)
    if (line?.delete(deadline) !== true || line.size > 0) return
    this.lines.delete(deadline.length)
    if (this.lines.size === 0) this.rest()
  }

  private rest(): void {
    this.wakesAt = Infinity
    this.sleeper?.interruptUnsafe()
    this.sleeper = undefined
  }

  private sleepUntil(at: number, length: number): void {
    this.rest()
    this.wakesAt = at
    const sleeper = Effect.runFork(Effect.flatMap(this.clock.sleep(Duration.millis(length)), () => this.wake))
    if (this.wakesAt === at) this.sleeper = sleeper
  }

  private readonly wake = Effect.sync(() => {
    this.sleeper = undefined
    this.wakesAt = Infinity
    const now = this.now
    for (const line of this.lines.values()) {
      for (const deadline of line) {
        if (deadline.at > now) break
        this.delete(deadline)
        expire(deadline)
      }
    }
    let first = Infinity
    for (const line of this.lines.values()) {
      for (const { at } of line) {
        first = Math.min(first, at)
        break
      }
    }
    if (first < this.wakesAt) this.sleepUntil(first, Math.max(1, Math.ceil(first - now)))
  })
}
