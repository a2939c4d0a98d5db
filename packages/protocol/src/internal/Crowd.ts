/** Some who are there, and until when any of them is. */
import * as Effect from "effect/Effect"

export class Crowd<A> {
  private readonly members = new Set<A>()
  private onGone: (() => void) | undefined = undefined

  get size(): number {
    return this.members.size
  }

  get all(): Array<A> {
    return [...this.members]
  }

  add(member: A): void {
    this.members.add(member)
  }

  has(member: A): boolean {
    return this.members.has(member)
  }

  delete(member: A): void {
    if (this.members.delete(member) && this.members.size === 0) this.onGone?.()
  }

  /** Waits until nobody is there; one may wait at a time. Safe to interrupt. */
  readonly gone: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.members.size === 0) return resume(Effect.void)
    this.onGone = () => resume(Effect.void)
    return Effect.sync(() => {
      this.onGone = undefined
    })
  })
}
