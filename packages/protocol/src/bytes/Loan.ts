/**
 * Memory that is lent: a large message lies in it until its receiver asks for what is next, and then it is used again.
 *
 * A receiver may send what it was lent, to anybody. Whoever keeps bytes that it was given to send, beyond the turn in which
 * it was given them, holds their loan meanwhile, or makes them its `own`. When nobody holds a loan any more its memory is
 * taken back: whoever still looks at it sees that it is gone (its views have the length 0), and never what is in it by then.
 */

import { Unencodable } from "../ConnectionError.ts"
import { owned } from "./Memory.ts"
import * as Pool from "./Pool.ts"

/** A buffer of a runtime that can take it from those who look at it; all have that, from Node 21 and the browsers of 2023 on. */
interface Transferable extends ArrayBuffer {
  readonly detached: boolean
  readonly transfer: () => ArrayBuffer
}

const canTakeBack = "transfer" in ArrayBuffer.prototype

export class Loan {
  private readonly buffer: Transferable
  /** The receiver, until it asks for what is next, and those who have yet to send of it. */
  private holders = 1

  constructor(buffer: ArrayBuffer) {
    this.buffer = buffer as Transferable
  }

  /** Keeps the memory from being taken back, until it is released once more. */
  hold(): void {
    this.holders++
  }

  release(): void {
    this.holders--
    // Whoever has transferred it to a worker has it now.
    if (this.holders === 0 && canTakeBack && !this.buffer.detached) Pool.give(this.buffer.transfer())
  }
}

const loans = new WeakMap<ArrayBufferLike, Loan>()

/** Nobody is looked up as long as nothing was lent. */
let lending = false

/** Lends bytes that lie alone in memory of the `Pool`. */
export const lend = (bytes: Uint8Array<ArrayBuffer>): Uint8Array => {
  lending = true
  loans.set(bytes.buffer, new Loan(bytes.buffer))
  return bytes
}

/** Lends a copy of bytes. */
export const lendCopy = (bytes: Uint8Array): Uint8Array => {
  const copy = Pool.take(bytes.length)
  copy.set(bytes)
  return lend(copy)
}

/** The loan in which bytes lie, if they are lent. */
export const of = (bytes: Uint8Array): Loan | undefined => lending ? loans.get(bytes.buffer) : undefined

/** The loans of those who are, of messages from `start` on; none if there are none. */
export const allOf = (messages: ReadonlyArray<unknown>, start = 0): ReadonlyArray<Loan> | undefined => {
  if (!lending) return undefined
  let all: Array<Loan> | undefined = undefined
  for (let i = start; i < messages.length; i++) {
    const message = messages[i]
    const loan = message instanceof Uint8Array ? loans.get(message.buffer) : undefined
    if (loan !== undefined) {
      if (all === undefined) all = [loan]
      else all.push(loan)
    }
  }
  return all
}

/** Holds those loans. */
export const holdAll = (messages: ReadonlyArray<unknown>, start: number): ReadonlyArray<Loan> | undefined => {
  const held = allOf(messages, start)
  if (held !== undefined) { for (const loan of held) loan.hold() }
  return held
}

export const releaseAll = (loans: ReadonlyArray<Loan> | undefined): void => {
  if (loans !== undefined) { for (const loan of loans) loan.release() }
}

/** Bytes that may be kept: a copy of those that are lent. */
export const own = (bytes: Uint8Array): Uint8Array => of(bytes) === undefined ? bytes : owned(bytes)

const gone = new Unencodable({ detail: "it was lent, and is taken back" })

/** Throws `Unencodable` if a message to be sent was lent, and is taken back. */
export const check = (message: unknown): void => {
  if (
    lending && message instanceof Uint8Array && message.length === 0 && (message.buffer as Transferable).detached
  ) throw gone
}
