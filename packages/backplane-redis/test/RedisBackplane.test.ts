/** A backplane kept by redis-server. */
import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { RedisBackplane } from "@wirestack/backplane-redis"
import { Backplane } from "@wirestack/protocol"
import { backplaneSuite, type RedisServer, redisServer } from "@wirestack/test-support"
import { Context, Effect, Exit, Fiber, Layer, Logger, Scope, Stream, SubscriptionRef } from "effect"
import { Redis } from "effect/persistence"
import { spawnSync } from "node:child_process"
import { afterAll, beforeAll } from "vitest"

const isThere = spawnSync("redis-server", ["--version"]).status === 0

describe.skipIf(!isThere)("a backplane kept by redis-server", () => {
  const scope = Scope.makeUnsafe()
  let server: RedisServer
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.provide(redisServer, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const bounds = { maxEntries: 300, maxPayload: 100 }
  const redis = () => Layer.fresh(NodeRedis.layer({ url: server.url }))
  /** The backplane of one process. */
  const over = (options: RedisBackplane.Options = bounds) =>
    RedisBackplane.layer(options).pipe(Layer.provideMerge(redis()), Layer.provide(Logger.layer([])))
  const build = (options?: RedisBackplane.Options) =>
    Effect.map(Layer.build(over(options)), Context.get(Backplane.Backplane))

  for (const [name, test] of Object.entries(backplaneSuite(bounds))) {
    it.live(name, () => Effect.provide(test(name), over()))
  }

  it.live("is one for all processes that name their keys alike", () =>
    Effect.gen(function*() {
      const [one, other, stranger] = yield* Effect.all([build(), build(), build({ prefix: "other" })])
      const heard = yield* other.subscribe("shared")
      assert.deepStrictEqual(yield* one.publish("shared", "hello", "key"), { number: 1, repeated: false })
      assert.deepStrictEqual(yield* heard.pull, [{ _tag: "Entry", number: 1, payload: "hello", key: "key" }])
      assert.deepStrictEqual(yield* other.publish("shared", "hello", "key"), { number: 1, repeated: true })
      assert.strictEqual((yield* stranger.subscribe("shared")).last, 0)
    }))

  it.live("reads for places that come and go while a read waits", () =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* build()
      yield* Effect.forEach(Array.from({ length: 200 }, (_, n) => `come/${n}`), (topic) =>
        Effect.scoped(Effect.gen(function*() {
          const place = yield* subscribe(topic)
          const hearing = yield* Effect.forkChild(place.pull, { startImmediately: true })
          yield* publish(topic, topic)
          const [event] = yield* Fiber.join(hearing)
          assert.propertyVal(event, "payload", topic)
        })), { concurrency: 20 })
    }))

  it.live("tells who subscribes to a log that is deleted", () =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      const { send } = yield* Redis.Redis
      const place = yield* subscribe("deleted")
      yield* publish("deleted", "one")
      yield* place.pull
      yield* send("DEL", "wirestack:{deleted}:log")
      yield* publish("deleted", "two")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(Backplane.events(place), 2)), [
        { _tag: "Gap", after: 1, restarted: true },
        { _tag: "Entry", number: 1, payload: "two", key: undefined }
      ])
    }).pipe(Effect.provide(over())))

  it.live("publishes a key again whose message Redis has lost", () =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      const { send } = yield* Redis.Redis
      yield* publish("evicted", "other")
      yield* publish("evicted", "hello", "key")
      yield* send("DEL", "wirestack:{evicted}:log")
      assert.deepStrictEqual(yield* publish("evicted", "hello", "key"), { number: 1, repeated: false })
      assert.deepStrictEqual(yield* publish("evicted", "hello", "key"), { number: 1, repeated: true })
      assert.strictEqual((yield* subscribe("evicted")).last, 1)
    }).pipe(Effect.provide(over())))

  it.live("tells who has read what Redis has lost", () =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      const { send } = yield* Redis.Redis
      const place = yield* subscribe("lossy")
      const log = "wirestack:{lossy}:log"
      yield* publish("lossy", "kept")
      yield* send("COPY", log, "kept")
      yield* Effect.forEach(["lost", "lost, too"], (payload) => publish("lossy", payload))
      yield* Stream.runDrain(Stream.take(Backplane.events(place), 3))
      yield* send("RENAME", "kept", log)
      assert.strictEqual((yield* publish("lossy", "anew")).number, 2)
      yield* send("CLIENT", "KILL", "TYPE", "normal")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(Backplane.events(place), 3)), [
        { _tag: "Gap", after: 3, restarted: true },
        { _tag: "Entry", number: 1, payload: "kept", key: undefined },
        { _tag: "Entry", number: 2, payload: "anew", key: undefined }
      ])
    }).pipe(Effect.provide(over())))

  it.live("goes on when Redis was killed, and has told so", () =>
    Effect.gen(function*() {
      const mortal = yield* redisServer
      const layer = RedisBackplane.layer({ within: "300 millis" }).pipe(
        Layer.provide(NodeRedis.layer({ url: mortal.url })),
        Layer.provide(Logger.layer([]))
      )
      const { publish, state, subscribe } = Context.get(yield* Layer.build(layer), Backplane.Backplane)
      const is = (tag: Backplane.State["_tag"]) =>
        Stream.runHead(Stream.filter(SubscriptionRef.changes(state), ({ _tag }) => _tag === tag))
      const place = yield* subscribe("topic")
      yield* publish("topic", "before", "1")
      yield* place.pull
      yield* mortal.kill
      yield* is("Unlinked")
      const hearing = yield* Effect.forkChild(Stream.runCollect(Stream.take(Backplane.events(place), 2)))
      const { reason } = yield* Effect.flip(publish("topic", "meanwhile", "2"))
      assert.include(["TimedOut", "Unavailable"], reason._tag)
      yield* mortal.start
      yield* is("Linked")
      const published = yield* Effect.retry(publish("topic", "meanwhile", "2"), { times: 20 })
      assert.strictEqual(published.number, 2)
      assert.strictEqual((yield* publish("topic", "after", "3")).number, 3)
      const heard = yield* Fiber.join(hearing)
      assert.deepStrictEqual(heard.map((event) => event._tag === "Entry" && event.payload), ["meanwhile", "after"])
    }))
})
