/** Whether a message may have what is refused of a peer: a byte order mark, or the key `__proto__`. */
export const suspicious = (bytes: Uint8Array): boolean => {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) return true
    if (byte === 0x5f && bytes[at + 1] === 0x5f && bytes[at + 2] === 0x70) return true
  }
  return false
}
