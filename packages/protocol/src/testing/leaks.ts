/** Counting what a program leaves behind: fibers always, and what else the caller can count. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { equal } from "./check.ts"

/**
 * Runs a program and fails if a fiber it started, or anything `resources` counts (sockets, timers), is left at its end.
 * What closes a moment later (a descriptor, at the end of the system's turn) is given up to a second.
 */
export const withoutLeaks = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  resources: () => number = () => 0
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let fibers = 0
    const before = resources()
    const counting: Metric.FiberRuntimeMetricsService = {
      recordFiberStart: () => {
        fibers++
      },
      recordFiberEnd: () => {
        fibers--
      }
    }
    const settle = (tries: number): Effect.Effect<void> =>
      Effect.suspend(() =>
        (fibers > 0 || resources() > before) && tries > 0
          ? Effect.andThen(Effect.sleep("10 millis"), settle(tries - 1))
          : Effect.sync(() => {
            equal("fibers left", fibers, 0)
            equal("resources left", Math.max(0, resources() - before), 0)
          })
      )
    return Effect.tap(Effect.provideService(program, Metric.FiberRuntimeMetrics, counting), () => settle(100))
  })
