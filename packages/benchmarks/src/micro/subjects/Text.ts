/** UTF-8, checked, beside what Node's buffers do. */
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import { isUtf8 } from "node:buffer"
import { isDeepStrictEqual } from "node:util"
import type { Benchmark } from "../Benchmark.ts"
import { ascii, batch, mixed, text } from "./samples.ts"

/** Texts that lie in one read, one after another. */
const decode = (name: string, count: number, sample: string): Benchmark => ({
  name: `UTF-8, decode ${name}`,
  reference: "isUtf8, toString",
  messages: count,
  prepare: () => {
    const size = Buffer.byteLength(sample)
    const read = Buffer.from(sample.repeat(count))
    const starts = Array.from({ length: count }, (_, n) => n * size)
    return {
      ours: () => starts.map((start) => Utf8.decode(read, start, start + size)),
      reference: () =>
        starts.map((start) => {
          const bytes = read.subarray(start, start + size)
          return isUtf8(bytes) ? bytes.toString() : undefined
        }),
      agree: isDeepStrictEqual
    }
  }
})

const encode = (name: string, count: number, sample: string): Benchmark => ({
  name: `UTF-8, encode ${name}`,
  reference: "Buffer.write",
  messages: count,
  prepare: () => {
    const texts = Array.from({ length: count }, () => sample)
    const target = Buffer.alloc(Utf8.scratch.length)
    return {
      ours: () => texts.map(Utf8.encodeScratch),
      reference: () => texts.map((text) => target.write(text)),
      agree: (ours, reference) =>
        isDeepStrictEqual(ours, reference) && target.subarray(0, ours[0]).equals(Utf8.scratch.subarray(0, ours[0]))
    }
  }
})

const samples: ReadonlyArray<readonly [name: string, count: number, sample: string]> = [
  ["10 B", batch, text("0123456789", 10)],
  ["100 B", batch, text(ascii, 100)],
  ["100 B, mixed", batch, text(mixed, 100)],
  ["16 KiB", 1, text(ascii, 16_384)],
  ["16 KiB, mixed", 1, text(mixed, 16_384)]
]

export const benchmarks: ReadonlyArray<Benchmark> = [
  ...samples.map((sample) => decode(...sample)),
  ...samples.map((sample) => encode(...sample))
]
