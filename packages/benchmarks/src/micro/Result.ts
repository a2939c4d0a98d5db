/** What was measured of a benchmark, and whether that is another than before. */
import { median } from "../median.ts"
import type { Allocation } from "./Allocation.ts"
import type { Benchmark } from "./Benchmark.ts"
import { type Figure, figure } from "./Figure.ts"
import type { Timing } from "./Timing.ts"

export interface Result {
  /** What it was compared with, and how many times as fast it is. */
  readonly reference: string
  readonly ratio: Figure
  /** Nanoseconds a message, for information: they are of one machine and one moment. */
  readonly nanos: number
  /** Bytes allocated a message. */
  readonly bytes: Allocation
}

export const make = (
  { messages, reference }: Benchmark,
  rounds: ReadonlyArray<Timing>,
  bytes: Allocation
): Result => ({
  reference,
  ratio: figure(rounds.map(({ ratio }) => ratio)),
  nanos: median(rounds.map(({ nanos }) => nanos)) / messages,
  bytes: { ours: bytes.ours / messages, reference: bytes.reference / messages }
})

/** A change of speed by less is nobody's doing: code lies elsewhere in memory. */
const leastChange = 0.02

/** What of the bytes is chance: so much of them, and less than an object. */
const tolerance = 0.03
const object = 16

/** Words for what lies beyond chance; `change` is how many times as fast it became. */
export const verdict = (change: Figure, bytes: number, bytesBefore: number): string => {
  const words: Array<string> = []
  if (change.high < 1 - leastChange) words.push("SLOWER")
  if (change.low > 1 + leastChange) words.push("faster")
  const more = bytes - bytesBefore
  if (Math.abs(more) > object + tolerance * bytesBefore) words.push(more > 0 ? "MORE MEMORY" : "less memory")
  return words.join(", ")
}
