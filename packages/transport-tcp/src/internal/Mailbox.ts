/** What several fibers tell one, which may be interrupted while it waits and still misses nothing. */
import * as Effect from "effect/Effect"

export class Mailbox<A> {
  private mail: Array<A> = []
  private wake: (() => void) | undefined = undefined

  put(message: A): void {
    this.mail.push(message)
    this.ring()
  }

  /** Wakes whoever waits, in this turn, though nothing may be there. */
  ring(): void {
    this.wake?.()
  }

  /** Takes what has come. */
  take(): ReadonlyArray<A> {
    const { mail } = this
    this.mail = []
    return mail
  }

  /** Waits until something is there, or it rings. */
  readonly rung: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.mail.length > 0) return resume(Effect.void)
    this.wake = () => {
      this.wake = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      this.wake = undefined
    })
  })
}
