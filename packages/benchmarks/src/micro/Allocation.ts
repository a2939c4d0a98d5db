/**
 * How many bytes a call allocates, on the heap and in buffers.
 *
 * Nothing is collected between the two looks at the memory: the young generation is made large (see `flags`), and if the
 * collector runs nevertheless, half as many calls are tried. So the figure is exact, and hardly differs from run to run.
 */
import { GCProfiler } from "node:v8"
import type { Operation, Pair } from "./Benchmark.ts"

export interface Allocation {
  readonly ours: number
  readonly reference: number
}

/** What a process that measures this is started with. */
export const flags: ReadonlyArray<string> = [
  "--expose-gc",
  "--min-semi-space-size=64",
  "--max-semi-space-size=64"
]

/** Enough for the code to be compiled, which then may allocate less. */
const warmUpMillis = 200

/** So much is allocated between two looks, or so many calls are made. */
const wantedBytes = 16_777_216
const mostCalls = 65_536

const held = (): number => {
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

const call = async (operation: Operation<unknown>, calls: number): Promise<void> => {
  for (let i = 0; i < calls; i++) {
    const made = operation()
    if (made instanceof Promise) await made
  }
}

/** The bytes of so many calls, or undefined if the collector has run. */
const allocated = async (operation: Operation<unknown>, calls: number): Promise<number | undefined> => {
  // The second finds nothing, and waits until the buffers that the first has found are freed.
  globalThis.gc!()
  globalThis.gc!()
  const profiler = new GCProfiler()
  profiler.start()
  const before = held()
  await call(operation, calls)
  const bytes = held() - before
  return profiler.stop()!.statistics.length === 0 ? bytes : undefined
}

/** The least of several looks: code that is being compiled may allocate more. */
const looks = 3

const perCall = async (operation: Operation<unknown>): Promise<number> => {
  for (const end = performance.now() + warmUpMillis; performance.now() < end;) await call(operation, 1)
  const one = await allocated(operation, 1) ?? wantedBytes
  const seen: Array<number> = []
  for (let calls = Math.min(mostCalls, Math.ceil(wantedBytes / Math.max(one, 1))); seen.length < looks;) {
    const bytes = await allocated(operation, calls)
    if (bytes !== undefined) seen.push(bytes / calls)
    else if (calls === 1) throw new Error("the collector runs within a single call")
    else calls >>= 1
  }
  return Math.min(...seen)
}

/** Measures both operations of a pair. */
export const measure = async ({ ours, reference }: Pair<unknown>): Promise<Allocation> => ({
  reference: await perCall(reference),
  ours: await perCall(ours)
})
