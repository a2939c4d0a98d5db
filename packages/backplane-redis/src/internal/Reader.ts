/**
 * Reads what is new for all places of this process: one blocking command on a connection of its own.
 *
 * A place that is new or has room again is in no read that waits already, so that read is unblocked. The command for that goes by
 * another connection and may come before the read does: it is given again until the read has ended.
 */
import type { Backplane } from "@wirestack/protocol"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Redis from "effect/persistence/Redis"
import * as Schedule from "effect/Schedule"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { lastOf } from "./lastOf.ts"
import { batch, type Message, type Place } from "./Place.ts"

/** How long a read waits, in milliseconds, and how much longer its answer may take. */
const block = 5_000
const late = 5_000

/** Streams with their messages: pairs in RESP 2; in RESP 3 a map, which clients may have as an object. */
type Reply =
  | ReadonlyArray<readonly [string, ReadonlyArray<Message>]>
  | ReadonlyMap<string, ReadonlyArray<Message>>
  | Readonly<Record<string, ReadonlyArray<Message>>>
  | null

const pairs = (reply: Reply): Iterable<readonly [string, ReadonlyArray<Message>]> => {
  if (reply === null) return []
  return Symbol.iterator in reply ? reply : Object.entries(reply)
}

/** When to connect again. */
const again = Schedule.jittered(Schedule.spaced("250 millis"))

export class Reader {
  private readonly places = new Map<string, Set<Place>>()
  private readonly redis: Redis.Redis["Service"]
  private readonly state: SubscriptionRef.SubscriptionRef<Backplane.State>
  /** There may be a place to read for. */
  private readonly wanted = Latch.makeUnsafe()
  /** There may be one that the read which waits is not for. */
  private readonly omitted = Latch.makeUnsafe()
  /** The connection on which a read waits. */
  private waiting: string | undefined = undefined
  /** How many reads there were. */
  private reads = 0

  constructor(redis: Redis.Redis["Service"], state: SubscriptionRef.SubscriptionRef<Backplane.State>) {
    this.redis = redis
    this.state = state
  }

  add(place: Place): void {
    const places = this.places.get(place.log)
    if (places === undefined) this.places.set(place.log, new Set([place]))
    else places.add(place)
    this.hurry()
  }

  delete(place: Place): void {
    const places = this.places.get(place.log)
    if (places?.delete(place) === true && places.size === 0) this.places.delete(place.log)
  }

  readonly hurry = (): void => {
    this.wanted.openUnsafe()
    if (this.waiting !== undefined) this.omitted.openUnsafe()
  }

  /** Reads until it is interrupted; connects again whenever it has to. */
  get run(): Effect.Effect<never> {
    const lost = (cause: unknown) => SubscriptionRef.set(this.state, { _tag: "Unlinked", cause })
    const reading = Effect.tapError(Effect.scoped(this.reading), lost)
    return Effect.raceFirst(Effect.orDie(Effect.retry(reading, again)), this.unblocking)
  }

  private get reading() {
    return Effect.gen({ self: this }, function*() {
      const connection = yield* this.redis.reserve
      const id = String(yield* connection.send("CLIENT", "ID"))
      yield* this.verified(connection)
      yield* SubscriptionRef.set(this.state, { _tag: "Linked" })
      return yield* Effect.forever(this.read(connection, id))
    })
  }

  /** Redis may come back without the end of its streams; who has read of that begins again. */
  private verified(connection: Redis.Connection) {
    const places = [...this.places.values()].flatMap((places) => [...places])
    return Effect.forEach(places, (place) =>
      Effect.gen(function*() {
        const { id, log } = place
        const last = yield* lastOf(connection, log)
        const [there] = yield* connection.send<ReadonlyArray<Message>>("XRANGE", log, id, id)
        place.verify(last, there)
      }), { concurrency: 64, discard: true })
  }

  private read(connection: Redis.Connection, id: string) {
    return Effect.suspend(() => {
      this.wanted.closeUnsafe()
      const hungry = this.hungry
      if (hungry.size === 0) return this.wanted.await
      this.waiting = id
      this.reads++
      const logs = [...hungry.keys()]
      const ids = Array.from(hungry.values(), (places) => places.reduce((a, b) => b.isBehind(a) ? b : a).id)
      const limits = ["COUNT", String(batch), "BLOCK", String(block)]
      return connection.send<Reply>("XREAD", ...limits, "STREAMS", ...logs, ...ids).pipe(
        Effect.timeout(block + late),
        Effect.ensuring(Effect.sync(() => {
          this.waiting = undefined
        })),
        Effect.map((reply) => {
          for (const [log, messages] of pairs(reply)) {
            for (const place of hungry.get(log)!) place.offer(messages)
          }
        }),
        // Whoever was waiting takes what there is before more is read.
        Effect.andThen(Effect.yieldNow)
      )
    })
  }

  /** The places that want more, by their logs. */
  private get hungry(): Map<string, ReadonlyArray<Place>> {
    const hungry = new Map<string, ReadonlyArray<Place>>()
    for (const [log, places] of this.places) {
      const wanting = [...places].filter(({ wants }) => wants)
      if (wanting.length > 0) hungry.set(log, wanting)
    }
    return hungry
  }

  /** Ends the read that waits, whenever it has to be for more places. */
  private get unblocking(): Effect.Effect<never> {
    const unblock = Effect.suspend(() => {
      this.omitted.closeUnsafe()
      const { reads } = this
      const isOver = () => this.waiting === undefined || this.reads > reads
      const once = Effect.suspend(() =>
        isOver() ? Effect.void : Effect.ignore(this.redis.send("CLIENT", "UNBLOCK", this.waiting!))
      )
      return Effect.repeat(once, { schedule: Schedule.spaced("5 millis"), until: isOver })
    })
    return Effect.forever(Effect.andThen(this.omitted.await, unblock))
  }
}
