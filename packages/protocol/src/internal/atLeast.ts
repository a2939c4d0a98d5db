/** A number that an option gives. Throws a `RangeError` that names the option if it is less, or no number. */
export const atLeast = (least: number, option: string, given: number): number => {
  if (!(given >= least)) throw new RangeError(`${option} is ${given}, and has to be at least ${least}`)
  return given
}
