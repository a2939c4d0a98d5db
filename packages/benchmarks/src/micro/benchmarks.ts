/** All benchmarks, from the bytes up. */
import type { Benchmark } from "./Benchmark.ts"
import * as Deflate from "./subjects/Deflate.ts"
import * as Echo from "./subjects/Echo.ts"
import * as Framers from "./subjects/Framers.ts"
import * as FramersTcp from "./subjects/FramersTcp.ts"
import * as Frames from "./subjects/Frames.ts"
import * as Masking from "./subjects/Masking.ts"
import * as Text from "./subjects/Text.ts"
import * as Values from "./subjects/Values.ts"

export const benchmarks: ReadonlyArray<Benchmark> = [
  ...Masking.benchmarks,
  ...Text.benchmarks,
  ...Frames.benchmarks,
  ...Deflate.benchmarks,
  ...Values.benchmarks,
  ...Framers.benchmarks,
  ...Echo.benchmarks,
  ...FramersTcp.benchmarks
]
