/** The bottom of a stack that takes as many messages as it is let, and keeps what was written. */
import { Connection, type Wire } from "@wirestack/protocol"
import type { Why } from "@wirestack/protocol/Outcome"

export class Valve<M> implements Wire.Wire<never, M> {
  readonly layer = "valve"
  readonly lower = undefined
  readonly halfClose = true
  readonly written: Array<M> = []
  /** How many pieces it was flushed in that were not empty. */
  flushes = 0
  why: Why | undefined = undefined
  private room: number
  private unflushed = false
  private receiver: Wire.Receiver<never> | undefined = undefined

  constructor(room = 0) {
    this.room = room
  }

  attach(receiver: Wire.Receiver<never>): void {
    this.receiver = receiver
  }

  get writable(): boolean {
    return this.room > 0
  }

  write(message: M): void {
    this.room--
    this.unflushed = true
    this.written.push(message)
  }

  flush(): void {
    if (this.unflushed) this.flushes++
    this.unflushed = false
  }

  /** There is room for so many more. */
  let(messages: number): void {
    this.room = Math.max(0, this.room) + messages
    this.receiver!.drained()
  }

  close(why: Why, settled: () => void): void {
    this.why = why
    settled()
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  abort(): void {}
  report(): void {}
  tally(): void {}
}

/** A connection on a valve. */
export const connect = <M>(valve: Valve<M>) => Connection.make<never, M>(valve)
