/**
 * Records of a type, a length and a value, with a head as a C structure has it on most machines:
 *
 *    +-------------------------------+-------------------------------+----------
 *    | type, 32 bits, little endian  | length, 32 bits, little endian | value ...
 *    +-------------------------------+-------------------------------+----------
 */
import * as Framer from "@wirestack/protocol/Framer"
import type * as Protocol from "@wirestack/protocol/Protocol"
import { TooLarge } from "@wirestack/protocol/Reason"
import { type Record, Records } from "@wirestack/protocol/Transport"
import { type Format, Parsing } from "../kit/Parsing.ts"

const head = 8

/** How records look; `limit` is the largest value, in bytes. */
export const format = (limit: number): Format<Record, Record> => {
  const bounded = (length: number): void => {
    if (length > limit) throw new TooLarge({ what: "a value", size: length, limit })
  }
  return {
    inside: "a record",
    parse: (bytes) => {
      if (bytes.length < head) return head
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      const length = view.getUint32(4, true)
      bounded(length)
      const size = head + length
      if (bytes.length < size) return size
      return { size, message: { type: view.getUint32(0, true), value: bytes.subarray(head, size) } }
    },
    print: ({ type, value }) => {
      bounded(value.length)
      const view = new DataView(new ArrayBuffer(head))
      view.setUint32(0, type, true)
      view.setUint32(4, value.length, true)
      return [new Uint8Array(view.buffer), value]
    }
  }
}

/** Puts records on a stack of bytes. */
export const over = (limit: number): Protocol.Over<"bytes", never, "records", never> =>
  Framer.onto(Records)({ layer: "tlv", machine: () => new Parsing(format(limit)) })
