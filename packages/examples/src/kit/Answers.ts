/** Answers that are awaited, each under the key that tells it apart. Once the connection is over, all of them fail with the reason. */
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

export class Answers<K, A, E = never> {
  private readonly awaited = new Map<K, Deferred.Deferred<A, ConnectionError | E>>()
  private lost: ConnectionError | undefined

  /**
   * Asks, and waits for the answer. Who is interrupted has asked all the same, or not at all, and waits no more.
   */
  to(key: K, ask: Effect.Effect<void, ConnectionError | E>): Effect.Effect<A, ConnectionError | E> {
    return Effect.uninterruptibleMask((restore) => {
      if (this.lost !== undefined) return Effect.fail(this.lost)
      const answer = Deferred.makeUnsafe<A, ConnectionError | E>()
      this.awaited.set(key, answer)
      return Effect.ensuring(
        Effect.andThen(ask, restore(Deferred.await(answer))),
        Effect.sync(() => this.awaited.delete(key))
      )
    })
  }

  /** An answer that nobody awaits any more is of no use to anybody. */
  settle(key: K, answer: Effect.Effect<A, ConnectionError | E>): void {
    const awaited = this.awaited.get(key)
    if (awaited !== undefined) Deferred.doneUnsafe(awaited, answer)
  }

  fail(error: ConnectionError): void {
    this.lost = error
    for (const key of this.awaited.keys()) this.settle(key, Effect.fail(error))
  }
}
