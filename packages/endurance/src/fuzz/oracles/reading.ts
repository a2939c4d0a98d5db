/** What reads one thing from the chunks of a stream: cut in another way it is the same, and what is behind it stays where it is. */
import { equal, holds } from "@wirestack/protocol/testing/check"
import * as Result from "effect/Result"
import { cut, hexOf, joined } from "../bytes.ts"
import type { Target, Verdict } from "../Target.ts"

interface Reason {
  readonly _tag: string
  readonly message: string
  /** Which rule was broken, if one was: that tells the ways apart in which an input is refused. */
  readonly rule?: string
}

/** What was read, as data, and what came behind it in the last chunk; undefined if nobody wants that. */
export type Found<A> = Result.Result<readonly [found: A, leftover: Uint8Array | undefined], Reason>

/** A reader: undefined as long as it wants more. */
export interface Reading<A> {
  /** What is said to it when an input is: an answer may have to know the question. */
  readonly answered?: (input: Uint8Array) => Uint8Array
  readonly receive: (chunk: Uint8Array) => Found<A> | undefined
  /** No more is to come. */
  readonly ended?: () => Found<A>
}

export interface Subject<A> extends Omit<Target, "show"> {
  readonly make: () => Reading<A>
  /** What else must hold of what was read from these bytes, behind which is all else; it says in which way it was read. */
  readonly verify: (found: A, bytes: Uint8Array) => string
}

type Seen<A> =
  | { readonly found: A; readonly leftover: Uint8Array }
  | { readonly reason: string; readonly how: string }
  | undefined

const whole = (input: Uint8Array): ReadonlyArray<Uint8Array> => [input]

const bytewise = (input: Uint8Array): ReadonlyArray<Uint8Array> => Array.from(input, (byte) => Uint8Array.of(byte))

const read = <A>({ answered, ended, receive }: Reading<A>, input: Uint8Array, by: typeof whole): Seen<A> => {
  const chunks = by(answered?.(input) ?? input)
  let result: Found<A> | undefined
  let at = 0
  while (result === undefined && at < chunks.length) result = receive(chunks[at++])
  result ??= ended?.()
  if (result === undefined) return undefined
  if (Result.isSuccess(result)) {
    const [found, leftover] = result.success
    return { found, leftover: leftover === undefined ? new Uint8Array(0) : joined(leftover, ...chunks.slice(at)) }
  }
  const { _tag, message, rule = "" } = result.failure
  holds("a reason has a tag and says something", typeof _tag === "string" && message !== "", result.failure)
  return { reason: `${_tag} ${message}`, how: `${_tag} ${rule}` }
}

const said = <A>(seen: Seen<A>): unknown =>
  seen === undefined || "reason" in seen ? seen : [JSON.stringify(seen.found), hexOf(seen.leftover)]

export const reading = <A>({ make, verify, ...target }: Subject<A>): Target => {
  const show = (input: Uint8Array): Verdict => {
    const seen = read(make(), input, whole)
    equal("in pieces", said(read(make(), input, cut)), said(seen))
    equal("byte by byte", said(read(make(), input, bytewise)), said(seen))
    if (seen === undefined) return { accepted: false, how: "more is wanted" }
    if ("reason" in seen) return { accepted: false, how: seen.how }
    return { accepted: true, how: verify(seen.found, input.subarray(0, input.length - seen.leftover.length)) }
  }
  return { ...target, show }
}
