/**
 * Replies that are awaited, each by a key: the requests of a protocol that has a form of its own for them.
 *
 *     const replies = Replies.make<number, Packet>()
 *     const puback = yield* replies.to(nextId, (id) => connection.send({ cmd: "publish", messageId: id, ... }))
 *     replies.succeed(packet.messageId, packet)           what is received
 *
 * The key is what both messages carry, such as a packet identifier. Where replies only come in the order of the requests, it is the framer
 * that knows which belongs to which, since it sees requests when they leave: then the request itself is the key (see `Framer.program`).
 *
 * The contract:
 *
 * - At most `maxInFlight` requests are under way; those beyond wait for their turn, first come first served.
 * - Whoever is interrupted waits no more. What becomes of the key is said: by default it is free at once, and a late reply is nobody's;
 *   with `keep` it stays in use until its reply is there, as a key must that the peer takes for in use.
 * - Once the connection is over (`lost`), all that wait for a reply or a turn fail with the reason, and so do those that ask later. Who is
 *   asking just then fails when that is done: a send to a peer that has ended, and reads no more, waits until the connection closes.
 */

import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ConnectionError } from "../ConnectionError.ts"

/** How replies are awaited. */
export interface Options {
  /** How many requests may be under way; 1,024 by default. A `RangeError` is thrown for less than 1. */
  readonly maxInFlight?: number
  /** Whether a key stays in use after who asked was interrupted, until its reply is there; false by default. */
  readonly keep?: boolean
}

export class Replies<K, A, E = never> {
  private readonly awaited = new Map<K, Deferred.Deferred<A, ConnectionError | E>>()
  /** Who waits for a turn, and how many have one and have yet to ask. */
  private readonly line = new Set<Deferred.Deferred<void>>()
  private called = 0
  private readonly maxInFlight: number
  private readonly keep: boolean
  private error: ConnectionError | undefined

  constructor({ keep = false, maxInFlight = 1_024 }: Options = {}) {
    if (!(maxInFlight >= 1)) throw new RangeError(`there can't be ${maxInFlight} requests under way`)
    this.maxInFlight = maxInFlight
    this.keep = keep
  }

  /** Whether a key is in use. */
  has(key: K): boolean {
    return this.awaited.has(key)
  }

  /**
   * Asks, and waits for the reply. `key` is called when it is its turn, and finds one that is not in use: another one is a defect. With
   * `keep`, what is asked can't be interrupted before it is sent.
   */
  to<E2>(key: () => K, ask: (key: K) => Effect.Effect<void, E2>): Effect.Effect<A, ConnectionError | E | E2> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.andThen(
        this.turn(restore),
        Effect.suspend((): Effect.Effect<A, ConnectionError | E | E2> => {
          if (this.error !== undefined) return Effect.fail(this.error)
          const reply = Deferred.makeUnsafe<A, ConnectionError | E>()
          const given = this.begin(key, reply)
          const asked = Effect.suspend(() => ask(given))
          const forget = () => Effect.sync(() => this.remove(given, reply))
          const answer = restore(Deferred.await(reply))
          return this.keep
            ? Effect.andThen(Effect.onError(asked, forget), answer)
            : Effect.onError(Effect.andThen(restore(asked), answer), forget)
        })
      )
    )
  }

  /** The reply has come. Tells whether its key was in use. */
  succeed(key: K, reply: A): boolean {
    return this.settle(key, Exit.succeed(reply))
  }

  /** The same for a no. */
  fail(key: K, error: E): boolean {
    return this.settle(key, Exit.fail(error))
  }

  /** The connection is over, and why. */
  lost(error: ConnectionError): void {
    this.error ??= error
    for (const key of this.awaited.keys()) this.settle(key, Exit.fail(error))
    for (const next of this.line) this.give(next)
  }

  /** Takes the turn, and the key. */
  private begin(key: () => K, reply: Deferred.Deferred<A, ConnectionError | E>): K {
    this.called--
    try {
      const given = key()
      if (this.awaited.has(given)) throw new RangeError(`the key ${String(given)} is in use`)
      this.awaited.set(given, reply)
      return given
    } catch (thrown) {
      this.call()
      throw thrown
    }
  }

  private settle(key: K, reply: Exit.Exit<A, ConnectionError | E>): boolean {
    const awaited = this.awaited.get(key)
    if (awaited === undefined) return false
    this.remove(key, awaited)
    Deferred.doneUnsafe(awaited, reply)
    return true
  }

  private remove(key: K, reply: Deferred.Deferred<A, ConnectionError | E>): void {
    if (this.awaited.get(key) !== reply) return
    this.awaited.delete(key)
    this.call()
  }

  private get hasRoom(): boolean {
    return this.awaited.size + this.called < this.maxInFlight
  }

  /** Waits until one more may be under way, and counts it. */
  private turn(restore: <B, E2>(effect: Effect.Effect<B, E2>) => Effect.Effect<B, E2>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.error !== undefined) return Effect.void
      if (this.line.size === 0 && this.hasRoom) {
        this.called++
        return Effect.void
      }
      const turn = Deferred.makeUnsafe<void>()
      this.line.add(turn)
      const leave = Effect.sync(() => {
        if (this.line.delete(turn)) return
        this.called--
        this.call()
      })
      return Effect.onError(restore(Deferred.await(turn)), () => leave)
    })
  }

  /** Calls the next in line. */
  private call(): void {
    const [next] = this.line
    if (next !== undefined && this.hasRoom) this.give(next)
  }

  private give(turn: Deferred.Deferred<void>): void {
    this.line.delete(turn)
    this.called++
    Deferred.doneUnsafe(turn, Exit.void)
  }
}

/**
 * The replies of one connection.
 *
 * @category constructors
 */
export const make = <K, A, E = never>(options?: Options): Replies<K, A, E> => new Replies(options)

/**
 * Finds keys that are numbers from 1 to `largest`, each after the one before it, and none that is in use: the packet identifiers of a
 * protocol. Throws a `RangeError` if all are in use, which `maxInFlight` prevents if it is smaller.
 *
 *     replies.to(identifiers, (id) => connection.send({ ...packet, id }))
 *
 * @category constructors
 */
export const identifiers = <A, E>(replies: Replies<number, A, E>, largest: number): () => number => {
  let last = 0
  return () => {
    for (let tried = 0; tried < largest; tried++) {
      last = last % largest + 1
      if (!replies.has(last)) return last
    }
    throw new RangeError(`all ${largest} identifiers are in use`)
  }
}
