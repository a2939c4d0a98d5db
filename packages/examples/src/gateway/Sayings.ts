/** What is said in rooms, on a backplane: a topic a room, of which the engine gives the numbers, and a key is said once. */
import * as Backplane from "@wirestack/protocol/fanout/Backplane"
import type { BackplaneError } from "@wirestack/protocol/fanout/BackplaneError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Entry } from "../chat/Chat.ts"
import { type Away, away, type Event, type Host, latest, type Spoken } from "./Host.ts"

const { n: _, ...fields } = Entry.fields
const Payload = Schema.fromJsonString(Schema.Struct(fields))
const encode = Schema.encodeSync(Payload)
const decode = Schema.decodeSync(Payload)

const entryOf = ({ number, payload }: Backplane.Entry): Entry => ({ n: number, ...decode(payload) })

const topicOf = (room: string): string => `said/${room}`

export interface Sayings {
  /** What was said in a room after a number, or the latest, and what is said from then on. */
  readonly from: (room: string, after: number | undefined) => Stream.Stream<Event, Away>
  readonly say: Host["say"]
}

const reached = Effect.mapError(({ reason }: BackplaneError): Away => away(reason))

export const make: Effect.Effect<Sayings, never, Backplane.Backplane> = Effect.map(
  Backplane.Backplane,
  ({ publish, subscribe }): Sayings => {
    /** What was said up to the last message of a subscription. */
    const opened = Effect.fnUntraced(function*(
      { last, pull }: Backplane.Subscription,
      after: number,
      isForgotten: boolean
    ): Effect.fn.Return<Event, Away> {
      const history: Array<Entry> = []
      let at = after
      while (at < last) {
        for (const event of yield* pull) {
          if (event._tag === "Gap") {
            if (event.restarted && !isForgotten) return yield* away("the room has begun anew")
            continue
          }
          at = event.number
          history.push(entryOf(event))
        }
      }
      return { _tag: "Opened", history, last: Math.max(last, at) } as const
    })

    const next = (event: Backplane.Event): Effect.Effect<Event, Away> =>
      event._tag === "Entry"
        ? Effect.succeed({ _tag: "Said", entry: entryOf(event) })
        // All that there is follows.
        : event.restarted
        ? Effect.succeed({ _tag: "Opened", history: [], last: 0 })
        : Effect.fail(away(`what came after ${event.after} is missing`))

    /** What was said before under a key; it is in the log as long as the key is. */
    const before = (room: string, number: number) =>
      Effect.flatMap(
        Effect.scoped(Effect.flatMap(reached(subscribe(topicOf(room), { after: number - 1 })), ({ pull }) => pull)),
        ([event]) => event._tag === "Entry" ? Effect.succeed(entryOf(event)) : Effect.fail(away(`${number} is missing`))
      )

    return {
      from: (room, after) =>
        Stream.unwrap(Effect.gen(function*() {
          const subscription = yield* reached(subscribe(topicOf(room), after === undefined ? { latest } : { after }))
          const { last } = subscription
          const isForgotten = after !== undefined && after > last
          const begin = after === undefined || isForgotten ? Math.max(0, last - latest) : after
          const first = yield* opened(subscription, begin, isForgotten)
          return Stream.concat(Stream.make<[Event]>(first), Stream.mapEffect(Backplane.events(subscription), next))
        })),
      say: Effect.fnUntraced(function*(room, speech): Effect.fn.Return<Spoken, Away> {
        const { key, name } = speech
        const said = { ...speech, at: yield* Clock.currentTimeMillis }
        const once = key && JSON.stringify([name, key])
        const { number, repeated } = yield* reached(publish(topicOf(room), encode(said), once))
        return { entry: repeated ? yield* before(room, number) : { n: number, ...said }, repeated }
      })
    }
  }
)
