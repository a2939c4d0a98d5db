/** The simplest input that still fails: without what can be left out, and zeros for what doesn't matter. */
import { joined } from "./bytes.ts"

/** How often it is tried, and for how many milliseconds. */
const most = { tries: 2_000, millis: 10_000 }

export const reduce = async (
  input: Uint8Array,
  fails: (input: Uint8Array) => Promise<boolean>
): Promise<Uint8Array> => {
  let best = input
  let tries = 0
  const end = performance.now() + most.millis
  const goesOn = (): boolean => tries < most.tries && performance.now() < end
  const adopt = async (next: Uint8Array): Promise<boolean> => {
    tries++
    if (!(await fails(next))) return false
    best = next
    return true
  }
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < best.length && goesOn();) {
      if (!(await adopt(joined(best.subarray(0, at), best.subarray(at + size))))) at += size
    }
  }
  for (let at = 0; at < best.length && goesOn(); at++) {
    if (best[at] !== 0) await adopt(best.map((byte, i) => i === at ? 0 : byte))
  }
  return best
}
