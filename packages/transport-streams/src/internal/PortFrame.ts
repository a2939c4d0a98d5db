/**
 * What is said on a port: small tuples, cloned by the platform. Credit is what messages weigh, and begins with the greeting.
 *
 * Bytes are all of their memory. A view would bring along what is around it, for which no credit is paid, and shared memory would still
 * be the sender's.
 */
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

/** Whether bytes are all of a memory that can have one owner. */
export const isWhole = (bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> =>
  bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength

const isMessage: Record<Shape, (u: unknown) => boolean> = {
  bytes: (u) => u instanceof Uint8Array && u.length > 0 && isWhole(u),
  messages: (u) => typeof u === "string" || (u instanceof Uint8Array && isWhole(u))
}

/** A cloned array keeps its holes and what else it was given, so nothing of it is called. */
const areMessages = (u: unknown, shape: Shape): u is ReadonlyArray<Message> => {
  if (!Array.isArray(u) || u.length === 0) return false
  for (let i = 0; i < u.length; i++) if (!isMessage[shape](u[i])) return false
  return true
}

/** What was received as a frame of a connection of this shape, or undefined if it is none. */
export const read = (u: unknown, shape: Shape): Frame | undefined => {
  if (!Array.isArray(u)) return undefined
  const [kind, a, b] = u as ReadonlyArray<unknown>
  switch (kind) {
    case "wirestack/1":
      return a === shape && isCount(b) ? [kind, shape, b] : undefined
    case "data":
      return areMessages(a, shape) ? [kind, a] : undefined
    case "credit":
      return isCount(a) ? [kind, a] : undefined
    case "end":
    case "abort":
      return [kind]
    default:
      return undefined
  }
}
