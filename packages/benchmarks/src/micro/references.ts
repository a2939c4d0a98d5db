/** What others have made of the same tasks, with the types of the little that is used of it. */
import { createRequire } from "node:module"

const require = createRequire(import.meta.url)

/** The masking of `ws`, in C. */
export const bufferutil = require("bufferutil") as {
  readonly unmask: (bytes: Buffer, key: Buffer) => void
}

/** The receiver and sender of `ws`; for text, the receiver gives bytes it has checked. */
export const { Receiver, Sender } = require("ws") as {
  readonly Receiver: new(options: { readonly isServer: boolean }) => {
    readonly on: (event: "message", listener: (data: Buffer, isBinary: boolean) => void) => unknown
    readonly write: (chunk: Buffer) => void
  }
  readonly Sender: new(
    socket: {
      readonly cork: () => void
      readonly uncork: () => void
      readonly write: (data: string | Uint8Array) => void
    }
  ) => {
    readonly send: (
      data: string | Uint8Array,
      options: { readonly binary: boolean; readonly mask: boolean; readonly fin: true; readonly compress: false }
    ) => void
  }
}
