/** Who is there, in redis-server, as two gateways see it. */
import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { redisServer } from "@wirestack/test-support"
import { Effect, Exit, Layer, Logger, Queue, Scope } from "effect"
import * as Presence from "../../src/gateway/Presence.ts"
import { missing } from "../interop/support.ts"
import { which } from "../support/processes.ts"

const skip = missing(which("redis-server") !== undefined, "redis-server")

const ada = { name: "ada", secret: "hash of ada's" }

/** A gateway, and how its Redis is taken from it. */
const gateway = Effect.fnUntraced(function*(url: string) {
  const link = yield* Scope.fork(yield* Effect.scope)
  const redis = yield* Scope.provide(Layer.build(Layer.fresh(NodeRedis.layer({ url }))), link)
  const changes = yield* Queue.unbounded<string>()
  const presence = yield* Effect.provideContext(
    Presence.make("chat", (room) => Effect.asVoid(Queue.offer(changes, room)), "300 millis"),
    redis
  )
  return { ...presence, changes, cut: Scope.close(link, Exit.void) }
})

describe.skipIf(skip)("presence", () => {
  const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(name, () => Effect.scoped(Effect.provide(test, Logger.layer([]))))

  live(
    "has a name belong to who came first, and to the same person at another gateway",
    Effect.gen(function*() {
      const { url } = yield* redisServer
      const [one, other] = yield* Effect.all([gateway(url), gateway(url)])
      assert.isTrue(yield* one.enter("sea", ada))
      for (const secret of ["", "hash of another"]) assert.isFalse(yield* other.enter("sea", { name: "ada", secret }))
      assert.isTrue(yield* other.enter("sea", ada))
      yield* one.leave("sea", "ada")
      assert.deepStrictEqual(yield* one.members("sea"), ["ada"])
      yield* other.leave("sea", "ada")
      assert.deepStrictEqual(yield* one.members("sea"), [])
      assert.isTrue(yield* one.enter("sea", { name: "ada", secret: "" }))
    })
  )

  live(
    "forgets the members of a gateway that is gone, and tells their rooms",
    Effect.gen(function*() {
      const { url } = yield* redisServer
      const [one, other] = yield* Effect.all([gateway(url), gateway(url)])
      yield* one.enter("sea", ada)
      yield* other.enter("sea", { name: "grace", secret: "" })
      assert.deepStrictEqual(yield* Queue.take(other.changes), "sea")
      yield* one.cut
      assert.deepStrictEqual(yield* Queue.take(other.changes), "sea")
      assert.deepStrictEqual(yield* other.members("sea"), ["grace"])
      assert.isTrue(yield* other.enter("sea", { name: "ada", secret: "hash of another" }))
    })
  )

  live(
    "brings its members in again when Redis was away for longer than a lease",
    Effect.gen(function*() {
      const { kill, start, url } = yield* redisServer
      const [one, other] = yield* Effect.all([gateway(url), gateway(url)])
      yield* one.enter("sea", ada)
      yield* Queue.take(one.changes)
      yield* kill
      yield* Effect.sleep("400 millis")
      yield* start
      yield* Queue.take(one.changes)
      const members = yield* Effect.repeat(Effect.orElseSucceed(other.members("sea"), () => []), {
        until: ({ length }) => length > 0
      })
      assert.deepStrictEqual(members, ["ada"])
    })
  )
})
