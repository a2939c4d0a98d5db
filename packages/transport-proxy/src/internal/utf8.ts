/** Text as bytes. */
declare const TextEncoder: new() => { readonly encode: (text: string) => Uint8Array }

const encoder = new TextEncoder()

export const encode = (text: string): Uint8Array => encoder.encode(text)
