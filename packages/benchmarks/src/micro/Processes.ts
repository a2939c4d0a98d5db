/** Measures benchmarks, each time in a process of its own. */
import { fork } from "node:child_process"
import { adopt } from "../children.ts"
import * as Allocation from "./Allocation.ts"
import type { Benchmark } from "./Benchmark.ts"
import type { Timing } from "./Timing.ts"

/** The folder with the compiled benchmarks of a tree. */
export type Tree = URL

export const thisTree: Tree = new URL("./", import.meta.url)

const ask = <A>(tree: Tree, args: ReadonlyArray<string>, flags: ReadonlyArray<string> = []): Promise<A> =>
  new Promise((resolve, reject) => {
    const child = adopt(fork(new URL("process.js", tree), args, { execArgv: [...process.execArgv, ...flags] }))
    let answer: { readonly measured: A } | undefined
    child.on("message", (measured) => answer = { measured: measured as A })
    child.on("exit", () => {
      if (answer === undefined) reject(new Error(`no result of "${args[0]}"`))
      else resolve(answer.measured)
    })
  })

export const timing = (tree: Tree, { name }: Benchmark, turns: number): Promise<Timing> =>
  ask(tree, [name, "time", `${turns}`])

export const allocation = (tree: Tree, { name }: Benchmark): Promise<Allocation.Allocation> =>
  ask(tree, [name, "allocation"], Allocation.flags)
