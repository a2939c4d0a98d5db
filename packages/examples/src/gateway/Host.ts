/**
 * Where rooms are kept, as a gateway sees it: it tells what is said and who is there, and is told what this gateway's members do.
 *
 * There are two: `BackplaneHost`, for which all gateways are equal and Redis decides, and that of the cluster, for which each room
 * is an entity that lives in one process.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { Entry } from "../chat/Chat.ts"

/** The rooms can't be reached just now. What was to be said may have been said: say it again, with its key. */
export class Away extends Schema.TaggedError<Away>()("Away", { detail: Schema.String }) {
  override get message(): string {
    return `the rooms can't be reached: ${this.detail}`
  }
}

/** That it is so, for this reason. */
export const away = (cause: unknown): Away =>
  new Away({ detail: cause instanceof Error ? cause.message : String(cause) })

/** Somebody who is to be in a room; the same secret is the same person. It is a hash: the secret itself stays in the gateway. */
export const Person = Schema.Struct({ name: Schema.String, secret: Schema.String })
export type Person = typeof Person.Type

const { at: _at, n: _n, ...spoken } = Entry.fields
/** What is to be said. */
export const Speech = Schema.Struct(spoken)
export type Speech = typeof Speech.Type

/** That it was said, and whether it had been said before. */
export const Spoken = Schema.Struct({ entry: Entry, repeated: Schema.Boolean })
export type Spoken = typeof Spoken.Type

export const Event = Schema.Union([
  /** Comes first: what was said up to now, as far as it was asked for and is kept, and the number of the last. */
  Schema.TaggedStruct("Opened", { history: Schema.Array(Entry), last: Schema.Int }),
  Schema.TaggedStruct("Said", { entry: Entry }),
  /** Who is there, whenever that has changed. */
  Schema.TaggedStruct("Members", { members: Schema.Array(Schema.String) })
])
export type Event = typeof Event.Type

/** How much of what was said is known of a room: more than newcomers are told, for those who come back late. */
export const latest = 2_000

export interface Host {
  /**
   * What happens in a room: what was said after a number, or the latest, and all that follows, without a hole. It fails when something is
   * missing, and is to be followed again. `people` are those of this gateway, for a room that has forgotten them.
   */
  readonly follow: (
    room: string,
    after: number | undefined,
    people: () => ReadonlyArray<Person>
  ) => Stream.Stream<Event, Away>
  /** Whether the person may be in the room: false if the name is somebody else's. */
  readonly enter: (room: string, person: Person) => Effect.Effect<boolean, Away>
  /** The person is in the room no more, as far as this gateway knows. */
  readonly leave: (room: string, name: string) => Effect.Effect<void, Away>
  readonly say: (room: string, speech: Speech) => Effect.Effect<Spoken, Away>
}
