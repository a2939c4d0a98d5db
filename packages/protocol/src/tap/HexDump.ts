/** Bytes for people: an offset, bytes in hex, and what of them is printable ASCII, a line each. */
import { hexOf } from "../internal/shown.ts"

const printable = (byte: number): string => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."

const line = (bytes: Uint8Array, at: number, perLine: number): string => {
  const part = bytes.subarray(at, at + perLine)
  const hex = hexOf(part).padEnd(3 * perLine - 1)
  return `${at.toString(16).padStart(4, "0")}  ${hex}  ${Array.from(part, printable).join("")}`
}

/**
 * The lines of a dump, of 16 bytes each unless something else is said.
 *
 * ```ts import.meta.vitest
 * import * as HexDump from "@wirestack/protocol/tap/HexDump"
 *
 * HexDump.format(Uint8Array.of(0x81, 0x02, 0x68, 0x69)) // => "0000  81 02 68 69                                      ..hi"
 * ```
 */
export const format = (bytes: Uint8Array, perLine = 16): string =>
  Array.from({ length: Math.ceil(bytes.length / perLine) }, (_, n) => line(bytes, n * perLine, perLine)).join("\n")
