/** A connection that a listener handles: how it is parted from, and how it is ended. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Connection } from "../Connection.ts"
import type { DrainOptions } from "../Listener.ts"
import type { Deadline, Deadlines } from "./Deadlines.ts"
import type { Life } from "./LiveConnection.ts"

/** What is said to a connection at the end: the application's goodbye, and as what its layers say theirs. */
export interface Parting {
  readonly as: NonNullable<DrainOptions["as"]>
  readonly goodbye:
    | ((connection: Connection<any, any, any>, peer: string | undefined) => Effect.Effect<void>)
    | undefined
}

export class Handling {
  readonly life: Life
  /** The address it counts for. */
  counted: string | undefined
  /** The one that handles it, or later the one that closes its scope. */
  fiber: Fiber.Fiber<void, unknown> | undefined = undefined
  /** When its time is up. */
  expiry: Deadline | undefined = undefined
  private parting: Fiber.Fiber<unknown> | "leaving" | undefined = undefined

  constructor(life: Life, counted: string | undefined) {
    this.life = life
    this.counted = counted
  }

  /** Whether goodbye is said, or was. */
  get parted(): boolean {
    return this.parting !== undefined
  }

  /**
   * Says goodbye within some milliseconds. The application's has half of them, so that the peer hears those of the layers whatever becomes
   * of it.
   */
  part({ as, goodbye }: Parting, within: number, deadlines: Deadlines): void {
    if (this.parting !== undefined) return
    this.parting = "leaving"
    const { life } = this
    const { handled } = life
    if (goodbye === undefined || handled === undefined || life.closing) return this.leave(as, within)
    const until = deadlines.now + within
    const leaving = Effect.sync(() => this.leave(as, until - deadlines.now))
    // It may end the connection, and with it its own fiber, which must be known by then.
    const saying = Effect.andThen(Effect.yieldNow, goodbye(handled, life.peer))
    this.parting = Effect.runForkWith(life.context)(
      Effect.ensuring(Effect.timeoutOption(saying, within / 2), leaving)
    )
  }

  private leave(as: Parting["as"], within: number): void {
    const { fiber, life } = this
    life.budget = Math.min(life.budget, Math.max(within, 0))
    life.top.depart(as)
    // A handshake that has taken the connection below sees nothing of that.
    if (life.top.isReleased) fiber?.interruptUnsafe()
  }

  /** Ends it now. */
  cut(): void {
    this.parting ??= "leaving"
    this.life.top.cut()
    this.fiber?.interruptUnsafe()
  }

  /** It is over. */
  ended(deadlines: Deadlines): void {
    if (this.expiry !== undefined) deadlines.delete(this.expiry)
    if (typeof this.parting === "object") this.parting.interruptUnsafe()
  }
}
