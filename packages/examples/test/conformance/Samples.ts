/** Payloads of any size, the same each time. */

/** A generator of 32 bits (xorshift). */
const random = (seed: number) => {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const words =
  "und wer von einem Protokoll spricht, meint viele: größer, älter, κόσμε, 通信規約 und 😀 dazu, the rest is silence"
    .split(" ")

const atLeast = (size: number, more: (n: number) => string): string => {
  const parts: Array<string> = []
  for (let length = 0, n = 0; length < size; n++) {
    parts.push(more(n))
    length += parts[n].length
  }
  return parts.join("")
}

/** A text of exactly so many bytes; what is cut off of its last character becomes dots. */
const fit = (text: string, size: number): Buffer => {
  const bytes = Buffer.from(text).subarray(0, size)
  let end = bytes.length
  while (end > 0 && (Buffer.from(text)[end] & 0xc0) === 0x80) end--
  return Buffer.from(bytes).fill(".", end)
}

export const prose = (size: number): Buffer => {
  const next = random(7)
  return fit(atLeast(size, () => `${words[next() % words.length]} `), size)
}

export const json = (size: number): Buffer => {
  const next = random(11)
  return fit(
    atLeast(size, (n) => `{"id":${n},"name":"${words[next() % words.length]}","value":${next() / 1e9}},\n`),
    size
  )
}

/** A table of numbers that change little, as in a picture. */
export const picture = (size: number): Buffer => {
  const next = random(13)
  const bytes = Buffer.alloc(size)
  for (let i = 0, value = 128; i < size; i++) {
    if (next() % 3 === 0) value += next() % 7 - 3
    bytes[i] = value
  }
  return bytes
}

export const noise = (size: number): Buffer => {
  const next = random(17)
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = next() >>> 8
  return bytes
}

export const zeros = (size: number): Buffer => Buffer.alloc(size)
