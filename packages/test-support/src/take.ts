import type { Connection } from "@wirestack/protocol/Connection"
import * as Effect from "effect/Effect"

/** At least `size` bytes of what is received. */
export const take = <Out>(connection: Connection<Uint8Array, Out>, size: number) =>
  Effect.gen(function*() {
    const chunks: Array<Uint8Array> = []
    for (let length = 0; length < size;) {
      for (const chunk of yield* connection.pull) {
        chunks.push(chunk)
        length += chunk.length
      }
    }
    return Buffer.concat(chunks)
  })
