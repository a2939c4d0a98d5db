/**
 * Large memory that a thread uses again, so that it need not be had from the system, cleared by it and collected for each message.
 *
 * What is taken is as likely used before as new: it may hold anything. What is given must not be used by anybody any more.
 * At most 16 MiB lie idle.
 */
import { allocate } from "./Memory.ts"

const smallest = 12
const largest = 24

/** The most bytes that are kept for later. */
const maxIdle = 16_777_216

/** Buffers that nobody uses, by the exponent of their size. */
const idle: Array<Array<ArrayBuffer>> = Array.from({ length: largest - smallest + 1 }, () => [])
let idleSize = 0

/** Memory of `size` bytes, at the beginning of a buffer that may be up to twice as large. */
export const take = (size: number): Uint8Array<ArrayBuffer> => {
  if (size <= 1 << (smallest - 1) || size > 1 << largest) return allocate(size)
  const exponent = 32 - Math.clz32(size - 1)
  const buffer = idle[exponent - smallest].pop()
  if (buffer === undefined) return allocate(1 << exponent).subarray(0, size)
  idleSize -= buffer.byteLength
  return new Uint8Array(buffer, 0, size)
}

/** Gives back a buffer that was taken. */
export const give = (buffer: ArrayBuffer): void => {
  const { byteLength } = buffer
  const exponent = 31 - Math.clz32(byteLength)
  if (byteLength !== 1 << exponent || exponent < smallest || exponent > largest) return
  if (idleSize + byteLength > maxIdle) return
  idleSize += byteLength
  idle[exponent - smallest].push(buffer)
}
