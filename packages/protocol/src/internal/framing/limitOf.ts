/** A limit as an option tells it, `usual` by default and `most` at most. Throws a `RangeError` for what limits nothing, such as NaN. */
export const limitOf = (given: number | undefined, usual: number, most = Infinity): number => {
  const limit = given ?? usual
  if (!(limit >= 0)) throw new RangeError(`a limit can't be ${limit}`)
  return Math.min(limit, most)
}
