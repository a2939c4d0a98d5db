/**
 * Parsers as people write them on `node:net`: a function for `data` events, which gives the frames it finds and keeps the rest.
 *
 * They are good ones: what a frame lacks is collected and joined once, sizes are bounded, and bytes are views where they can be.
 */
const limit = 1_048_576

/** Looks at bytes from `at` on; gives what it finds, and returns where the next frame begins, and how many bytes that has at least. */
type Parse<M> = (
  bytes: Buffer,
  at: number,
  found: (message: M) => void
) => { readonly at: number; readonly need: number }

export type OnData = (chunk: Buffer) => void

const parser = <M>(parse: Parse<M>) => (found: (message: M) => void): OnData => {
  let kept: Array<Buffer> = []
  let size = 0
  let need = 1
  return (chunk) => {
    kept.push(chunk)
    size += chunk.length
    if (size < need) return
    const bytes = kept.length === 1 ? chunk : Buffer.concat(kept)
    const { at, need: next } = parse(bytes, 0, found)
    kept = at === bytes.length ? [] : [bytes.subarray(at)]
    size = bytes.length - at
    need = next
  }
}

const bounded = (size: number): number => {
  if (size > limit) throw new Error("too large")
  return size
}

export const lengthPrefixed = parser<Buffer>((bytes, start, found) => {
  let at = start
  while (bytes.length - at >= 4) {
    const size = bounded(bytes.readUInt32BE(at))
    if (bytes.length - at - 4 < size) return { at, need: 4 + size }
    found(bytes.subarray(at + 4, at + 4 + size))
    at += 4 + size
  }
  return { at, need: 4 }
})

export const lines = parser<string>((bytes, start, found) => {
  let at = start
  for (let end = bytes.indexOf(10, at); end >= 0; end = bytes.indexOf(10, at)) {
    bounded(end - at)
    found(bytes.toString("utf8", at, end > at && bytes[end - 1] === 13 ? end - 1 : end))
    at = end + 1
  }
  return { at, need: bounded(bytes.length - at) + 1 }
})

export const delimited = parser<Buffer>((bytes, start, found) => {
  let at = start
  for (let end = bytes.indexOf("\r\n", at); end >= 0; end = bytes.indexOf("\r\n", at)) {
    found(bytes.subarray(at, at + bounded(end - at)))
    at = end + 2
  }
  return { at, need: bounded(bytes.length - at) + 1 }
})

export const fixedLength = parser<Buffer>((bytes, start, found) => {
  let at = start
  for (; bytes.length - at >= 64; at += 64) found(bytes.subarray(at, at + 64))
  return { at, need: 64 }
})

export const varintPrefixed = parser<Buffer>((bytes, start, found) => {
  let at = start
  while (at < bytes.length) {
    let size = 0
    let shift = 0
    let next = at
    for (; next < bytes.length && shift < 35; shift += 7) {
      const byte = bytes[next++]
      size |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    if (bytes[next - 1] >= 0x80) return { at, need: next - at + 1 }
    bounded(size)
    if (bytes.length - next < size) return { at, need: next - at + size }
    found(bytes.subarray(next, next + size))
    at = next + size
  }
  return { at, need: 1 }
})

export const netstring = parser<Buffer>((bytes, start, found) => {
  let at = start
  while (at < bytes.length) {
    let size = 0
    let next = at
    for (; next < bytes.length && bytes[next] !== 58; next++) {
      const digit = bytes[next] - 48
      if (digit < 0 || digit > 9) throw new Error("no digit")
      size = bounded(size * 10 + digit)
    }
    if (next === bytes.length) return { at, need: next - at + 1 }
    if (bytes.length - next - 1 < size + 1) return { at, need: next - at + size + 2 }
    if (bytes[next + 1 + size] !== 44) throw new Error("no comma")
    found(bytes.subarray(next + 1, next + 1 + size))
    at = next + 2 + size
  }
  return { at, need: 1 }
})

export const tlv = parser<{ readonly type: number; readonly value: Buffer }>((bytes, start, found) => {
  let at = start
  while (bytes.length - at >= 6) {
    const size = bounded(bytes.readUInt32BE(at + 2))
    if (bytes.length - at - 6 < size) return { at, need: 6 + size }
    found({ type: bytes.readUInt16BE(at), value: bytes.subarray(at + 6, at + 6 + size) })
    at += 6 + size
  }
  return { at, need: 6 }
})

export const contentLength = parser<Buffer>((bytes, start, found) => {
  let at = start
  while (at < bytes.length) {
    const end = bytes.indexOf("\r\n\r\n", at)
    if (end < 0) return { at, need: bounded(bytes.length - at) + 1 }
    const length = /^content-length: *(\d+) *$/im.exec(bytes.toString("latin1", at, end))
    if (length === null) throw new Error("no length")
    const size = bounded(Number(length[1]))
    if (bytes.length - end - 4 < size) return { at, need: end + 4 - at + size }
    found(bytes.subarray(end + 4, end + 4 + size))
    at = end + 4 + size
  }
  return { at, need: 1 }
})

export const cobs = parser<Buffer>((bytes, start, found) => {
  let at = start
  for (let end = bytes.indexOf(0, at); end >= 0; end = bytes.indexOf(0, at)) {
    const message = Buffer.allocUnsafe(bounded(end - at))
    let size = 0
    for (let from = at; from < end;) {
      const next = from + bytes[from]
      if (next > end) throw new Error("too long a group")
      for (let i = from + 1; i < next; i++) message[size++] = bytes[i]
      if (next - from < 255 && next < end) message[size++] = 0
      from = next
    }
    found(message.subarray(0, size))
    at = end + 1
  }
  return { at, need: bounded(bytes.length - at) + 1 }
})
