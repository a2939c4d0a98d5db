/** Bytes as text; those that are none become U+FFFD. */
declare const TextDecoder: new() => { readonly decode: (bytes: Uint8Array) => string }

const decoder = new TextDecoder()

export const decode = (bytes: Uint8Array): string => decoder.decode(bytes)
