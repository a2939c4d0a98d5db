/** The timer of a machine: one deadline at a time, which is called off for good when its layer is over. */
import type { Timer } from "../Machine.ts"
import type { Deadline, Deadlines } from "./Deadlines.ts"

export class Alarm implements Timer {
  private readonly deadlines: Deadlines
  private readonly expire: () => void
  private deadline: Deadline | undefined = undefined
  private silenced = false

  constructor(deadlines: Deadlines, wakeup: () => void) {
    this.deadlines = deadlines
    this.expire = () => {
      this.deadline = undefined
      wakeup()
    }
  }

  get now(): number {
    return this.deadlines.now
  }

  wake(after: number): void {
    if (Number.isNaN(after)) throw new RangeError("a machine can't be woken after NaN ms")
    this.rest()
    if (!this.silenced) this.deadline = this.deadlines.set(Math.max(1, after), this.expire)
  }

  rest(): void {
    if (this.deadline === undefined) return
    this.deadlines.delete(this.deadline)
    this.deadline = undefined
  }

  /** Rests for good. */
  silence(): void {
    this.silenced = true
    this.rest()
  }
}
