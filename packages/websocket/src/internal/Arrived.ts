/** The wire of a request that is not answered yet: nothing passes it, and who closes it has the request refused. */
import { Closing } from "@wirestack/protocol/ConnectionError"
import type { Why } from "@wirestack/protocol/Outcome"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import * as Effect from "effect/Effect"
import { refuse } from "../handshake/ServerHandshake.ts"
import type { Arrival } from "../routing/Arrival.ts"

export class Arrived implements Wire<Uint8Array, Uint8Array> {
  readonly layer = "http"
  readonly lower = undefined
  readonly halfClose = false
  readonly writable = false
  /** The same request, which is answered once. */
  readonly arrival: Arrival
  private answered = false

  constructor(arrival: Arrival) {
    this.arrival = {
      ...arrival,
      refuse: (refused) => {
        if (this.answered) return
        this.answered = true
        arrival.refuse(refused)
      },
      open: Effect.tap(arrival.open, () =>
        Effect.sync(() => {
          this.answered = true
        }))
    }
  }

  /** What a connection stands on that has arrived in this way. */
  static of(wire: Wire<any, any>): Arrived {
    return wire as Arrived
  }

  close(_why: Why, settled: () => void): void {
    this.abort()
    settled()
  }

  abort(): void {
    this.arrival.refuse(refuse(503, new Closing(), [], "Service Unavailable\n"))
  }

  attach(): void {}

  write(): void {}

  flush(): void {}

  pause(): void {}

  resume(): void {}

  end(): void {}

  report(): void {}

  tally(): void {}
}
