/** The headers of an HTTP message, as pairs: what they say, and what may be said. */

/** Headers in the order of their arrival; names are in lower case, and a name may occur more than once. */
export type Headers = ReadonlyArray<readonly [name: string, value: string]>

const isBlank = (text: string, at: number): boolean => {
  const unit = text.charCodeAt(at)
  return unit === 0x20 || unit === 0x09
}

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

/** The elements of a comma-separated list, which may be spread over several values. */
export const elements = (values: ReadonlyArray<string>): ReadonlyArray<string> =>
  values.flatMap((value) => value.split(",")).map(trim).filter((element) => element !== "")

/** The same of all headers of a name. */
export const list = (headers: Headers, name: string): ReadonlyArray<string> => elements(values(headers, name))

/** Whether a value, a list of case-insensitive tokens, has this one, given in lower case. */
export const lists = (value: string, token: string): boolean =>
  value.length === token.length
    ? value.toLowerCase() === token
    : value.split(",").some((element) => trim(element).toLowerCase() === token)

/** The same of all headers of a name. */
export const hasToken = (headers: Headers, name: string, token: string): boolean =>
  values(headers, name).some((value) => lists(value, token))

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2 */
export const isToken = (text: string): boolean => token.test(text)

const sendable = /^[\t\x20-\x7e]*$/

/** Whether the text can be sent as the value of a header: what it says can't become another header. */
export const isSendable = (value: string): boolean => sendable.test(value)
