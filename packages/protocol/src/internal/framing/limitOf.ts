import { atLeast } from "../atLeast.ts"

/** A limit as an option tells it, `usual` by default and `most` at most. Throws a `RangeError` for what limits nothing, such as NaN. */
export const limitOf = (given: number | undefined, usual: number, most = Infinity): number =>
  Math.min(atLeast(0, "a limit", given ?? usual), most)
