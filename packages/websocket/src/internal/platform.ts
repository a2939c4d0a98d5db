/** The globals of the web platform this package uses: every runtime has them, TypeScript's ES library does not know. */
interface Platform {
  readonly TextEncoder: new() => {
    /** Writes as many whole characters as fit; `read` counts UTF-16 units, `written` bytes. */
    encodeInto(text: string, target: Uint8Array): { readonly read: number; readonly written: number }
  }
  readonly TextDecoder: new(
    label: "utf-8",
    options: { readonly fatal: boolean; readonly ignoreBOM: boolean }
  ) => { decode(bytes: Uint8Array): string }
  readonly crypto: { getRandomValues<A extends Int32Array | Uint8Array>(array: A): A }
}

export const { TextDecoder, TextEncoder, crypto } = globalThis as unknown as Platform
