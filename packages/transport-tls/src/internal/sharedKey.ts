/** The bytes of a key that both ends share, for Node, whose own error for one that is too long would show them. */
import * as Redacted from "effect/Redacted"

const maxSize = 512

/** What is wrong with a key, if something is. */
export const faultOf = (key: Redacted.Redacted<Uint8Array>): string | undefined => {
  const { length } = Redacted.value(key)
  return length > 0 && length <= maxSize ? undefined : `a shared key has 1 to ${maxSize} bytes, and this one ${length}`
}

/** The bytes of a key; throws what is wrong with it. */
export const bytesOf = (key: Redacted.Redacted<Uint8Array>): Uint8Array => {
  const fault = faultOf(key)
  if (fault !== undefined) throw new Error(fault)
  return Redacted.value(key)
}
