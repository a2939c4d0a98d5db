/** An environment variable that can't be used. */

import * as Data from "effect/Data"

/** What a variable says of proxies can't be used; its value is not told, as it may have a password in it. */
export class ProxyVariableInvalid extends Data.TaggedError("ProxyVariableInvalid")<{
  readonly variable: string
  readonly detail: string
}> {
  override get message(): string {
    return `the environment variable ${this.variable} can't be used: ${this.detail}`
  }
}
