/**
 * The frames of `Resume`, a binary message each. Numbers are big-endian.
 *
 *     type u8 | 1 HELLO    version u8 = 1; to resume also: session 16 bytes, secret 16 bytes, done u64, received u64
 *             | 2 WELCOME  version u8 = 1, session 16 bytes, secret 16 bytes, done u64, received u64
 *             | 3 REFUSED  code u8, first u64, last u64
 *             | 4 BINARY   payload
 *             | 5 TEXT     payload, UTF-8
 *             | 6 ACK      done u64
 *             | 7 GOODBYE  code u8, done u64
 *             | 8 RESET
 *
 * BINARY and TEXT have numbers that are not said: each is one more than that of the one before, in each direction, beginning with 1; the
 * first on a connection has the number after the last that the other side has `received`. Those that it is `done` with, which are no more, need
 * not be kept.
 */
import { Violation } from "../../Reason.ts"
import type { Message } from "../../Transport.ts"
import * as utf8 from "../utf8.ts"

export const Type = { Hello: 1, Welcome: 2, Refused: 3, Binary: 4, Text: 5, Ack: 6, Goodbye: 7, Reset: 8 } as const

/** Why a session is refused. */
export const Code = { Unknown: 0, Gap: 1, Version: 2 } as const

export type Code = typeof Code[keyof typeof Code]

const version = 1

/** How long the name of a session is, and its secret. */
export const nameSize = 16

/** What names a session, and what proves that it is one's own. */
export interface Ticket {
  readonly session: Uint8Array
  readonly secret: Uint8Array
}

/** How far one side is with the messages of the other. */
export interface Progress {
  readonly done: number
  readonly received: number
}

export type Frame =
  | { readonly type: typeof Type.Hello; readonly resumes: (Ticket & Progress) | undefined }
  | { readonly type: typeof Type.Welcome; readonly ticket: Ticket; readonly progress: Progress }
  | { readonly type: typeof Type.Refused; readonly code: number; readonly first: number; readonly last: number }
  | { readonly type: typeof Type.Binary | typeof Type.Text; readonly message: Message }
  | { readonly type: typeof Type.Ack; readonly done: number }
  | { readonly type: typeof Type.Goodbye; readonly code: number; readonly done: number }
  | { readonly type: typeof Type.Reset }

const begin = (type: number, rest: number) => {
  const bytes = new Uint8Array(1 + rest)
  bytes[0] = type
  return { bytes, view: new DataView(bytes.buffer) }
}

const writeTicket = (bytes: Uint8Array, at: number, { secret, session }: Ticket): void => {
  bytes.set(session, at)
  bytes.set(secret, at + nameSize)
}

const writeNumber = (view: DataView, at: number, number: number): void => view.setBigUint64(at, BigInt(number))

const whole = 2 + 2 * nameSize + 16

const ticketed = (type: number, ticket: Ticket, { done, received }: Progress): Uint8Array => {
  const { bytes, view } = begin(type, whole - 1)
  bytes[1] = version
  writeTicket(bytes, 2, ticket)
  writeNumber(view, whole - 16, done)
  writeNumber(view, whole - 8, received)
  return bytes
}

export const hello = (): Uint8Array => Uint8Array.of(Type.Hello, version)

export const helloAgain = (ticket: Ticket, progress: Progress): Uint8Array => ticketed(Type.Hello, ticket, progress)

export const welcome = (ticket: Ticket, progress: Progress): Uint8Array => ticketed(Type.Welcome, ticket, progress)

export const refused = (code: Code, first = 0, last = 0): Uint8Array => {
  const { bytes, view } = begin(Type.Refused, 17)
  bytes[1] = code
  writeNumber(view, 2, first)
  writeNumber(view, 10, last)
  return bytes
}

/** Throws `Unencodable` for a text with a lone surrogate. */
export const data = (message: Message): Uint8Array => {
  const text = typeof message === "string"
  const payload = text ? utf8.encode(message) : message
  const { bytes } = begin(text ? Type.Text : Type.Binary, payload.length)
  bytes.set(payload, 1)
  return bytes
}

export const ack = (done: number): Uint8Array => {
  const { bytes, view } = begin(Type.Ack, 8)
  writeNumber(view, 1, done)
  return bytes
}

export const goodbye = (code: number, done: number): Uint8Array => {
  const { bytes, view } = begin(Type.Goodbye, 9)
  bytes[1] = code
  writeNumber(view, 2, done)
  return bytes
}

export const reset = (): Uint8Array => Uint8Array.of(Type.Reset)

const readNumber = (view: DataView, at: number): number => {
  const number = view.getBigUint64(at)
  if (number > BigInt(Number.MAX_SAFE_INTEGER)) throw new Violation({ rule: `the number ${number} is beyond 2^53-1` })
  return Number(number)
}

const sized = (bytes: Uint8Array, name: string, size: number): DataView => {
  if (bytes.length !== size) throw new Violation({ rule: `${name} of ${bytes.length} bytes, where it has ${size}` })
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

const textOf = (bytes: Uint8Array): string => {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Violation({ rule: "TEXT that is not UTF-8" })
  }
}

const ticketIn = (bytes: Uint8Array): Ticket => ({
  session: bytes.slice(2, 2 + nameSize),
  secret: bytes.slice(2 + nameSize, 2 + 2 * nameSize)
})

const inThisVersion = (bytes: Uint8Array, name: string): void => {
  if (bytes[1] !== version) throw new Violation({ rule: `${name} of version ${bytes[1]}, where this is ${version}` })
}

const progressIn = (view: DataView): Progress => {
  const progress = { done: readNumber(view, whole - 16), received: readNumber(view, whole - 8) }
  if (progress.done > progress.received) throw new Violation({ rule: "more is done with than received" })
  return progress
}

/** Reads a frame. Throws a `Violation` that says what is wrong with it. */
export const read = (input: Message): Frame => {
  if (typeof input === "string") throw new Violation({ rule: "a text, where frames are binary" })
  switch (input[0]) {
    case Type.Hello: {
      inThisVersion(input, "HELLO")
      if (input.length === 2) return { type: Type.Hello, resumes: undefined }
      const view = sized(input, "HELLO", whole)
      return { type: Type.Hello, resumes: { ...ticketIn(input), ...progressIn(view) } }
    }
    case Type.Welcome: {
      inThisVersion(input, "WELCOME")
      const view = sized(input, "WELCOME", whole)
      return { type: Type.Welcome, ticket: ticketIn(input), progress: progressIn(view) }
    }
    case Type.Refused: {
      const view = sized(input, "REFUSED", 18)
      return { type: Type.Refused, code: input[1], first: readNumber(view, 2), last: readNumber(view, 10) }
    }
    case Type.Binary:
      return { type: Type.Binary, message: input.subarray(1) }
    case Type.Text:
      return { type: Type.Text, message: textOf(input.subarray(1)) }
    case Type.Ack:
      return { type: Type.Ack, done: readNumber(sized(input, "ACK", 9), 1) }
    case Type.Goodbye:
      return { type: Type.Goodbye, code: input[1], done: readNumber(sized(input, "GOODBYE", 10), 2) }
    case Type.Reset:
      return { type: Type.Reset }
    default:
      throw new Violation({ rule: `a frame of type ${input[0] ?? "none"}` })
  }
}

/** A frame to be shown: with zeros where its secret is, if it has one. */
export const withoutSecret = (frame: Message): Message => {
  if (typeof frame === "string" || frame.length !== whole) return frame
  if (frame[0] !== Type.Hello && frame[0] !== Type.Welcome) return frame
  return new Uint8Array(frame).fill(0, 2 + nameSize, 2 + 2 * nameSize)
}
