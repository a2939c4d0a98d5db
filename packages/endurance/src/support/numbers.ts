/** The numbers a program is run with, such as `--seed 7 --minutes 2`. */
import { parseArgs } from "node:util"

/** A number that was given, or the default. Throws a `RangeError` that names what is no number. */
export const number = (name: string, given: string | undefined, fallback: number): number => {
  if (given === undefined) return fallback
  const number = Number(given)
  if (given === "" || !(number >= 0)) throw new RangeError(`--${name} wants a number, not ${JSON.stringify(given)}`)
  return number
}

/** Numbers of the command line, by their names; `defaults` names all there are. Throws a `RangeError` that names what is no number. */
export const numbers = <N extends string>(defaults: Readonly<Record<N, number>>): Record<N, number> => {
  const names = Object.keys(defaults) as Array<N>
  const { values } = parseArgs({
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }]))
  })
  return Object.fromEntries(names.map((name) => [name, number(name, values[name], defaults[name])])) as Record<
    N,
    number
  >
}
