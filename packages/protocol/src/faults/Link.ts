/**
 * What some connections share, to be cut, held and released while they run: a cable, a network, a host.
 *
 *     const link = Link.make()
 *     const stack = Tcp.layer().pipe(Faults.over(Transport.Bytes)({ link }))
 *     yield* link.hold
 *
 * A link that is held holds connections that are still to be made, too, and their connects wait.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Follower } from "../internal/faults/FaultyWire.ts"

/** A link, of any number of connections. */
export class Link {
  private readonly followers = new Set<Follower>()
  private readonly free = Latch.makeUnsafe(true)
  private held = false

  /** How many connections are on it. */
  get live(): number {
    return this.followers.size
  }

  /** Lets nothing pass in either direction until it is released; streams lose nothing by it. */
  readonly hold: Effect.Effect<void> = Effect.sync(() => {
    if (this.held) return
    this.held = true
    this.free.closeUnsafe()
    this.tell((follower) => follower.hold())
  })

  /** Goes on where it was held. */
  readonly release: Effect.Effect<void> = Effect.sync(() => {
    if (!this.held) return
    this.held = false
    this.free.openUnsafe()
    this.tell((follower) => follower.release())
  })

  /** Cuts the connections there are: both ends see that. */
  readonly reset: Effect.Effect<void> = Effect.sync(() => this.tell((follower) => follower.reset()))

  /** Has all vanish that is sent or received on the connections there are, without a word to either end. */
  readonly lose: Effect.Effect<void> = Effect.sync(() => this.tell((follower) => follower.lose()))

  /** Waits until it isn't held. */
  readonly released: Effect.Effect<void> = this.free.await

  /** A connection joins it; the result has it leave. */
  readonly join = (follower: Follower): () => void => {
    this.followers.add(follower)
    if (this.held) follower.hold()
    return () => this.followers.delete(follower)
  }

  private tell(what: (follower: Follower) => void): void {
    for (const follower of this.followers) what(follower)
  }
}

/**
 * A link that nobody is on yet.
 *
 * @category constructors
 */
export const make = (): Link => new Link()
