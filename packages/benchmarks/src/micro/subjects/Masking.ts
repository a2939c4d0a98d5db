/** Unmasking payloads where they lie in a read, beside `bufferutil`, which is C. */
import * as Mask from "@wirestack/websocket/frames/Mask"
import type { Benchmark } from "../Benchmark.ts"
import { bufferutil } from "../references.ts"
import { batch, binary } from "./samples.ts"

const key = Buffer.from([17, 42, 99, 250])

const unmask = (name: string, count: number, headSize: number, size: number): Benchmark => ({
  name: `unmask ${name}`,
  reference: "bufferutil",
  messages: count,
  prepare: () => {
    const read = binary(count * (headSize + size))
    const payloads = Array.from({ length: count }, (_, n) => {
      const start = n * (headSize + size) + headSize
      return { start, end: start + size }
    })
    const other = Buffer.from(read)
    const pieces = payloads.map(({ end, start }) => other.subarray(start, end))
    const word = key.readInt32LE(0)
    return {
      ours: () => {
        for (const { end, start } of payloads) Mask.apply(read, start, end, word)
        return read
      },
      reference: () => {
        for (const piece of pieces) bufferutil.unmask(piece, key)
        return other
      },
      agree: (ours, reference) => ours.equals(reference)
    }
  }
})

export const benchmarks: ReadonlyArray<Benchmark> = [
  unmask("64 x 64 B", batch, 6, 64),
  unmask("16 KiB", 1, 8, 16_384),
  unmask("1 MiB", 1, 14, 1_048_576)
]
