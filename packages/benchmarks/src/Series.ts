/** Workloads that differ in one thing, and by how much the cost may grow with it. */
import { median } from "./median.ts"
import type { Measured, Row } from "./Result.ts"
import type { Workload } from "./Workload.ts"

export type Name = "byConnections" | "bySize"

export interface Series {
  /** What differs. */
  readonly of: (workload: Workload) => number
  /** What the cost is counted by, and how many of it are in a message. */
  readonly per: string
  readonly units: (workload: Workload) => number
}

export const series: Readonly<Record<Name, Series>> = {
  byConnections: { of: ({ connections }) => connections, per: "message", units: () => 1 },
  bySize: { of: ({ size }) => size, per: "byte", units: ({ size }) => size }
}

export interface Point {
  readonly x: number
  readonly units: number
  readonly row: Row
}

/** A contestant's rows in a series, in its order. */
export const points = (name: Name, measured: ReadonlyArray<Measured>, contestant: string): ReadonlyArray<Point> =>
  measured.flatMap(({ rows, workload }) =>
    rows.filter((row) => row.contestant === contestant)
      .map((row) => ({ x: series[name].of(workload), units: series[name].units(workload), row }))
  )

/** A contestant's cost anywhere between two ends is at most so many times that at the first. */
export interface Growth {
  readonly series: Name
  readonly contestant: string
  readonly from: number
  readonly to: number
  readonly most: number
  readonly title: string
}

export const growths: ReadonlyArray<Growth> = [
  {
    series: "byConnections",
    contestant: "batch",
    from: 10,
    to: 10_000,
    most: 1.2,
    title: "CPU per message, from 10 to 10,000 connections"
  },
  {
    series: "bySize",
    contestant: "batch",
    from: 16 * 1_024,
    to: 16 * 1_048_576,
    most: 1.2,
    title: "CPU per byte, from 16 KiB to 16 MiB"
  }
]

/** How many times the cost at the first point is the highest of all. */
export const growth = (points: ReadonlyArray<Point>): number => {
  const costs = points.map(({ row, units }) => median(row.costs) / units)
  return Math.max(...costs) / costs[0]
}
