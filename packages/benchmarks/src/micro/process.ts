/**
 * A benchmark in a process of its own, so that what others have taught the compiler counts for nothing: calls both operations,
 * compares what they make, measures what it is told to, and tells its parent.
 *
 *     process.js NAME time TURNS
 *     process.js NAME allocation
 */
import * as Allocation from "./Allocation.ts"
import { benchmarks } from "./benchmarks.ts"
import * as Timing from "./Timing.ts"

const [, , name, what, turns] = process.argv
const benchmark = benchmarks.find((benchmark) => benchmark.name === name)!
if (benchmark.compiled === true) await import("effect/schema/SchemaJITCompiler/enable")
const pair = benchmark.prepare()
if (!pair.agree(await pair.ours(), await pair.reference())) throw new Error(`"${name}" and its reference disagree`)
const measured = what === "time" ? await Timing.measure(pair, Number(turns)) : await Allocation.measure(pair)
process.send!(measured, () => process.exit())
