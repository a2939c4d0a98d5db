/**
 * A room as an entity of Effect's Cluster: it lives in one of the processes, knows who is there, and is made anew in another process when
 * its own is gone. What is said is on the backplane, so a room that has moved goes on where it was.
 *
 * Gateways follow it, and say each time who is there by way of them; those of a gateway that follows no more are gone. It tells every
 * second who is there, so that silence is known for what it is.
 */
import type { Backplane } from "@wirestack/protocol/fanout/Backplane"
import { Entity } from "effect/cluster"
import type { Sharding } from "effect/cluster/Sharding"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { Away, Event, Person, Speech, Spoken } from "../gateway/Host.ts"
import * as Sayings from "../gateway/Sayings.ts"

const gateway = { gateway: Schema.String }

export const Room = Entity.make("Room", [
  Rpc.make("Follow", {
    payload: { ...gateway, after: Schema.optionalKey(Schema.Int), people: Schema.Array(Person) },
    success: Event,
    error: Away,
    stream: true
  }),
  Rpc.make("Enter", { payload: { ...gateway, person: Person }, success: Schema.Boolean }),
  Rpc.make("Leave", { payload: { ...gateway, name: Schema.String } }),
  Rpc.make("Say", { payload: Speech, success: Spoken, error: Away })
])

/** Who is in a room, and by which gateways. */
class People {
  private readonly known = new Map<string, { readonly secret: string; readonly gateways: Set<string> }>()
  /** How often each gateway follows. */
  private readonly follows = new Map<string, number>()

  get names(): ReadonlyArray<string> {
    return [...this.known.keys()]
  }

  enter(gateway: string, { name, secret }: Person): boolean {
    const known = this.known.get(name)
    if (known === undefined) this.known.set(name, { secret, gateways: new Set([gateway]) })
    else if (secret === "" || secret !== known.secret) return false
    else known.gateways.add(gateway)
    return true
  }

  leave(gateway: string, name: string): void {
    const known = this.known.get(name)
    if (known?.gateways.delete(gateway) === true && known.gateways.size === 0) this.known.delete(name)
  }

  follow(gateway: string, people: ReadonlyArray<Person>): void {
    this.follows.set(gateway, (this.follows.get(gateway) ?? 0) + 1)
    for (const person of people) this.enter(gateway, person)
  }

  /** All of a gateway leave when it follows no more; it may have begun again before it has ended. */
  unfollow(gateway: string): void {
    const left = this.follows.get(gateway)! - 1
    this.follows.set(gateway, left)
    if (left > 0) return
    this.follows.delete(gateway)
    for (const name of this.names) this.leave(gateway, name)
  }
}

/** Rooms live in this process, too. */
export const layer: Layer.Layer<never, never, Sharding | Backplane> = Room.toLayer(
  Effect.gen(function*() {
    const { entityId: room } = yield* Entity.CurrentAddress
    const { from, say } = yield* Sayings.make
    const people = new People()
    const names = yield* SubscriptionRef.make<ReadonlyArray<string>>([])
    const changed = Effect.suspend(() => SubscriptionRef.set(names, people.names))
    const members = (): Event => ({ _tag: "Members", members: people.names })
    const told = Stream.map(Stream.merge(SubscriptionRef.changes(names), Stream.tick("1 second")), members)

    return {
      Follow: ({ payload: { after, gateway, people: theirs } }) =>
        Stream.unwrap(Effect.gen(function*() {
          yield* Effect.acquireRelease(
            Effect.sync(() => people.follow(gateway, theirs)),
            () => Effect.andThen(Effect.sync(() => people.unfollow(gateway)), changed)
          )
          yield* changed
          return Stream.merge(from(room, after), told)
        })),
      Enter: ({ payload: { gateway, person } }) =>
        Effect.tap(Effect.sync(() => people.enter(gateway, person)), changed),
      Leave: ({ payload: { gateway, name } }) =>
        Effect.andThen(Effect.sync(() => people.leave(gateway, name)), changed),
      Say: ({ payload }) => say(room, payload)
    }
  }),
  { concurrency: "unbounded" }
)
