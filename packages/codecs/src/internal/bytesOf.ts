import type { Message } from "@wirestack/protocol/Transport"

/** A message of a binary format; throws if it is text. */
export const bytesOf = (message: Message): Uint8Array => {
  if (typeof message === "string") throw new TypeError("a text, where bytes are wanted")
  return message
}
