/**
 * The extensions of a connection as one: what is sent goes through them in their order, what is received in reverse.
 *
 * `begin` and `encode` send a message, `expect`, `feed` and `next` receive one; each message goes only through those that
 * transform it, which its reserved bits tell. The contract is the one of a `Session`.
 */
import type { Agreed, Incoming, Outgoing, Session } from "./Extension.ts"

const none = new Uint8Array(0)

export class ExtensionChain {
  /** The reserved bits that may be set. */
  readonly rsv: number

  private readonly members: ReadonlyArray<{ readonly rsv: number; readonly session: Session }>
  private readonly outgoing: Array<Outgoing> = []
  private readonly incoming: Array<Incoming> = []
  /** How many of `incoming` were told that the message ends. */
  private ended = 0
  private last = false

  /** Opens a session of each. */
  constructor(agreed: ReadonlyArray<Agreed>) {
    this.members = agreed.map(({ rsv, session }) => ({ rsv, session: session() }))
    this.rsv = agreed.reduce((bits, { rsv }) => bits | rsv, 0)
  }

  /** Begins to send a message, and returns the reserved bits of its first frame; 0 if it is sent as it is. */
  begin(size: number | undefined): number {
    this.outgoing.length = 0
    let bits = 0
    for (const { rsv, session: { outgoing } } of this.members) {
      if (!outgoing.begin(bits === 0 ? size : undefined)) continue
      this.outgoing.push(outgoing)
      bits |= rsv
    }
    return bits
  }

  /** The key of what becomes of the message that begins, if it is the same for many (see `Outgoing.format`). */
  get format(): object | undefined {
    return this.outgoing.length === 1 ? this.outgoing[0].format : undefined
  }

  /** What the next part of the message becomes, perhaps nothing. */
  encode(part: Uint8Array, last: boolean): Uint8Array {
    let bytes = part
    for (const outgoing of this.outgoing) bytes = outgoing.encode(bytes, last)
    return bytes
  }

  /** Begins to receive a message whose first frame has these reserved bits, one of them at least, and all of them in `rsv`. */
  expect(bits: number): void {
    this.incoming.length = 0
    this.ended = 0
    for (const { rsv, session } of this.members) {
      if ((bits & rsv) !== 0) this.incoming.unshift(session.incoming)
    }
  }

  /** Takes the next part of the message; `last` if it ends with it. */
  feed(part: Uint8Array, last: boolean): void {
    this.last = last
    if (last) this.ended = 1
    this.incoming[0].feed(part, last)
  }

  /** The next piece of what the part was before, or undefined if it is used up. Throws a `ConnectionReason`. */
  next(): Uint8Array | undefined {
    return this.from(this.incoming.length - 1)
  }

  private from(index: number): Uint8Array | undefined {
    const { incoming } = this
    for (;;) {
      const piece = incoming[index].next()
      if (piece !== undefined || index === 0) return piece
      const input = this.from(index - 1)
      if (input !== undefined) incoming[index].feed(input, false)
      else if (this.last && this.ended === index) {
        this.ended++
        incoming[index].feed(none, true)
      } else return undefined
    }
  }

  release(): void {
    for (const { session } of this.members) session.release()
  }
}
