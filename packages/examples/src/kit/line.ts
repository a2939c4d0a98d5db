/** Lines of text among bytes. */
import { TooLarge } from "@wirestack/protocol/Reason"

const lineFeed = 0x0a
const carriageReturn = 0x0d

/**
 * The line at the front of bytes, from `from` on, as text of a byte a character, and where the next one begins; or how many bytes there
 * have to be to say more. It ends in CRLF, and is `limit` bytes long at most.
 */
export const line = (
  bytes: Uint8Array,
  limit: number,
  from = 0
): { readonly text: string; readonly end: number } | number => {
  const at = bytes.indexOf(lineFeed, from)
  const length = (at < 0 ? bytes.length : at - 1) - from
  if (length > (at < 0 ? limit + 1 : limit)) throw new TooLarge({ what: "a line", size: limit + 1, limit })
  if (at < 0) return bytes.length + 1
  return {
    text: latin1(bytes.subarray(from, bytes[at - 1] === carriageReturn && at > from ? at - 1 : at)),
    end: at + 1
  }
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
