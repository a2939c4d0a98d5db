import { Tokenizer, Type } from "cborg"

declare const TextDecoder: {
  new(label: string, options: { fatal: boolean; ignoreBOM: boolean }): { decode(bytes: Uint8Array): string }
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export const decodeOptions = { allowIndefinite: true, allowUndefined: true, rejectDuplicateMapKeys: true }

/** Bytes of each initial byte's argument, by its lower five bits from 24 on. */
const argument = [1, 2, 4, 8]

/** Reads text as it is: the library replaces what is no UTF-8, and drops a byte order mark. */
export class StrictTokenizer extends Tokenizer {
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    super(bytes, decodeOptions)
    this.bytes = bytes
  }

  override next(): ReturnType<Tokenizer["next"]> {
    const start = this.pos()
    const token = super.next()
    if (Type.equals(token.type, Type.string)) {
      const low = this.bytes[start] & 0x1f
      const text = start + 1 + (low < 24 ? 0 : argument[low - 24])
      const end = this.pos()
      // ASCII has as many characters as bytes, and so has what was replaced byte by byte.
      if (token.value.length !== end - text || token.value.includes("\ufffd")) {
        token.value = strict.decode(this.bytes.subarray(text, end))
      }
    }
    return token
  }
}
