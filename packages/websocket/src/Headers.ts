/** The headers of an HTTP message, as pairs: what they say, and what may be said. */

/** Headers in the order of their arrival; names are in lower case, and a name may occur more than once. */
export type Headers = ReadonlyArray<readonly [name: string, value: string]>

const isBlank = (text: string, at: number): boolean => text[at] === " " || text[at] === "\t"

/** Without spaces and tabs at both ends; other white space is data. */
export const trim = (text: string): string => {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text, start)) start++
  while (end > start && isBlank(text, end - 1)) end--
  return text.slice(start, end)
}

/** The values of all headers of this name, given in lower case. */
export const values = (headers: Headers, name: string): ReadonlyArray<string> =>
  headers.filter((header) => header[0] === name).map((header) => header[1])

/** The elements of a header that is a comma-separated list, which may be spread over several headers. */
export const list = (headers: Headers, name: string): ReadonlyArray<string> =>
  values(headers, name).flatMap((value) => value.split(",")).map(trim).filter((element) => element !== "")

/** Whether a list of case-insensitive tokens has this one, given in lower case. */
export const hasToken = (headers: Headers, name: string, token: string): boolean =>
  list(headers, name).some((element) => element.toLowerCase() === token)

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2 */
export const isToken = (text: string): boolean => token.test(text)

const sendable = /^[\t\x20-\x7e]*$/

/** Whether the text can be sent as the value of a header: what it says can't become another header. */
export const isSendable = (value: string): boolean => sendable.test(value)
