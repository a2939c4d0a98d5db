/** Raw DEFLATE as it is written, read bit by bit and by the book (RFC 1951), for what zlib doesn't tell. */

const lengthBases = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163]
const lengths = [...lengthBases, 195, 227, 258]
const distanceBases = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049]
const distances = [...distanceBases, 3073, 4097, 6145, 8193, 12_289, 16_385, 24_577]
const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** A decoder of symbols whose codes have these lengths. */
const huffman = (lengths: ReadonlyArray<number>): ReadonlyMap<string, number> => {
  const codes = new Map<string, number>()
  let code = 0
  for (let length = 1; length <= 15; length++) {
    for (const [symbol, other] of lengths.entries()) {
      if (other === length) codes.set((code++).toString(2).padStart(length, "0"), symbol)
    }
    code *= 2
  }
  return codes
}

const repeat = (value: number, count: number): ReadonlyArray<number> => Array.from({ length: count }, () => value)

const fixed = [
  huffman([...repeat(8, 144), ...repeat(9, 112), ...repeat(7, 24), ...repeat(8, 8)]),
  huffman(repeat(5, 30))
]

export interface Inflated {
  readonly bytes: Uint8Array
  /** How far back each repetition refers. */
  readonly distances: ReadonlyArray<number>
}

/** Reads blocks until the input ends or a block is final. */
export const inflate = (input: Uint8Array): Inflated => {
  const out: Array<number> = []
  const found: Array<number> = []
  let at = 0
  const bit = (): number => (input[at >> 3] >> (at++ & 7)) & 1
  const bits = (count: number): number => {
    let value = 0
    for (let i = 0; i < count; i++) value |= bit() << i
    return value
  }
  const symbol = (codes: ReadonlyMap<string, number>): number => {
    for (let code = "";;) {
      code += String(bit())
      const symbol = codes.get(code)
      if (symbol !== undefined) return symbol
      if (code.length > 15) throw new Error("no such code")
    }
  }
  const dynamic = (): ReadonlyArray<ReadonlyMap<string, number>> => {
    const [literals, distances, codes] = [bits(5) + 257, bits(5) + 1, bits(4) + 4]
    const own = Array.from(order, () => 0)
    for (const index of order.slice(0, codes)) own[index] = bits(3)
    const decoder = huffman(own)
    const all: Array<number> = []
    while (all.length < literals + distances) {
      const length = symbol(decoder)
      if (length < 16) all.push(length)
      else if (length === 16) all.push(...repeat(all.at(-1)!, bits(2) + 3))
      else all.push(...repeat(0, length === 17 ? bits(3) + 3 : bits(7) + 11))
    }
    return [huffman(all.slice(0, literals)), huffman(all.slice(literals))]
  }
  const block = ([literals, far]: ReadonlyArray<ReadonlyMap<string, number>>): void => {
    for (let code = symbol(literals); code !== 256; code = symbol(literals)) {
      if (code < 256) {
        out.push(code)
        continue
      }
      const index = code - 257
      const length = lengths[index] + (index === 28 ? 0 : bits(index < 8 ? 0 : (index >> 2) - 1))
      const which = symbol(far)
      const distance = distances[which] + bits(which < 4 ? 0 : (which >> 1) - 1)
      if (distance > out.length) throw new Error("too far back")
      found.push(distance)
      for (let i = 0; i < length; i++) out.push(out[out.length - distance])
    }
  }
  for (let final = 0; final === 0 && at + 3 <= input.length * 8;) {
    final = bit()
    const type = bits(2)
    if (type === 1) block(fixed)
    else if (type === 2) block(dynamic())
    else {
      at = (at + 7) & ~7
      const length = bits(16)
      bits(16)
      for (let i = 0; i < length; i++) out.push(bits(8))
    }
  }
  return { bytes: Uint8Array.from(out), distances: found }
}
