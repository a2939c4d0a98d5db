/** An input made of others: some bytes changed, left out, doubled, or said by somebody else. */
import { utf8 } from "./bytes.ts"

/** Throws a die of so many sides; the first is 0. */
export type Roll = (sides: number) => number

/** What there is to make an input of. */
export interface Material {
  readonly pool: ReadonlyArray<Uint8Array>
  readonly dictionary: ReadonlyArray<string>
}

type Change = (bytes: Uint8Array, roll: Roll, material: Material) => Uint8Array

/** The largest input. */
export const maxSize = 65_536

/** Numbers at which something may turn over. */
const edges = [0n, 1n, 16n, 125n, 126n, 127n, 128n, 253n, 255n, 256n, 4_096n, 65_535n, 65_536n].concat(
  [31n, 32n, 53n, 63n, 64n].flatMap((bits) => [2n ** bits - 1n, 2n ** bits])
)

const pick = <A>(roll: Roll, list: ReadonlyArray<A>): A => list[roll(list.length)]

/** Bytes with `put` in place of those from `from` to `to`. */
const replaced = (bytes: Uint8Array, from: number, to: number, put: Uint8Array): Uint8Array => {
  const rest = bytes.subarray(to)
  const out = new Uint8Array(from + put.length + rest.length)
  out.set(bytes.subarray(0, from))
  out.set(put, from)
  out.set(rest, from + put.length)
  return out
}

/** A piece of up to `most` bytes. */
const piece = (bytes: Uint8Array, roll: Roll, most = 64): readonly [from: number, to: number] => {
  const from = roll(bytes.length + 1)
  return [from, Math.min(bytes.length, from + 1 + roll(most))]
}

const noise = (roll: Roll, most: number): Uint8Array => Uint8Array.from({ length: 1 + roll(most) }, () => roll(256))

const wide = (number: bigint, width: number, little: boolean): Uint8Array => {
  const digits = Array.from({ length: width }, (_, i) => Number((number >> BigInt(8 * i)) & 255n))
  return Uint8Array.from(little ? digits : digits.reverse())
}

/** Where digits stand in these bytes, from some place on. */
const digitsFrom = (bytes: Uint8Array, at: number): readonly [from: number, to: number] | undefined => {
  const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
  const from = bytes.findIndex((byte, i) => i >= at && isDigit(byte))
  if (from < 0) return undefined
  const end = bytes.findIndex((byte, i) => i > from && !isDigit(byte))
  return [from, end < 0 ? bytes.length : end]
}

const changes: ReadonlyArray<Change> = [
  function flip(bytes, roll) {
    const out = bytes.slice()
    out[roll(bytes.length)] ^= 1 << roll(8)
    return out
  },
  function overwrite(bytes, roll) {
    const out = bytes.slice()
    out[roll(bytes.length)] = roll(256)
    return out
  },
  function insert(bytes, roll) {
    const at = roll(bytes.length + 1)
    return replaced(bytes, at, at, noise(roll, 8))
  },
  function remove(bytes, roll) {
    return replaced(bytes, ...piece(bytes, roll, roll(4) === 0 ? 64 : 2), new Uint8Array(0))
  },
  function repeat(bytes, roll) {
    const [from, to] = piece(bytes, roll)
    const times = roll(8) === 0 ? 1 + roll(2_000) : 1 + roll(4)
    const part = bytes.subarray(from, to)
    const many = new Uint8Array(part.length * times)
    for (let i = 0; i < times; i++) many.set(part, i * part.length)
    return replaced(bytes, to, to, many)
  },
  function truncate(bytes, roll) {
    return bytes.slice(0, roll(bytes.length + 1))
  },
  function splice(bytes, roll, { pool }) {
    const other = pick(roll, pool)
    return replaced(bytes, roll(bytes.length + 1), bytes.length, other.subarray(roll(other.length + 1)))
  },
  function graft(bytes, roll, { pool }) {
    const other = pick(roll, pool)
    return replaced(bytes, ...piece(bytes, roll), other.subarray(...piece(other, roll)))
  },
  function append(bytes, roll, { pool }) {
    return replaced(bytes, bytes.length, bytes.length, pick(roll, pool))
  },
  function number(bytes, roll) {
    const at = roll(bytes.length + 1)
    const width = pick(roll, [1, 2, 4, 8])
    return replaced(bytes, at, Math.min(bytes.length, at + width), wide(pick(roll, edges), width, roll(2) === 0))
  },
  function decimal(bytes, roll) {
    const digits = digitsFrom(bytes, roll(bytes.length + 1))
    const number = pick(roll, edges)
    return digits === undefined ? bytes : replaced(bytes, ...digits, utf8(roll(4) === 0 ? `-${number}` : `${number}`))
  },
  function token(bytes, roll, { dictionary }) {
    if (dictionary.length === 0) return bytes
    const word = utf8(pick(roll, dictionary))
    const at = roll(bytes.length + 1)
    return replaced(bytes, at, roll(2) === 0 ? at : Math.min(bytes.length, at + word.length), word)
  }
]

/** The next input. */
export const mutate = (roll: Roll, material: Material): Uint8Array => {
  if (roll(64) === 0) return noise(roll, 200)
  let bytes = pick(roll, material.pool)
  for (let more = 1 + roll(3); more > 0; more--) bytes = pick(roll, changes)(bytes, roll, material)
  return bytes.slice(0, maxSize)
}
