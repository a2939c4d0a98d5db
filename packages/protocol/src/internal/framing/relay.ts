/** A machine whose messages pass through somebody else's hands, each way. */
import type { Io, Machine } from "../../Machine.ts"
import { Passage } from "../Passage.ts"
import { reasonOf } from "../reasonOf.ts"

/** What happens to the messages. */
export interface Hands<in A, out B, In, in Out> {
  /** Gives on what was received, changed or not, or keeps it to itself. Throws the reason if it is not what it should be. */
  readonly up: (message: A, size: number, io: Io<In, Uint8Array>) => void
  /** What is sent for a message. Throws the reason if it can't be sent. */
  readonly down: (message: Out) => B
}

/** The hands as the `Io` of the machine: what they throw ends the connection. */
export abstract class Hand<A, In> extends Passage<A, In> {
  protected abstract up(message: A, size: number): void

  emit(message: A, size: number): void {
    if (this.failed) return
    try {
      this.up(message, size)
    } catch (thrown) {
      const reason = reasonOf(thrown)
      if (reason === undefined) throw thrown
      this.fail(reason)
    }
  }
}

class Given<A, In> extends Hand<A, In> {
  private readonly given: Hands<A, unknown, In, never>["up"]

  constructor(given: Hands<A, unknown, In, never>["up"]) {
    super()
    this.given = given
  }

  protected up(message: A, size: number): void {
    this.given(message, size, this.io)
  }
}

export const relay = <A, B, In, Out>(
  machine: Machine<Uint8Array, Uint8Array, A, B>,
  { down, up }: Hands<A, B, In, Out>
): Machine<Uint8Array, Uint8Array, In, Out> => relayBy(machine, new Given(up), down)

export const relayBy = <A, B, In, Out>(
  machine: Machine<Uint8Array, Uint8Array, A, B>,
  hand: Hand<A, In>,
  down: (message: Out) => B
): Machine<Uint8Array, Uint8Array, In, Out> => {
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
