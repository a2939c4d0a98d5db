/** The memory of this process, in MiB, after a full collection where that can be asked for (`--expose-gc`). */
declare const gc: NodeJS.GCFunction | undefined

export interface Memory {
  readonly rss: number
  readonly heap: number
  /** Outside the heap: buffers. */
  readonly external: number
}

const mebibytes = (bytes: number): number => bytes / 1_048_576

export const memory = (): Memory => {
  // What a first collection finds out to be garbage may hold memory outside of the heap until a second.
  if (typeof gc === "function") {
    for (let i = 0; i < 3; i++) gc({ execution: "sync", flavor: "last-resort", type: "major" })
  }
  const { external, heapUsed, rss } = process.memoryUsage()
  return { rss: mebibytes(rss), heap: mebibytes(heapUsed), external: mebibytes(external) }
}
