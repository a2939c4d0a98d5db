/** What is said on a port: small tuples, cloned by the platform. Credit is what messages weigh, and begins with the greeting. */
import type { Message } from "@wirestack/protocol/Transport"

/** What the messages of a connection are. */
export type Shape = "bytes" | "messages"

/** The first frame of either side, with its version, the shape it speaks, and how much it may be sent. */
export type Greeting = readonly ["wirestack/1", Shape, credit: number]

export type Frame =
  | Greeting
  | readonly ["data", ReadonlyArray<Message>]
  | readonly ["credit", number]
  | readonly ["end"]
  | readonly ["abort"]

/** What a message weighs beside its length, so that credit bounds the number of small ones too. */
export const overhead: Record<Shape, number> = { bytes: 0, messages: 16 }

const isCount = (u: unknown): u is number => Number.isSafeInteger(u) && (u as number) > 0

const isMessage: Record<Shape, (u: unknown) => boolean> = {
  bytes: (u) => u instanceof Uint8Array,
  messages: (u) => typeof u === "string" || u instanceof Uint8Array
}

/** What was received as a frame of a connection of this shape, or undefined if it is none. */
export const read = (u: unknown, shape: Shape): Frame | undefined => {
  if (!Array.isArray(u)) return undefined
  const [kind, a, b] = u as ReadonlyArray<unknown>
  switch (kind) {
    case "wirestack/1":
      return a === shape && isCount(b) ? [kind, shape, b] : undefined
    case "data":
      return Array.isArray(a) && a.length > 0 && a.every(isMessage[shape]) ? [kind, a] : undefined
    case "credit":
      return isCount(a) ? [kind, a] : undefined
    case "end":
    case "abort":
      return [kind]
    default:
      return undefined
  }
}
