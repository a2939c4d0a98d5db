/** What must hold, and what was seen: of bounded size, however long it runs. */
import type { Connection } from "@wirestack/protocol/Connection"
import * as Effect from "effect/Effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Histogram } from "../support/Histogram.ts"

/** How much longer than its budget a close may take, beside what the event loop was late, in milliseconds. */
const slack = 1_000

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
  private readonly delay = monitorEventLoopDelay()

  constructor() {
    this.delay.enable()
  }

  /** The most that the event loop was late, in milliseconds: a machine with other work stops it for seconds. */
  get late(): number {
    return this.delay.max / 1e6
  }

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

  /** A connection of ours that was closed within a budget of milliseconds; `what` tells more of it. */
  closes(budget: number, took: number, what: string): void {
    this.closing.add(took)
    if (took > budget + slack + this.late) this.breaks(`a close took ${Math.round(took)} ms of ${budget}: ${what}`)
  }

  /** At a quiet point, where all is closed. */
  settle(): void {
    if (this.closed !== this.connections) {
      this.breaks(`${this.connections - this.closed} connections did not tell how they have ended`)
    }
  }
}
