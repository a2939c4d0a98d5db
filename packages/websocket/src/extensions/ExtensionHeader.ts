/**
 * The value of `Sec-WebSocket-Extensions`: a list of extensions, each with parameters.
 *
 *     extension-list  = 1#extension
 *     extension       = token *( ";" extension-param )
 *     extension-param = token [ "=" (token / quoted-string) ]
 *
 * What is in quotes is a token once it is unquoted, so nothing needs quotes when written. A list may be spread over several
 * headers, and elements of it may be empty as long as one is not.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-9.1
 */

import { isToken } from "@wirestack/http/Headers"
import { Violation } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import type { Params } from "./Extension.ts"

/** One extension of the list, with what is said about it. */
export interface Element {
  readonly name: string
  readonly params: Params
}

/** How many extensions a list may have. */
export const maxElements = 32

/** How many parameters one extension may have. */
export const maxParams = 32

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const name = new RegExp(`[ \\t]*(${token})`, "y")
const param = new RegExp(`[ \\t]*;[ \\t]*(${token})(?:[ \\t]*=[ \\t]*(?:(${token})|"((?:[^"\\\\]|\\\\.)*)"))?`, "y")
const separator = /[ \t]*(?:,|$)/y

const malformed = (rule: string) => Result.fail(new Violation({ rule, section: "RFC 6455 section 9.1" }))

const unquote = (quoted: string): string => quoted.replace(/\\(.)/g, "$1")

/**
 * Reads the values of all headers of this name, in their order. Without a header the list is empty.
 *
 * @category decoding
 */
export const parse = (headerValues: ReadonlyArray<string>): Result.Result<ReadonlyArray<Element>, Violation> => {
  const text = headerValues.join(",")
  const elements: Array<Element> = []
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found !== null) at = pattern.lastIndex
    return found
  }
  while (at < text.length) {
    const named = match(name)
    if (named !== null) {
      if (elements.length === maxElements) return malformed(`a list has at most ${maxElements} extensions`)
      const params: Array<readonly [string, string | undefined]> = []
      for (let found = match(param); found !== null; found = match(param)) {
        const [, key, plain, quoted] = found
        const value = quoted === undefined ? plain : unquote(quoted)
        if (value !== undefined && !isToken(value)) return malformed(`the value of ${key} is a token`)
        if (params.length === maxParams) return malformed(`an extension has at most ${maxParams} parameters`)
        params.push([key, value])
      }
      elements.push({ name: named[1], params })
    }
    if (match(separator) === null) return malformed("a list of extensions has tokens for names, parameters and values")
  }
  if (elements.length === 0 && headerValues.length > 0) return malformed("a list of extensions is not empty")
  return Result.succeed(elements)
}

/**
 * Writes one element; its name, the names of its parameters and their values are tokens.
 *
 * @category encoding
 */
export const format = ({ name, params }: Element): string =>
  [name, ...params.map(([key, value]) => value === undefined ? key : `${key}=${value}`)].join("; ")
