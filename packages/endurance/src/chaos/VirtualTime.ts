/**
 * Time that passes only when nothing else is left to do, for stacks whose parts work in turns of the event loop, as Node's TLS does.
 *
 * It is a `TestClock` that remembers for when something sleeps: as soon as the loop is quiet, the clock is set to the first of these times.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"

/** A program that has not ended although there is nothing it waits for, or not within its time. */
export class Hang extends Error {}

/** Turns of the loop without anything in line: what the native side of TLS does takes up to two. */
const quietTurns = 3

const turn = (): Promise<void> => new Promise((done) => void setImmediate(done))

const quiet = async (): Promise<void> => {
  for (let turns = 0; turns < quietTurns;) {
    await turn()
    turns = process.getActiveResourcesInfo().includes("Immediate") ? 0 : turns + 1
  }
}

/** The times for which something sleeps. */
class Sleeps {
  private readonly times = new Map<number, number>()

  enter(at: number): void {
    this.times.set(at, (this.times.get(at) ?? 0) + 1)
  }

  leave(at: number): void {
    const count = this.times.get(at)! - 1
    if (count > 0) this.times.set(at, count)
    else this.times.delete(at)
  }

  get first(): number {
    let first = Infinity
    for (const at of this.times.keys()) first = Math.min(first, at)
    return first
  }

  get count(): number {
    return this.times.size
  }
}

/** How a run went beside its result: how much time it took, in milliseconds, and for how many times something still sleeps. */
export interface Passed {
  readonly took: number
  readonly asleep: number
}

/** Runs a program in virtual time, `limit` milliseconds of it at most; dies with `Hang`. */
export const inVirtualTime = <A, E>(
  program: Effect.Effect<A, E>,
  limit: number
): Effect.Effect<readonly [A, Passed], E> =>
  Effect.gen(function*() {
    const test = yield* TestClock.testClockWith(Effect.succeed)
    const sleeps = new Sleeps()
    const clock: Clock.Clock = {
      currentTimeMillisUnsafe: () => test.currentTimeMillisUnsafe(),
      currentTimeNanosUnsafe: () => test.currentTimeNanosUnsafe(),
      monotonicTimeNanosUnsafe: () => test.monotonicTimeNanosUnsafe(),
      currentTimeMillis: test.currentTimeMillis,
      currentTimeNanos: test.currentTimeNanos,
      monotonicTimeNanos: test.monotonicTimeNanos,
      sleep: (duration) =>
        Effect.suspend(() => {
          const at = test.currentTimeMillisUnsafe() + Duration.toMillis(duration)
          sleeps.enter(at)
          return Effect.ensuring(test.sleep(duration), Effect.sync(() => sleeps.leave(at)))
        })
    }
    const fiber = yield* Effect.forkChild(Effect.provideService(program, Clock.Clock, clock))
    yield* Effect.promise(quiet)
    while (fiber.pollUnsafe() === undefined) {
      const { first } = sleeps
      if (first === Infinity) return yield* Effect.die(new Hang("nothing is left that it could wait for"))
      if (first > limit) return yield* Effect.die(new Hang(`it takes longer than ${limit} ms`))
      yield* test.setTime(first)
      yield* Effect.promise(quiet)
    }
    const result = yield* Fiber.join(fiber)
    return [result, { took: test.currentTimeMillisUnsafe(), asleep: sleeps.count }] as const
  }).pipe(Effect.provide(TestClock.layer()))
