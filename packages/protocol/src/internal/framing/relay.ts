/** A machine whose messages pass through somebody else's hands, each way. */
import type { Io, Machine } from "../../Machine.ts"
import { reasonOf } from "../reasonOf.ts"
import { Passage } from "./Passage.ts"

/** What happens to the messages. */
export interface Hands<in A, out B, In, in Out> {
  /** Gives on what was received, changed or not, or keeps it to itself. Throws the reason if it is not what it should be. */
  readonly up: (message: A, size: number, io: Io<In, Uint8Array>) => void
  /** What is sent for a message. Throws the reason if it can't be sent. */
  readonly down: (message: Out) => B
}

class ByHand<A, In> extends Passage<A, In> {
  private readonly up: Hands<A, unknown, In, never>["up"]

  constructor(up: Hands<A, unknown, In, never>["up"]) {
    super()
    this.up = up
  }

  emit(message: A, size: number): void {
    if (this.failed) return
    try {
      this.up(message, size, this.io)
    } catch (thrown) {
      const reason = reasonOf(thrown)
      if (reason === undefined) throw thrown
      this.fail(reason)
    }
  }
}

export const relay = <A, B, In, Out>(
  machine: Machine<Uint8Array, Uint8Array, A, B>,
  { down, up }: Hands<A, B, In, Out>
): Machine<Uint8Array, Uint8Array, In, Out> => {
  const hand = new ByHand(up)
  const by = (io: Io<In, Uint8Array>): Io<A, Uint8Array> => {
    hand.io = io
    return hand
  }
  return {
    receive: (input, io) => machine.receive(input, by(io)),
    encode: (message, io) => machine.encode(down(message), by(io)),
    ended: (endOfInput, io) => machine.ended(endOfInput, by(io)),
    get encoded() {
      return machine.encoded!
    },
    get skipped() {
      return machine.skipped!
    },
    get lends() {
      return machine.lends === true
    },
    get busy() {
      return machine.busy === true
    },
    get awaitsLowerEnd() {
      return machine.awaitsLowerEnd === true
    },
    ...machine.start && { start: (io, timer) => machine.start!(by(io), timer) },
    ...machine.wakeup && { wakeup: (io) => machine.wakeup!(by(io)) },
    ...machine.borrow && { borrow: (input, length, io) => machine.borrow!(input, length, by(io)) },
    ...machine.own && { own: () => machine.own!() },
    ...machine.memory && { memory: () => machine.memory!() },
    ...machine.close && { close: (why, io, reason) => machine.close!(why, by(io), reason) },
    ...machine.proceed && { proceed: (io) => machine.proceed!(by(io)) },
    ...machine.unsent && { unsent: () => machine.unsent!() },
    ...machine.goodbye && { goodbye: () => machine.goodbye!() },
    ...machine.end && { end: (io) => machine.end!(by(io)) },
    ...machine.release && { release: () => machine.release!() }
  }
}
