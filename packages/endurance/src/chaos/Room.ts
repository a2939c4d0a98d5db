/** A room in which everything said is numbered, told to all who are there, and then acknowledged to who said it. */
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Subprotocol from "@wirestack/protocol/typed/Subprotocol"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const Say = Schema.TaggedStruct("Say", { by: Schema.Int, nth: Schema.Int, padding: Schema.String })
/** The number of what was said last before one came. */
export const Here = Schema.TaggedStruct("Here", { last: Schema.Int })
export const Said = Schema.TaggedStruct("Said", {
  number: Schema.Int,
  by: Schema.Int,
  nth: Schema.Int,
  padding: Schema.String
})
export const Taken = Schema.TaggedStruct("Taken", { nth: Schema.Int })

export class Chat extends Subprotocol.Service<Chat>()("chaos.v1", {
  client: Say,
  server: Schema.Union([Here, Said, Taken])
}) {}

export type FromServer = typeof Chat.server.Type

type Member = Subprotocol.ServerConnection<typeof Chat>

/** What the server knows of one connection. */
export interface Membership {
  readonly connection: Member
  /** Messages it has accepted for it. */
  sent: number
  /** Of which client it is, once that has said something. */
  by: number | undefined
  /** Messages that were pulled of it. */
  pulled: number
  /** What it has taken from it, in order. */
  readonly taken: Array<number>
}

export class Room {
  readonly memberships: Array<Membership> = []
  private readonly present = new Set<Membership>()
  private last = 0

  /** Handles a connection for as long as it lasts. */
  readonly enter = (connection: Member): Effect.Effect<void, ConnectionError> =>
    Effect.suspend(() => {
      const membership: Membership = { connection, sent: 0, by: undefined, pulled: 0, taken: [] }
      this.memberships.push(membership)
      this.present.add(membership)
      return Effect.ensuring(
        Effect.andThen(
          this.tell(membership, { _tag: "Here", last: this.last }),
          this.listen(membership)
        ),
        Effect.sync(() => this.present.delete(membership))
      )
    })

  private listen(membership: Membership): Effect.Effect<void, ConnectionError> {
    const next: Effect.Effect<void, ConnectionError> = Effect.matchEffect(membership.connection.pull, {
      onSuccess: (batch) => {
        membership.pulled += batch.length
        return Effect.andThen(Effect.forEach(batch, (said) => this.say(membership, said), { discard: true }), next)
      },
      onFailure: (why) => Cause.isDone(why) ? Effect.void : Effect.fail(why)
    })
    return next
  }

  private say(membership: Membership, { by, nth, padding }: typeof Say.Type): Effect.Effect<void, ConnectionError> {
    membership.by = by
    membership.taken.push(nth)
    const number = ++this.last
    // Who can't be told in time is cut, so that everybody is told everything or is gone.
    const all = Effect.forEach(
      [...this.present],
      (other) =>
        Effect.catch(
          Effect.timeout(this.tell(other, { _tag: "Said", number, by, nth, padding }), "2 seconds"),
          () => other.connection.abort
        ),
      { concurrency: "unbounded", discard: true }
    )
    return Effect.andThen(all, this.tell(membership, { _tag: "Taken", nth }))
  }

  private tell(membership: Membership, message: FromServer): Effect.Effect<void, ConnectionError> {
    return Effect.tap(membership.connection.send(message), () => Effect.sync(() => membership.sent++))
  }
}
