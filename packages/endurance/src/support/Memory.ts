/** The memory of this process, in MiB, after a full collection where that can be asked for (`--expose-gc`). */
declare const gc: (() => void) | undefined

export interface Memory {
  readonly rss: number
  readonly heap: number
  /** Outside the heap: buffers. */
  readonly external: number
}

const mebibytes = (bytes: number): number => bytes / 1_048_576

export const memory = (): Memory => {
  if (typeof gc === "function") gc()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { rss: mebibytes(rss), heap: mebibytes(heapUsed), external: mebibytes(external) }
}
