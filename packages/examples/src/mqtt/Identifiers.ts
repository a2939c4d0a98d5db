/** The identifiers of packets that wait for an answer: 16 bits, and none of them twice (section 2.2.1). */
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { TooLarge } from "@wirestack/protocol/Reason"
import * as Effect from "effect/Effect"

const limit = 65_535

export class Identifiers {
  private readonly used = new Set<number>()
  private readonly layer: string
  private last = 0

  constructor(layer: string) {
    this.layer = layer
  }

  /** The next one; fails if all are in use. */
  get take(): Effect.Effect<number, ConnectionError> {
    return Effect.suspend(() => {
      if (this.used.size >= limit) {
        const reason = new TooLarge({ what: "the number of packets that wait for an answer", size: limit + 1, limit })
        return Effect.fail(new ConnectionError({ layer: this.layer, reason }))
      }
      do this.last = this.last % limit + 1
      while (this.used.has(this.last))
      this.used.add(this.last)
      return Effect.succeed(this.last)
    })
  }

  /** Tells whether it was in use. */
  free(id: number): boolean {
    return this.used.delete(id)
  }
}
