/** The first of some names that ALPN can't offer, which has 1 to 255 bytes for one: RFC 7301 section 3.1. */
export const unspeakable = (names: ReadonlyArray<string>): string | undefined =>
  names.find((name) => name === "" || Buffer.byteLength(name) > 255)
