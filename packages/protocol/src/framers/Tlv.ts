/**
 * Records of a type, a length and a value (TLV): two unsigned integers of a width of their own, then as many bytes as the length says.
 *
 *    +------------------------+--------------------------+--------------------------
 *    |  type (typeBytes)      |  length (lengthBytes)    |  value (length bytes)  ...
 *    +------------------------+--------------------------+--------------------------
 *
 * The length counts the value only, and may be zero. What is received and sent is a `Transport.Record`, so what stands on this layer
 * stands on records: a codec that tells values by their type, or a program of its own.
 *
 * A length over the limit fails with `TooLarge` before any of its value is read, the end of the input inside a record with
 * `Truncated`. A value over the limit is refused with `TooLarge`, a type that the width can't say with `Unencodable`; nothing of it is
 * written and the connection goes on.
 */

import * as Framer from "../Framer.ts"
import { FrameMachine } from "../internal/framing/FrameMachine.ts"
import { limitOf } from "../internal/framing/limitOf.ts"
import * as unsigned from "../internal/framing/unsigned.ts"
import { nothing, writeFrame } from "../internal/framing/write.ts"
import type { Io } from "../Machine.ts"
import type { Over } from "../Protocol.ts"
import { TooLarge } from "../Reason.ts"
import { type Record, Records } from "../Transport.ts"

/** How records are laid out and bounded. */
export interface Options {
  /** How many bytes the type has; 4 by default. */
  readonly typeBytes?: 1 | 2 | 3 | 4
  /** How many bytes the length has; 4 by default. */
  readonly lengthBytes?: 1 | 2 | 3 | 4 | 8
  /** Which byte of the type and the length comes first; the most significant (`"big"`) by default. */
  readonly endian?: unsigned.Endian
  /** The largest value in bytes, both ways; 1 MiB by default, and never more than the length can say. */
  readonly maxValueSize?: number
}

/**
 * The framer, to be put on a stack of bytes.
 *
 * @category constructors
 */
export const over = (options?: Options): Over<"bytes", never, "records", never> => Framer.onto(Records)(make(options))

/**
 * The framer itself.
 *
 * @category constructors
 */
export const make = (options?: Options): Framer.Framer<Record, Record> => {
  const typeBytes = options?.typeBytes ?? 4
  const lengthBytes = options?.lengthBytes ?? 4
  const big = options?.endian !== "little"
  const limit = limitOf(options?.maxValueSize, 1_048_576, unsigned.largest(lengthBytes))
  return { layer: "tlv", machine: () => new Tlv(typeBytes, lengthBytes, big, limit) }
}

class Tlv extends FrameMachine<Record, Record> {
  private readonly typeBytes: number
  private readonly lengthBytes: number
  private readonly big: boolean
  private readonly limit: number
  private readonly head: Uint8Array

  constructor(typeBytes: number, lengthBytes: number, big: boolean, limit: number) {
    super("a record")
    this.typeBytes = typeBytes
    this.lengthBytes = lengthBytes
    this.big = big
    this.limit = limit
    this.head = new Uint8Array(typeBytes + lengthBytes)
  }

  protected measure(bytes: Uint8Array, from: number): number {
    const { head, limit } = this
    if (bytes.length - from < head.length) return head.length
    const size = unsigned.read(bytes, from + this.typeBytes, this.lengthBytes, this.big)
    if (size > limit) throw new TooLarge({ what: "a value", size, limit })
    return head.length + size
  }

  protected open(bytes: Uint8Array, from: number, to: number, io: Io<Record, Uint8Array>): void {
    const value = this.view(bytes, from + this.head.length, to)
    io.emit({ type: unsigned.read(bytes, from, this.typeBytes, this.big), value }, value.length)
  }

  encode({ type, value }: Record, io: Io<Record, Uint8Array>): void {
    const { head, limit } = this
    if (value.length > limit) throw new TooLarge({ what: "a value", size: value.length, limit })
    unsigned.check("a type", type, this.typeBytes)
    unsigned.write(type, head, 0, this.typeBytes, this.big)
    unsigned.write(value.length, head, this.typeBytes, this.lengthBytes, this.big)
    writeFrame(io, head, head.length, value, value, nothing)
    this.encoded += value.length
  }
}
