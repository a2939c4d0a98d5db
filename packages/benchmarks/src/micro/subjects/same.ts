/** Whether two ways have given the same bytes, however they are cut; text counts as its UTF-8. */
import { isDeepStrictEqual } from "node:util"

const bytesOf = (pieces: ReadonlyArray<string | Uint8Array>): Buffer =>
  Buffer.concat(pieces.map((piece) => typeof piece === "string" ? Buffer.from(piece) : piece))

/** Compares pieces by all their bytes. */
export const sameBytes = (
  one: ReadonlyArray<string | Uint8Array>,
  other: ReadonlyArray<string | Uint8Array>
): boolean => bytesOf(one).equals(bytesOf(other))

/** Compares messages one by one. */
export const sameMessages = (
  one: ReadonlyArray<string | Uint8Array>,
  other: ReadonlyArray<string | Uint8Array>
): boolean => isDeepStrictEqual(one.map((message) => bytesOf([message])), other.map((message) => bytesOf([message])))
