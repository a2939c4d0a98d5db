/** A value of objects and arrays in which parts are replaced; the value itself if none is. */
import * as Predicate from "effect/Predicate"
import * as Redactable from "effect/Redactable"

/** What a part is replaced by, if it is; `name` is that of its field. */
export type Replace = (part: unknown, name: string | undefined) => string | undefined

export const replaced = (value: unknown, replace: Replace, name?: string): unknown => {
  const by = replace(value, name)
  if (by !== undefined) return by
  if (Array.isArray(value)) {
    const parts = value.map((part) => replaced(part, replace))
    return parts.some((part, at) => part !== value[at]) ? parts : value
  }
  if (!Predicate.isObject(value) || ArrayBuffer.isView(value) || Redactable.isRedactable(value)) return value
  if ("toJSON" in value && typeof value.toJSON === "function") return asJson(value, value.toJSON(), replace)
  const fields = Object.entries(value)
  const parts = fields.map(([name, part]) => [name, replaced(part, replace, name)] as const)
  return parts.some(([, part], at) => part !== fields[at][1]) ? Object.fromEntries(parts) : value
}

/** What says itself how it is shown, such as an `Option`, stays what it is unless something of that is replaced. */
const asJson = (value: object, json: unknown, replace: Replace): unknown => {
  if (json === value) return value
  const shown = replaced(json, replace)
  return shown === json ? value : shown
}
