/** A framer's machine with a goodbye: said when it closes, and heard from the peer. */
import type { ConnectionReason } from "../../ConnectionError.ts"
import type { Io, Machine } from "../../Machine.ts"
import type { Status, Why } from "../../Outcome.ts"
import { Hand, relayBy } from "./relay.ts"

/** How a goodbye is said and heard; see `Framer.goodbye`. */
export interface Words<in In, in out Out> {
  /** What is said before the connection closes; undefined if silence says it. */
  readonly say: (why: Why) => Out | undefined
  /** What a goodbye says, of ours or of the peer's; undefined for any other message. */
  readonly heard: (message: In | Out) => Status | undefined
}

/** Says nothing more once the goodbye was heard, whatever still lies behind it. */
class Hearing<In> extends Hand<In, In> {
  private over = false
  private readonly heard: Words<In, never>["heard"]

  constructor(heard: Words<In, never>["heard"]) {
    super()
    this.heard = heard
  }

  protected up(message: In, size: number): void {
    if (this.over) return
    const received = this.heard(message)
    if (received === undefined) return this.io.emit(message, size)
    this.over = true
    this.io.closed({ first: "remote", received, unanswered: true })
  }

  /** What a machine throws that reads what lies behind the goodbye is nobody's. */
  choked(thrown: unknown): true {
    if (!this.over) throw thrown
    return true
  }

  override room(): boolean {
    return this.over || super.room()
  }

  override end(): void {
    if (!this.over) this.closed({ first: "remote" })
  }

  override fail(reason: ConnectionReason): void {
    if (!this.over) super.fail(reason)
  }
}

export const goodbye = <In, Out>(
  machine: Machine<Uint8Array, Uint8Array, In, Out>,
  { heard, say }: Words<In, Out>
): Machine<Uint8Array, Uint8Array, In, Out> => {
  if (machine.close) throw new TypeError("a framer with a goodbye can't have another one")
  const hearing = new Hearing(heard)
  const parting = relayBy<In, Out, In, Out>(machine, hearing, (message) => message)
  const { borrow, receive } = parting
  // Who has a goodbye says it, and does not only end its output.
  delete parting.end
  return Object.assign(parting, {
    receive: (input: ReadonlyArray<Uint8Array>, io: Io<In, Uint8Array>) => {
      try {
        return receive(input, io)
      } catch (thrown) {
        return hearing.choked(thrown)
      }
    },
    ...borrow && {
      borrow: (input: Uint8Array, length: number, io: Io<In, Uint8Array>) => {
        try {
          return borrow(input, length, io)
        } catch (thrown) {
          return hearing.choked(thrown)
        }
      }
    },
    close: (why: Why, io: Io<In, Uint8Array>) => {
      const message = say(why)
      if (message === undefined) return io.closed({ first: "local", unanswered: true })
      parting.encode(message, io)
      const sent = heard(message)
      io.closed({ first: "local", ...sent && { sent }, unanswered: true })
    }
  })
}
