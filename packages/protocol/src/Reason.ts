/**
 * Why something failed, as data: one small tagged class a fact, with the facts in its fields.
 *
 * The unions of the error types are open. A layer of your own adds a reason by augmenting the interface of the error
 * it belongs to, and `Effect.catchReason` then knows it:
 *
 *     declare module "@wirestack/protocol/ConnectError" {
 *       interface ConnectReasons { readonly ProxyDenied: ProxyDenied }
 *     }
 */
import * as Data from "effect/Data"

/** What every reason has. */
export interface Reason {
  readonly _tag: string
  readonly message: string
  /** The peer says that it may go better later: after so many milliseconds, 0 if it does not say when. */
  readonly retryAfter?: number | undefined
  /** It is a reason of `ConnectError` and of `ConnectionError`: a connection that ends for it during a handshake fails that for it too. */
  readonly endsHandshakes?: true
}

/** Anything the other reasons do not say; `cause` is what was thrown or returned. */
export class Other extends Data.TaggedClass("Other")<{ readonly cause: unknown }> implements Reason {
  get message(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/** It took longer than `after` milliseconds; `phase` says what did. */
export class TimedOut extends Data.TaggedClass("TimedOut")<{ readonly phase: string; readonly after: number }>
  implements Reason
{
  get message(): string {
    return `${this.phase} took longer than ${this.after} ms`
  }
  get endsHandshakes(): true {
    return true
  }
}

/** A size or count went over its limit. */
export class TooLarge extends Data.TaggedClass("TooLarge")<{
  readonly what: string
  readonly size: number
  readonly limit: number
}> implements Reason {
  get message(): string {
    return `${this.what} of ${this.size} is over the limit of ${this.limit}`
  }
  get endsHandshakes(): true {
    return true
  }
}

/** The peer broke the layer's protocol; `section` is where the rule is written. */
export class Violation extends Data.TaggedClass("Violation")<{ readonly rule: string; readonly section?: string }>
  implements Reason
{
  get message(): string {
    return this.section === undefined ? this.rule : `${this.rule} (${this.section})`
  }
  get endsHandshakes(): true {
    return true
  }
}

/** The input ended in the middle of something, or without the goodbye the layer requires. */
export class Truncated extends Data.TaggedClass("Truncated")<{ readonly inside: string }> implements Reason {
  get message(): string {
    return `the input ended inside ${this.inside}`
  }
  get endsHandshakes(): true {
    return true
  }
}
