/** Messages for suites: the n-th message of a size, and what was received as text, to be compared with what was sent. */
import type { Message } from "../Transport.ts"

/** How a suite makes and compares the messages of one shape. */
export interface Samples<CIn, COut, SIn, SOut> {
  /** The n-th message of about `size` bytes for the server. */
  readonly toServer: (n: number, size: number) => COut
  /** The n-th message of about `size` bytes for the client. */
  readonly toClient: (n: number, size: number) => SOut
  /** What all these messages say, whatever their batches; for bytes, whatever their boundaries. */
  readonly digest: (messages: ReadonlyArray<CIn | COut | SIn | SOut>) => string
  /** About how many bytes a message weighs. */
  readonly size: (message: CIn | COut | SIn | SOut) => number
  /** Whether messages keep their boundaries. */
  readonly boundaries: boolean
}

/** Bytes that are those of the nth message, and that no compression makes fewer. */
const pattern = (n: number, size: number): Uint8Array => {
  const bytes = new Uint8Array(size)
  let state = Math.imul(n + 1, 0x9e3779b1)
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** Where a hash begins. */
const basis = 0x811c9dc5 | 0

/** A step of FNV-1a, enough to tell sequences apart in a test. */
const step = (h: number, value: number): number => Math.imul(h ^ value, 0x01000193)

const hash = (seed: number, bytes: Uint8Array): number => {
  let h = seed
  for (let i = 0; i < bytes.length; i++) h = step(h, bytes[i])
  return h
}

const hashText = (seed: number, text: string): number => {
  let h = seed
  for (let i = 0; i < text.length; i++) h = step(h, text.charCodeAt(i))
  return h
}

/** Samples of the shape `Bytes`. */
export const bytes: Samples<Uint8Array, Uint8Array, Uint8Array, Uint8Array> = {
  toServer: (n, size) => pattern(n, Math.max(1, size)),
  toClient: (n, size) => pattern(n + 100_000, Math.max(1, size)),
  digest: (messages) => {
    const length = messages.reduce((sum, message) => sum + message.length, 0)
    const h = messages.reduce(hash, basis)
    return `${length} bytes, hash ${h >>> 0}`
  },
  size: (message) => message.length,
  boundaries: false
}

/** Chance that is the same each time: what it returns throws a die of so many sides, the first of which is 0. */
export const dice = (seed: number): (sides: number) => number => {
  let state = Math.imul(seed, 0x9e3779b9) >>> 0
  return (sides) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5 >>> 0
    return state % Math.max(1, sides)
  }
}

const text = (n: number, size: number): string => {
  const head = `${n}:é€😀:`
  return head + "x".repeat(Math.max(0, size - head.length))
}

/** Samples of the shape `Messages`, text and binary in turn where the layer keeps the two apart, else binary. */
export const messages = (options: { readonly text: boolean }): Samples<Message, Message, Message, Message> => {
  const sample = (n: number, size: number): Message => options.text && n % 2 === 1 ? text(n, size) : pattern(n, size)
  return {
    toServer: sample,
    toClient: (n, size) => sample(n + 100_000, size),
    digest: (all) => {
      let h = basis
      for (const message of all) {
        const isText = typeof message === "string"
        h = hashText(h, `${isText ? "t" : "b"}${message.length}|`)
        h = isText ? hashText(h, message) : hash(h, message)
      }
      return `${all.length} messages, hash ${h >>> 0}`
    },
    size: (message) => message.length,
    boundaries: true
  }
}

/** Samples of the shape `Datagrams`, none of them larger than `limit` bytes. */
export const datagrams = (limit: number): Samples<Uint8Array, Uint8Array, Uint8Array, Uint8Array> => {
  const { toClient, toServer, ...rest } = messages({ text: false })
  const limited = (make: (n: number, size: number) => Message) => (n: number, size: number): Uint8Array =>
    make(n, Math.min(size, limit)) as Uint8Array
  return { ...rest, toServer: limited(toServer), toClient: limited(toClient) }
}
