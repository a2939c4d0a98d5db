/**
 * The pings under way on one connection, by the number they carry. A pong answers the pings before its own too: of several
 * a peer may answer only the latest.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.3
 */
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import type { Control } from "@wirestack/protocol/Connection"
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import { TooLarge } from "@wirestack/protocol/Reason"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Framed, maxControls } from "./Framed.ts"
import { millis } from "./millis.ts"

/** The connection they are sent on. */
interface Socket {
  readonly machine: Framed<any, any>
  readonly control: Control
}

interface Asked {
  readonly at: number
  readonly resume: ((effect: Effect.Effect<number>) => void) | undefined
}

export class Pings {
  /** How long a round trip takes in milliseconds: the latest ones count more. */
  roundTrip: number | undefined = undefined
  private readonly socket: Socket
  private readonly clock: Clock.Clock
  private waiting: Map<number, Asked> | undefined = undefined
  /** How many of these somebody waits for; the others are the heartbeat's. */
  private attended = 0
  private count = 0

  constructor(socket: Socket, clock: Clock.Clock) {
    this.socket = socket
    this.clock = clock
    socket.machine.onPong = (payload) => this.answered(Number(Utf8.decode(payload, 0, payload.length)))
  }

  /** Sends a ping; the round trip that its pong completes is measured. */
  ask(resume?: (effect: Effect.Effect<number>) => void): boolean {
    const number = this.count + 1
    if (!this.socket.machine.ping(Utf8.encode(String(number)))) return false
    this.count = number
    const waiting = this.waiting ??= new Map()
    if (resume !== undefined) this.attended++
    else if (waiting.size - this.attended >= maxControls) this.forget(waiting)
    waiting.set(number, { at: millis(this.clock), resume })
    return true
  }

  /** The answer to a heartbeat may never come: the oldest is given up. */
  private forget(waiting: Map<number, Asked>): void {
    for (const [number, { resume }] of waiting) {
      if (resume === undefined) {
        waiting.delete(number)
        return
      }
    }
  }

  /** Sends a ping and waits for its pong; the time between in milliseconds. */
  send(flush: () => void): Effect.Effect<number, ConnectionReason> {
    return Effect.callback((resume) => {
      if (this.attended >= maxControls) {
        const size = this.attended + 1
        return resume(Effect.fail(new TooLarge({ what: "the number of waiting pings", size, limit: maxControls })))
      }
      if (!this.ask(resume)) return resume(Effect.fail(this.socket.machine.refusal!))
      const number = this.count
      flush()
      return Effect.sync(() => {
        if (this.waiting?.delete(number) === true) this.attended--
      })
    })
  }

  private answered(number: number): void {
    if (!(number <= this.count) || this.waiting === undefined) return
    const now = millis(this.clock)
    for (const [earlier, { at, resume }] of this.waiting) {
      if (earlier > number) return
      this.waiting.delete(earlier)
      const took = now - at
      if (earlier === number) this.roundTrip = this.roundTrip === undefined ? took : (this.roundTrip * 7 + took) / 8
      this.socket.control.roundTrip(took)
      if (resume === undefined) continue
      this.attended--
      // We are inside the machine, and what follows may be anything.
      resume(Effect.andThen(Effect.yieldNow, Effect.succeed(took)))
    }
    if (this.waiting.size === 0) this.waiting = undefined
  }
}
