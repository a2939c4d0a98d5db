/** What must hold, and what was seen: of bounded size, however long it runs. */
import type { Connection } from "@wirestack/protocol/Connection"
import * as Effect from "effect/Effect"
import { Histogram } from "../support/Histogram.ts"

/** How much longer than its budget a close may take on a machine that has much else to do, in milliseconds. */
const slack = 1_500

export class Ledger {
  connections = 0
  closed = 0
  clean = 0
  messages = 0
  acknowledged = 0
  /** How often the server was told of a handshake or a handler that failed. */
  incidents = 0
  drains = 0
  /** How long closing took, in milliseconds. */
  readonly closing = new Histogram()
  /** What does not hold; the first few of them. */
  readonly broken: Array<string> = []

  breaks(what: string): void {
    if (this.broken.length < 10) this.broken.push(what)
  }

  /** Is told of a connection, and waits in its scope for its end. */
  watch<In, Out, D>(connection: Connection<In, Out, D>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.connections++
      return Effect.asVoid(Effect.forkDetach(Effect.map(connection.closed, ({ clean }) => {
        this.closed++
        if (clean) this.clean++
      })))
    })
  }

  /** A connection of ours that is closed with a budget of milliseconds. */
  closes(budget: number, took: number): void {
    this.closing.add(took)
    if (took > budget + slack) this.breaks(`a close took ${Math.round(took)} ms of ${budget}`)
  }

  /** At a quiet point, where all is closed. */
  settle(): void {
    if (this.closed !== this.connections) {
      this.breaks(`${this.connections - this.closed} connections did not tell how they have ended`)
    }
  }
}
