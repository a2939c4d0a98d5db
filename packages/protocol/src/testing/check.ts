/** Assertions for suites that run under any test framework: they throw, with what was seen and what was wanted. */
import * as Equal from "effect/Equal"

const show = (u: unknown): string => {
  try {
    const text = JSON.stringify(u, (_, value) => typeof value === "bigint" ? `${value}n` : value) ?? String(u)
    return text.length > 400 ? `${text.slice(0, 400)}... (${text.length} characters)` : text
  } catch {
    return String(u)
  }
}

/** Fails unless `actual` equals `expected` (structurally). */
export const equal = (what: string, actual: unknown, expected: unknown): void => {
  if (!Equal.equals(actual, expected)) throw new Error(`${what}: got ${show(actual)}, wanted ${show(expected)}`)
}

/** Fails unless the condition holds; `seen` is shown. */
export const holds = (what: string, condition: boolean, seen?: unknown): void => {
  if (!condition) throw new Error(seen === undefined ? what : `${what}: got ${show(seen)}`)
}

/** Says of what is thrown where that was. */
export const named = <A>(what: string, run: () => A): A => {
  try {
    return run()
  } catch (thrown) {
    throw new Error(`${what}: ${thrown instanceof Error ? thrown.message : show(thrown)}`, { cause: thrown })
  }
}
