/**
 * The answer to a request that asks for another use of the connection: an upgrade, or a tunnel.
 *
 *     100, 103, ...            interim: skipped, at most 16 of them
 *     the status that agrees   the head, and behind it bytes that are no longer HTTP
 *     any other                a refusal, with the beginning of its body
 *
 * Who waits for an answer has to say when it is over, whether the connection ended or the time is up. `ended` then gives
 * what is known: with the head of a refusal it is that, with as much of the body as has come; a server that is slow with
 * its body, or cuts the connection within it, doesn't hide its status behind that.
 */
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import { type Found, readUntil } from "@wirestack/protocol/handshake/Reader"
import { TooLarge, Truncated, type Violation } from "@wirestack/protocol/Reason"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { BodyReader } from "./HttpBody.ts"
import * as HttpHead from "./HttpHead.ts"

/** It agrees. */
export interface Agreed extends HttpHead.Received<HttpHead.Response> {
  readonly _tag: "Agreed"
}

/** It refuses; `body` is the beginning of what it says. */
export interface Declined {
  readonly _tag: "Declined"
  readonly head: HttpHead.Response
  readonly body: string
}

export type Answer = Result.Result<Agreed | Declined, Violation | TooLarge | Truncated>

export interface Options {
  /** What was asked for, for errors. */
  readonly what: string
  /** Which statuses agree. */
  readonly agrees: (status: number) => boolean
  readonly limits?: HttpHead.Limits | undefined
}

/** How much of the body of a refusal is kept. */
const maxBodySize = 4_096

/** How many interim answers may come before the final one. */
const maxInterim = 16

/** What reads an answer as an `A`. */
export interface Reading<A> {
  /** The answer is a no, and only the rest of its body is still to come. */
  readonly refused: boolean
  /** Takes the next bytes; undefined if more are needed. */
  readonly receive: (chunk: Uint8Array) => A | undefined
  /** No more is to come: what is known of the answer until now. */
  readonly ended: () => A
}

/** Reads one answer; it is used up by the first result that is not undefined. */
export class AnswerReader implements Reading<Answer> {
  private readonly options: Options
  private reader: HttpHead.HeadReader<HttpHead.Response>
  private interim = 0
  private refusal: { readonly head: HttpHead.Response; readonly body: BodyReader } | undefined = undefined

  constructor(options: Options) {
    this.options = options
    this.reader = HttpHead.responseReader(options.limits)
  }

  get refused(): boolean {
    return this.refusal !== undefined
  }

  receive(chunk: Uint8Array): Answer | undefined {
    if (this.refusal !== undefined) return this.refusal.body.receive(chunk) ? this.ended() : undefined
    const received = this.reader.receive(chunk)
    if (received === undefined) return undefined
    if (Result.isFailure(received)) return Result.fail(received.failure)
    const { head, leftover } = received.success
    if (this.options.agrees(head.status)) return Result.succeed({ _tag: "Agreed", ...received.success })
    if (head.status >= 200) {
      this.refusal = { head, body: new BodyReader(head, maxBodySize) }
      return this.receive(leftover)
    }
    if (++this.interim > maxInterim) {
      return Result.fail(new TooLarge({ what: "the number of interim answers", size: this.interim, limit: maxInterim }))
    }
    this.reader = HttpHead.responseReader(this.options.limits)
    return this.receive(leftover)
  }

  ended(): Result.Result<Declined, Truncated> {
    return this.refusal === undefined
      ? Result.fail(new Truncated({ inside: `the answer to ${this.options.what}` }))
      : Result.succeed({ _tag: "Declined", head: this.refusal.head, body: this.refusal.body.text })
  }
}

/** How long the body of a refusal is waited for, in milliseconds; less if the handshake's own time is nearly up. */
const bodyWithin = 1_000

/**
 * Reads the answer from a connection. The body of a refusal has half of what is left of the handshake's time, which is up at
 * `deadline` (milliseconds of the monotonic clock), and a second at most.
 */
export const read = <A>(
  connection: Connection<Uint8Array, Uint8Array>,
  reader: Reading<A>,
  deadline: number
): Effect.Effect<Found<A>, ConnectError> => {
  const receive = (chunk: Uint8Array): A | undefined => reader.receive(chunk)
  const ended = (): A => reader.ended()
  const headOrAnswer = (chunk: Uint8Array): A | "refused" | undefined =>
    receive(chunk) ?? (reader.refused ? "refused" : undefined)
  return Effect.flatMap(readUntil(connection, headOrAnswer, ended), ({ found, rest }) => {
    if (found !== "refused") return Effect.succeed({ found, rest })
    for (const chunk of rest) {
      const answer = receive(chunk)
      if (answer !== undefined) return Effect.succeed({ found: answer, rest: [] })
    }
    const known = Effect.sync(() => ({ found: ended(), rest: [] }))
    const body = Effect.catch(readUntil(connection, receive, ended), () => known)
    return Effect.flatMap(now, (now) =>
      Effect.timeoutOrElse(body, {
        duration: Math.max(0, Math.min(bodyWithin, (deadline - now) / 2)),
        orElse: () => known
      }))
  })
}

/** The monotonic clock, in milliseconds. */
export const now: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)
