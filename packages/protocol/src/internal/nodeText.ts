/**
 * Node's own ways with bytes and text: searching as fast as the processor can, and going from one to the other without the frame that
 * `TextDecoder` and `TextEncoder` put around them, which for short texts is most of the cost. They are not documented for plain bytes,
 * so what they do is tried once; where they are missing or do anything else, the platform's are used.
 */
interface BufferMethods {
  latin1Slice(this: Uint8Array, start: number, end: number): string
  indexOf(this: Uint8Array, byte: number, from: number): number
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number
}

const { indexOf, latin1Slice, utf8Write } =
  (globalThis as { readonly Buffer?: { readonly prototype?: Partial<BufferMethods> } }).Buffer?.prototype ?? {}

const works = <F>(method: F | undefined, attempt: (method: F) => boolean): F | undefined => {
  try {
    return method !== undefined && attempt(method) ? method : undefined
  } catch {
    return undefined
  }
}

/** The text of bytes that are ASCII. */
export const asciiOf = works(latin1Slice, (method) => method.call(new Uint8Array([64, 65, 66, 67]), 1, 3) === "AB")

/** Writes as many whole characters of a text as fit into `length` bytes from `offset` on, and returns their number of bytes. */
export const writeUtf8 = works(utf8Write, (method) => {
  const bytes = new Uint8Array(9)
  const written = method.call(bytes, "\u00e9\ud800a\u20ac", 1, 7)
  return written === 6 && bytes.join() === "0,195,169,239,191,189,97,0,0"
})

/** Where a byte is, at `from` at the earliest. */
export const findByte = works(indexOf, (method) => method.call(new Uint8Array([7, 8, 9, 8]), 8, 2) === 3)
