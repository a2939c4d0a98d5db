/** A layer that changes nothing but where the chunks of a byte stream begin and end. */

import type { Machine } from "../Machine.ts"
import * as Protocol from "../Protocol.ts"
import { Bytes } from "../Transport.ts"

/** Where to cut: the size of the next chunk, given how many came before. */
export type Cut = (n: number) => number

/** Every byte a chunk of its own. */
export const bytewise: Cut = () => 1

/** Chunks of 1 to `most` bytes, as the seed says. */
export const random = (seed: number, most: number): Cut => {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return 1 + (state >>> 0) % most
  }
}

const machine = (cut: Cut): Machine<Uint8Array, Uint8Array, Uint8Array, Uint8Array> => {
  let kept: Array<Uint8Array> = []
  let chunks = 0
  return {
    receive: (input, io) => {
      kept.push(...input)
      while (kept.length > 0) {
        if (!io.room()) return false
        const size = Math.min(cut(chunks++), kept[0].length)
        io.emit(kept[0].subarray(0, size), size)
        kept = size === kept[0].length ? kept.slice(1) : [kept[0].subarray(size), ...kept.slice(1)]
      }
      return true
    },
    encode: (bytes, io) => io.write(bytes),
    ended: (endOfInput, io) => io.end(endOfInput),
    end: () => {}
  }
}

/** Puts the layer on a byte stack. */
export const rechunk = (cut: () => Cut): Protocol.Over<"bytes", never, "bytes", never> =>
  Protocol.machine(Bytes, Bytes, { layer: "rechunk", client: () => machine(cut()), server: () => machine(cut()) })
