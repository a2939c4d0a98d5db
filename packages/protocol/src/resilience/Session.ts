/** A session as a detail of the connection that it is. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Connection from "../Connection.ts"

/** What a session tells. Numbers begin with 1. */
export class Session extends Context.Service<Session, {
  /** The name of the session, which is no secret. */
  readonly id: string
  /** What a client has to show to resume it. */
  readonly secret: Redacted.Redacted<string>
  /** The number of the last message from the peer that was acknowledged; the next one to be acknowledged has the number after it. */
  readonly received: number
  /** The number of the last message that was sent. */
  readonly sent: number
  /** The number of the last message that the peer has acknowledged. */
  readonly acknowledged: number
  /** Says that the next `count` messages were stored; dies with a `RangeError` if there are not as many. */
  readonly acknowledge: (count: number) => Effect.Effect<void>
}>()("@wirestack/protocol/resilience/Session") {}

/** Says that the next `count` messages of a connection were stored (see `Options.acknowledge`). */
export const acknowledge = <In, Out>(
  connection: Connection.Connection<In, Out, Session>,
  count: number
): Effect.Effect<void> => Connection.detail(connection, Session).acknowledge(count)
