/**
 * Rooms on a backplane: what is said in a room is a topic, of which the engine gives the numbers, and a key is said once. So there is
 * nobody who decides, all gateways are equal, and any of them may go at any time.
 *
 * Who is there is in Redis (`Presence`). That it has changed is told in another topic, and whoever hears that looks.
 */
import * as Backplane from "@wirestack/protocol/fanout/Backplane"
import type { BackplaneError } from "@wirestack/protocol/fanout/BackplaneError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Entry } from "../chat/Chat.ts"
import { Away, type Event, type Host, latest, type Spoken } from "./Host.ts"
import * as Presence from "./Presence.ts"

const { n: _, ...fields } = Entry.fields
const Speech = Schema.fromJsonString(Schema.Struct(fields))
const encode = Schema.encodeSync(Speech)
const decode = Schema.decodeSync(Speech)

const entryOf = ({ number, payload }: Backplane.Entry): Entry => ({ n: number, ...decode(payload) })

const saidIn = (room: string): string => `said/${room}`
const peopleIn = (room: string): string => `people/${room}`

const away = Effect.mapError(({ reason }: BackplaneError) => new Away({ cause: reason }))

/** The host of one gateway. `prefix` is that of the backplane's keys. */
export const make = Effect.fnUntraced(function*(prefix: string) {
  const { publish, subscribe } = yield* Backplane.Backplane
  const { enter, leave, members } = yield* Presence.make(prefix, (room) => Effect.ignore(publish(peopleIn(room), "")))

  /** What was said up to the last message of a subscription. */
  const history = Effect.fnUntraced(function*({ last, pull }: Backplane.Subscription, after: number) {
    const entries: Array<Entry> = []
    let at = after
    while (at < last) {
      for (const event of yield* pull) {
        if (event._tag === "Gap") continue
        at = event.number
        entries.push(entryOf(event))
      }
    }
    return { _tag: "Opened", history: entries, last: Math.max(last, at) } as const
  })

  const said = (room: string, after: number | undefined) =>
    Stream.unwrap(Effect.gen(function*() {
      const subscription = yield* away(subscribe(saidIn(room), after === undefined ? { latest } : { after }))
      const { last } = subscription
      const opened = yield* history(
        subscription,
        after === undefined || after > last ? Math.max(0, last - latest) : after
      )
      const news = Stream.mapEffect(Backplane.events(subscription), (event): Effect.Effect<Event, Away> =>
        event._tag === "Gap"
          ? Effect.fail(new Away({ cause: `what came after ${event.after} is missing` }))
          : Effect.succeed({ _tag: "Said", entry: entryOf(event) }))
      return Stream.concat(Stream.make<[Event]>(opened), news)
    }))

  const people = (room: string) =>
    Stream.unwrap(Effect.gen(function*() {
      const { pull } = yield* away(subscribe(peopleIn(room)))
      const look = Effect.map(members(room), (members): Event => ({ _tag: "Members", members }))
      // However many have come meanwhile, they are looked for once.
      const changes = Stream.fromEffectRepeat(Effect.andThen(Effect.delay(pull, "50 millis"), look))
      return Stream.concat(Stream.fromEffect(look), changes)
    }))

  /** What was said before under a key; it is in the log as long as the key is. */
  const before = (room: string, number: number) =>
    Effect.scoped(Effect.flatMap(subscribe(saidIn(room), { after: number - 1 }), ({ pull }) => pull)).pipe(
      Effect.flatMap(([event]) =>
        event._tag === "Entry"
          ? Effect.succeed(entryOf(event))
          : Effect.fail(new Away({ cause: `${number} was trimmed` }))
      )
    )

  const host: Host = {
    follow: (room, after) => Stream.merge(said(room, after), people(room)),
    enter,
    leave,
    say: Effect.fnUntraced(function*(room, speech): Effect.fn.Return<Spoken, Away> {
      const { key, name } = speech
      const entry = { ...speech, at: yield* Clock.currentTimeMillis }
      const published = publish(saidIn(room), encode(entry), key && JSON.stringify([name, key]))
      const { number: n, repeated } = yield* away(published)
      return {
        entry: repeated
          ? yield* Effect.catchTag(
            before(room, n),
            "BackplaneError",
            (error) => Effect.fail(new Away({ cause: error }))
          )
          : { n, ...entry },
        repeated
      }
    })
  }
  return host
})
