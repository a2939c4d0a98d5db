/** Headers of our own that can't be sent. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"
import { type Headers, isSendable, isToken } from "./Headers.ts"

/** A header of our own half of an exchange can't be sent. Nothing was. */
export class InvalidHeader extends Data.TaggedClass("InvalidHeader")<{
  readonly name: string
  readonly detail: string
}> implements Reason {
  get message(): string {
    return `the header ${JSON.stringify(this.name)} can't be sent: ${this.detail}`
  }
}

/**
 * What is wrong with headers that somebody wants to add to our own, if something is: a name that is no token, a value that could
 * become another header, or a name among those `reserved`, in lower case.
 */
export const invalidHeader = (headers: Headers, reserved: ReadonlySet<string>): InvalidHeader | undefined => {
  for (const [name, value] of headers) {
    const detail = !isToken(name) ?
      "the name is not a token"
      : !isSendable(value) ?
      "the value has other than printable characters"
      : reserved.has(name.toLowerCase()) ?
      "it belongs to the handshake"
      : undefined
    if (detail !== undefined) return new InvalidHeader({ name, detail })
  }
  return undefined
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly InvalidHeader: InvalidHeader
  }
}
