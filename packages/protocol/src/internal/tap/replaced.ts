/** A value of plain objects and arrays in which parts are replaced; the value itself if none is. */
import * as Predicate from "effect/Predicate"

/** What a part is replaced by, if it is; `name` is that of its field. */
export type Replace = (part: unknown, name: string | undefined) => string | undefined

export const replaced = (value: unknown, replace: Replace, name?: string): unknown => {
  const by = replace(value, name)
  if (by !== undefined) return by
  if (Array.isArray(value)) {
    const parts = value.map((part) => replaced(part, replace))
    return parts.some((part, at) => part !== value[at]) ? parts : value
  }
  if (!Predicate.isObject(value) || !isPlain(value)) return value
  const fields = Object.entries(value)
  const parts = fields.map(([name, part]) => [name, replaced(part, replace, name)] as const)
  return parts.some(([, part], at) => part !== fields[at][1]) ? Object.fromEntries(parts) : value
}

/** Whether its fields are all there is to it; those of a value of a Schema are, whatever its class. */
const isPlain = (value: object): boolean => !(Symbol.iterator in value) && !("toJSON" in value)
