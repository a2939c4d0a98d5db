/**
 * A run as data: what was measured, by whom, where, and all that tables, pictures and texts are made of; small enough to be
 * committed. Every number has 4 significant digits.
 */
import type { Machine } from "./Machine.ts"
import type { Result as Memory } from "./Memory.ts"
import { cost, distrust, quantiles, rate, type Sample } from "./Sample.ts"
import type { Workload } from "./Workload.ts"

/** How long and how often. */
export interface Rounds {
  readonly rounds: number
  /** Milliseconds of a window. */
  readonly millis: number
}

/** What a contestant did under a workload. */
export interface Row {
  readonly contestant: string
  /** Microseconds of CPU a message, and messages a second, round by round; none if it failed. */
  readonly costs: ReadonlyArray<number>
  readonly rates: ReadonlyArray<number>
  /** Nanoseconds, of all rounds together, at each of `percentiles`; none if the load does not time messages. */
  readonly latency: ReadonlyArray<number>
  /** Why nothing is to be concluded from this row, if nothing is. */
  readonly doubt?: string
}

export interface Measured extends Rounds {
  readonly workload: Workload
  readonly rows: ReadonlyArray<Row>
}

export interface Result {
  readonly date: string
  readonly commit?: string
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  /** What put the load on: "C" or "Node". */
  readonly generator: string
  /** The contestants' ids and titles. */
  readonly titles: Readonly<Record<string, string>>
  readonly workloads: ReadonlyArray<Measured>
  /** Calls, of which both ends are measured. */
  readonly rpc?: ReadonlyArray<Measured>
  readonly byConnections: ReadonlyArray<Measured>
  readonly bySize: ReadonlyArray<Measured>
  readonly memory?: Memory
}

/** At which parts of all messages, in percent, a row has their latency. */
export const percentiles = [1, 5, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 95, 97.5, 98, 99, 99.5, 99.8, 99.9]

/** The latency of a row at one of `percentiles`; NaN if nothing was timed. */
export const latencyAt = ({ latency }: Row, percentile: number): number =>
  latency[percentiles.indexOf(percentile)] ?? NaN

/** 4 significant digits. */
export const rounded = (value: number): number => Number(value.toPrecision(4))

/** What was seen of a contestant in all rounds, or how it failed. */
export const row = (contestant: string, samples: ReadonlyArray<Sample>, failure?: string): Row => {
  if (failure !== undefined) return { contestant, costs: [], rates: [], latency: [], doubt: failure }
  const doubt = distrust(samples)
  return {
    contestant,
    costs: samples.filter(({ count }) => count > 0).map((sample) => rounded(cost(sample))),
    rates: samples.map((sample) => rounded(rate(sample))),
    latency: quantiles(samples, percentiles).map(rounded),
    ...doubt === undefined ? {} : { doubt }
  }
}

/** As text: a list of numbers is a line. */
export const encode = (result: Result): string =>
  `${JSON.stringify(result, undefined, 1).replace(/\[[^[\]{}]*\]/g, (list) => list.replace(/\n\s*/g, ""))}\n`
