/** The command line makes no sense. */

import * as Data from "effect/Data"

/** The flags don't fit each other, or the stack of the URL. */
export class Misused extends Data.TaggedError("Misused")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}
