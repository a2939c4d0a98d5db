/**
 * Node's own ways between text and bytes, without the frame that `TextDecoder` and `TextEncoder` put around them: for short texts
 * that frame is most of the cost. They are not documented, so what they do is tried once; where they are missing or do anything
 * else, the platform's are used.
 */
interface BufferMethods {
  latin1Slice(this: Uint8Array, start: number, end: number): string
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number
}

const { latin1Slice, utf8Write } =
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
