/** The last message of a stream. */
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import { type Last, type Message, positionOf, stampOf } from "./Place.ts"

export const lastOf = (
  { send }: Pick<Redis.Redis["Service"], "send">,
  log: string
): Effect.Effect<Last, Redis.RedisError> =>
  Effect.map(
    send<ReadonlyArray<Message>>("XREVRANGE", log, "+", "-", "COUNT", "1"),
    ([last]) =>
      last === undefined
        ? { epoch: undefined, number: 0, stamp: undefined }
        : { ...positionOf(last[0]), stamp: stampOf(last) }
  )
