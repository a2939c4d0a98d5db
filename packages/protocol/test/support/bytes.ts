/** Bytes and text as tests write them. */

/** Bytes from hex, spaces allowed. */
export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"))

/** Text as UTF-8. */
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** UTF-8 as text. */
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** `length` bytes that tell their place. */
export const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7 + (i >> 8))
