/** The numbers a program is run with, such as `--seed 7 --minutes 2`. */
import { parseArgs } from "node:util"

/** Numbers of the command line, by their names; `defaults` names all there are. Throws a `RangeError` that names what is no number. */
export const numbers = <N extends string>(defaults: Readonly<Record<N, number>>): Record<N, number> => {
  const names = Object.keys(defaults) as Array<N>
  const { values } = parseArgs({
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }]))
  })
  const read = (name: N): number => {
    const given = values[name]
    if (given === undefined) return defaults[name]
    const number = Number(given)
    if (given === "" || !(number >= 0)) throw new RangeError(`--${name} wants a number, not ${JSON.stringify(given)}`)
    return number
  }
  return Object.fromEntries(names.map((name) => [name, read(name)])) as Record<N, number>
}
