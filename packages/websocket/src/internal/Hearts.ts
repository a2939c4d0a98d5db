/** The hearts of all connections of one layer, in one fiber that runs as long as there are any. */
import type { Control } from "@wirestack/protocol/Connection"
import { Unresponsive } from "@wirestack/protocol/ConnectionError"
import { type Patient, pauseOf, Pulse, type Timing } from "@wirestack/protocol/liveness/Pulse"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { millis } from "./millis.ts"
import type { Pings } from "./Pings.ts"

/** A connection with a heartbeat. */
export interface Living {
  readonly machine: Patient
  readonly asked: Pings
  readonly control: Control
}

export class Hearts {
  private readonly timing: Timing
  /** Milliseconds between two looks. */
  private readonly pause: number
  private readonly pulses = new Map<Living, Pulse>()
  private fiber: Fiber.Fiber<unknown> | undefined = undefined

  constructor(timing: Timing) {
    this.timing = timing
    this.pause = pauseOf(timing)
  }

  add(living: Living, clock: Clock.Clock, context: Context.Context<never>): void {
    this.pulses.set(living, new Pulse(living.machine, this.timing, millis(clock)))
    this.fiber ??= Effect.runForkWith(context)(this.beating)
  }

  delete(living: Living): void {
    if (!this.pulses.delete(living) || this.pulses.size > 0) return
    this.fiber?.interruptUnsafe()
    this.fiber = undefined
  }

  private readonly beating: Effect.Effect<never> = Effect.flatMap(
    Clock.Clock,
    (clock) =>
      Effect.flatMap(Effect.sleep(this.pause), () => {
        this.beat(millis(clock))
        return this.beating
      })
  )

  private beat(now: number): void {
    for (const [{ asked: pings, control }, pulse] of this.pulses) {
      const verdict = pulse.beat(now, pings.roundTrip)
      control.viable(!pulse.late)
      if (verdict === "ping" && pings.ask()) control.flush()
      else if (verdict === "fail") {
        control.fail(new Unresponsive({ silent: Math.round(pulse.silent(now)), pings: this.timing.misses }))
      }
    }
  }
}
