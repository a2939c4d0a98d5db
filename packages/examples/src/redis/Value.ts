/** The values of RESP3, by the byte that says their type. */
import { Violation } from "@wirestack/protocol/Reason"
import { RedisError } from "./RedisError.ts"

/** A value. Bulk strings are bytes, as they may hold any; other strings are text. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | RedisError
  | ReadonlyArray<Value>
  | ReadonlySet<Value>
  | ReadonlyMap<Value, Value>

export const violation = (rule: string) => new Violation({ rule, section: "RESP3" })

export const integer = (text: string): number => {
  if (!/^[+-]?\d{1,19}$/.test(text)) throw violation(`${JSON.stringify(text.slice(0, 40))} is no number`)
  return Number(text)
}

const errorOf = (text: string): RedisError => {
  const space = text.indexOf(" ")
  return space < 0
    ? new RedisError({ code: text, detail: "" })
    : new RedisError({ code: text.slice(0, space), detail: text.slice(space + 1) })
}

const special: Readonly<Record<string, number>> = { inf: Infinity, "-inf": -Infinity, nan: NaN, "-nan": NaN }

const double = (text: string): number => {
  const value = special[text] ?? (/^[+-]?\d+(\.\d*)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined)
  if (value === undefined) throw violation(`${JSON.stringify(text.slice(0, 40))} is no number`)
  return value
}

/** What is said in one line. */
export const scalars: Readonly<Record<string, (text: string) => Value>> = {
  "+": (text) => Buffer.from(text, "latin1").toString(),
  "-": (text) => errorOf(Buffer.from(text, "latin1").toString()),
  ":": (text) => Number.isSafeInteger(integer(text)) ? Number(text) : BigInt(text),
  "(": (text) => {
    if (!/^[+-]?\d+$/.test(text)) throw violation("a big number has digits only")
    return BigInt(text)
  },
  ",": double,
  "#": (text) => {
    if (text !== "t" && text !== "f") throw violation("a boolean is t or f")
    return text === "t"
  },
  "_": () => null
}

/** What is said in so many bytes. */
export const blobs: Readonly<Record<string, (bytes: Uint8Array) => Value>> = {
  $: (bytes) => bytes,
  "!": (bytes) => errorOf(Buffer.from(bytes).toString()),
  "=": (bytes) => Buffer.from(bytes.subarray(4)).toString()
}

/** What is made of so many values; of pairs twice as many. */
export const aggregates: Readonly<
  Record<string, readonly [each: 1 | 2, make: (values: ReadonlyArray<Value>) => Value]>
> = {
  "*": [1, (values) => values],
  "~": [1, (values) => new Set(values)],
  "%": [2, (values) => new Map(pairs(values))],
  "|": [2, () => null],
  ">": [1, (values) => values]
}

const pairs = (values: ReadonlyArray<Value>): ReadonlyArray<[Value, Value]> =>
  Array.from({ length: values.length / 2 }, (_, n) => [values[2 * n], values[2 * n + 1]])

/** A string of either kind as text. */
export const text = (value: Value): string =>
  typeof value === "string" ? value : value instanceof Uint8Array ? Buffer.from(value).toString() : String(value)
