/** UTF-8 by the table of RFC 3629 section 4, an octet at a time. */

/** What may come after a lead octet: the range of the second, and how many follow it. */
const afterLead = (lead: number): readonly [from: number, to: number, more: number] | undefined => {
  if (lead < 0xc2 || lead > 0xf4) return undefined
  if (lead < 0xe0) return [0x80, 0xbf, 0]
  if (lead < 0xf0) return [lead === 0xe0 ? 0xa0 : 0x80, lead === 0xed ? 0x9f : 0xbf, 1]
  return [lead === 0xf0 ? 0x90 : 0x80, lead === 0xf4 ? 0x8f : 0xbf, 2]
}

/**
 * Where the first octet is after which no text is possible, whatever follows; the length if the text is only cut off;
 * or undefined if it is complete and valid.
 */
export const badAt = (bytes: Uint8Array): number | undefined => {
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] < 0x80) {
      at++
      continue
    }
    const after = afterLead(bytes[at])
    if (after === undefined) return at
    const [from, to, more] = after
    for (let n = 1; n <= more + 1; n++) {
      if (at + n === bytes.length) return bytes.length
      const next = bytes[at + n]
      if (next < (n === 1 ? from : 0x80) || next > (n === 1 ? to : 0xbf)) return at + n
    }
    at += more + 2
  }
  return undefined
}
