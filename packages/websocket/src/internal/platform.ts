/** The globals this package uses, which TypeScript's ES library does not know: every runtime has those of the web platform. */
interface Platform {
  readonly TextEncoder: new() => {
    /** Writes as many whole characters as fit; `read` counts UTF-16 units, `written` bytes. */
    encodeInto(text: string, target: Uint8Array): { readonly read: number; readonly written: number }
  }
  /** What Node and Bun have of their own, without being imported. */
  readonly process?: {
    readonly getBuiltinModule?: (name: "node:crypto") => {
      readonly hash?: (algorithm: "sha1", text: string, encoding: "base64") => string
    } | undefined
  }
  readonly crypto: { getRandomValues<A extends Int32Array | Uint8Array>(array: A): A }
}

export const { TextEncoder, crypto, process } = globalThis as unknown as Platform
