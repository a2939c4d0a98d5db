/** A dedicated worker, which does what it is told in its only message. */
import * as page from "./index.ts"

interface Scope {
  addEventListener(
    type: "message",
    listener: (event: { readonly data: readonly [keyof typeof page, any] }) => void
  ): void
  postMessage(message: unknown): void
}

const self = globalThis as unknown as Scope

self.addEventListener("message", ({ data: [name, argument] }) => {
  const doing: (argument: any) => Promise<unknown> = page[name]
  doing(argument).then((seen) => self.postMessage(seen))
})
