/**
 * Who one is, by name and password: the scheme `Basic`, which whoever reads the connection can read too.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7617
 */

import { encode } from "@wirestack/protocol/bytes/Utf8"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import type { Headers } from "./Headers.ts"
import { InvalidHeader } from "./InvalidHeader.ts"

export interface Credentials {
  readonly username: string
  readonly password: string
}

/**
 * The header of this name that says who one is, `Authorization` or `Proxy-Authorization`; section 2.
 *
 * @category encoding
 */
export const header = (
  name: string,
  { password, username }: Credentials
): Result.Result<Headers[number], InvalidHeader> => {
  const unsendable = (detail: string) => Result.fail(new InvalidHeader({ name, detail }))
  if (username.includes(":")) return unsendable("the user name has a colon, behind which the password begins")
  if (/[\x00-\x1f\x7f]/.test(username + password)) {
    return unsendable("the user name or the password has control characters")
  }
  return Result.succeed([name, `Basic ${Base64.encode(encode(`${username}:${password}`))}`])
}
