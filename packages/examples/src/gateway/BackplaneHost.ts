/**
 * Rooms on a backplane: there is nobody who decides, all gateways are equal, and any of them may go at any time.
 *
 * Who is there is in Redis (`Presence`). That it has changed is told in a topic of its own, and whoever hears that looks.
 */
import * as Backplane from "@wirestack/protocol/fanout/Backplane"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { away, type Event, type Host } from "./Host.ts"
import * as Presence from "./Presence.ts"
import * as Sayings from "./Sayings.ts"

const topicOf = (room: string): string => `people/${room}`

/** The host of one gateway. `prefix` is that of the backplane's keys. */
export const make = Effect.fnUntraced(function*(prefix: string) {
  const { publish, subscribe } = yield* Backplane.Backplane
  const { from, say } = yield* Sayings.make
  const { enter, leave, members } = yield* Presence.make(prefix, (room) => Effect.ignore(publish(topicOf(room), "")))

  const people = (room: string) =>
    Stream.unwrap(Effect.gen(function*() {
      const { pull } = yield* Effect.mapError(subscribe(topicOf(room)), away)
      const look = Effect.map(members(room), (members): Event => ({ _tag: "Members", members }))
      // However many changes come meanwhile, it looks once.
      const changes = Stream.fromEffectRepeat(Effect.andThen(Effect.delay(pull, "50 millis"), look))
      return Stream.concat(Stream.fromEffect(look), changes)
    }))

  const host: Host = { follow: (room, after) => Stream.merge(from(room, after), people(room)), enter, leave, say }
  return host
})
