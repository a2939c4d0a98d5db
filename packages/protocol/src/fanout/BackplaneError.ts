/** What can go wrong with a backplane: what is published can't be carried, or its engine is not there. */

import * as Data from "effect/Data"
import type { Unencodable } from "../ConnectionError.ts"
import type { Reason, TimedOut, TooLarge } from "../Reason.ts"

/** The engine can't be reached, or refuses. Whether a message was stored is not known: publish it again with its key. */
export class Unavailable extends Data.TaggedClass("Unavailable")<{ readonly engine: string; readonly cause: unknown }>
  implements Reason
{
  get message(): string {
    const { cause, engine } = this
    return `${engine} is unavailable: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

/** The reasons of a `BackplaneError`, open to augmentation (see the module `Reason`). */
export interface BackplaneReasons {
  readonly TooLarge: TooLarge
  readonly Unencodable: Unencodable
  readonly TimedOut: TimedOut
  readonly Unavailable: Unavailable
}

export type BackplaneReason = BackplaneReasons[keyof BackplaneReasons]

/** Nothing is known to have been published in the topic, or no place was had in it. */
export class BackplaneError extends Data.TaggedError("BackplaneError")<{
  readonly topic: string
  readonly reason: BackplaneReason
}> {
  override get message(): string {
    return `backplane, ${this.topic}: ${this.reason.message}`
  }
}
