/**
 * What a subscriber has yet to take. It is bounded by its size, and who falls behind further is told so, with what came before: a
 * connection that waited for one subscriber would hold up all others, and the answers that this one may be waiting for.
 */
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { TooLarge } from "@wirestack/protocol/Reason"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

/** What keeping a message costs beyond its bytes. */
const overhead = 64

export class Feed<A, E = never> {
  private readonly queue: Queue.Queue<readonly [A, number], ConnectionError | E>
  private readonly layer: string
  private readonly limit: number
  private waiting = 0

  private constructor(layer: string, limit: number, queue: Queue.Queue<readonly [A, number], ConnectionError | E>) {
    this.layer = layer
    this.limit = limit
    this.queue = queue
  }

  /** At most `limit` bytes wait; 16 MiB by default. */
  static make<A, E = never>(layer: string, limit = 16_777_216): Effect.Effect<Feed<A, E>> {
    return Effect.map(
      Queue.unbounded<readonly [A, number], ConnectionError | E>(),
      (queue) => new Feed(layer, limit, queue)
    )
  }

  give(message: A, size: number): void {
    this.waiting += size + overhead
    if (this.waiting <= this.limit) Queue.offerUnsafe(this.queue, [message, size + overhead])
    else {
      const reason = new TooLarge({ what: "what waits for a subscriber", size: this.waiting, limit: this.limit })
      this.fail(new ConnectionError({ layer: this.layer, reason }))
    }
  }

  fail(error: ConnectionError | E): void {
    Queue.failCauseUnsafe(this.queue, Cause.fail(error))
  }

  get stream(): Stream.Stream<A, ConnectionError | E> {
    return Stream.map(Stream.fromQueue(this.queue), ([message, size]) => {
      this.waiting -= size
      return message
    })
  }
}
