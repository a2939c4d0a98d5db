import { assert, describe, it } from "@effect/vitest"
import { Dispatch, Subscriptions } from "@wirestack/protocol"
import * as Connection from "@wirestack/protocol/Connection"
import { lost, Reset } from "@wirestack/protocol/ConnectionError"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { TooLarge } from "@wirestack/protocol/Reason"
import { Effect, Exit, Fiber, References, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { text, utf8 } from "../support/bytes.ts"
import { failureOf } from "../support/failure.ts"
import { turns } from "../support/turns.ts"

const gone = lost("test", new Reset({ cause: "gone" }))

/** Subscriptions by name, and what was said to the peer. */
const subscribing = (leave: Effect.Effect<void> = Effect.void) => {
  const said: Array<string> = []
  const say = (words: string) => Effect.sync(() => void said.push(words))
  const subscriptions = Subscriptions.make<string, string, "no">({ layer: "test" })
  const subscribe = (name: string, maxWaiting?: number) =>
    subscriptions.subscribe(name, { join: say(`+${name}`), leave: Effect.andThen(say(`-${name}`), leave), maxWaiting })
  return { said, subscribe, subscriptions }
}

describe("subscriptions", () => {
  it.effect("give what is of their topic to each subscriber, and leave with the last", () =>
    Effect.gen(function*() {
      const { said, subscribe, subscriptions } = subscribing()
      const first = yield* Scope.make()
      const one = yield* Scope.provide(subscribe("a"), first)
      yield* Effect.scoped(Effect.gen(function*() {
        const two = yield* subscribe("a")
        subscriptions.deliver("a", "x", 1)
        subscriptions.deliver("b", "y", 1)
        subscriptions.deliverWhere((name) => name < "b", "z", 1)
        for (const stream of [one, two]) {
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(stream, 2)), ["x", "z"])
        }
      }))
      assert.deepStrictEqual(said, ["+a", "+a"])
      yield* Scope.close(first, Exit.void)
      assert.deepStrictEqual(said, ["+a", "+a", "-a"])
    }))

  it.effect("join after the last one has left, however long that takes", () =>
    Effect.gen(function*() {
      const { said, subscribe } = subscribing(
        Effect.suspend(() => said.length === 2 ? Effect.sleep("1 second") : Effect.void)
      )
      const leaving = yield* Effect.forkChild(Effect.scoped(subscribe("a")))
      yield* turns
      const joining = yield* Effect.forkChild(subscribe("a"))
      yield* turns
      assert.deepStrictEqual(said, ["+a", "-a"])
      yield* TestClock.adjust("1 second")
      yield* Effect.asVoid(Effect.all([Fiber.join(leaving), Fiber.join(joining)]))
      assert.deepStrictEqual(said, ["+a", "-a", "+a"])
    }).pipe(Effect.scoped))

  it.effect("do not wait for a peer who never lets go", () =>
    Effect.gen(function*() {
      const { subscribe } = subscribing(Effect.never)
      const leaving = yield* Effect.forkChild(Effect.scoped(subscribe("a")))
      yield* turns
      yield* TestClock.adjust("5 seconds")
      yield* Effect.asVoid(Fiber.join(leaving))
    }))

  it.effect("do not wait for a leave that can't be interrupted", () =>
    Effect.gen(function*() {
      const { subscribe } = subscribing(Effect.uninterruptible(Effect.never))
      const leaving = yield* Effect.forkChild(Effect.scoped(subscribe("a")))
      yield* turns
      yield* TestClock.adjust("5 seconds")
      assert.isDefined(leaving.pollUnsafe())
    }))

  it.effect("tell who is behind, and give what came before", () =>
    Effect.gen(function*() {
      const { subscribe, subscriptions } = subscribing()
      const late = yield* subscribe("a", 300)
      const quick = yield* subscribe("a")
      for (const message of ["one", "two", "three", "four"]) subscriptions.deliver("a", message, 50)
      const kept: Array<string> = []
      const error = yield* Effect.flip(Stream.runForEach(late, (message) => Effect.sync(() => kept.push(message))))
      assert.deepStrictEqual(kept, ["one", "two"])
      assert(error !== "no" && error.reason instanceof TooLarge)
      assert.deepInclude(error.reason, { size: 342, limit: 300 })
      assert.lengthOf(yield* Stream.runCollect(Stream.take(quick, 4)), 4)
    }).pipe(Effect.scoped))

  it.effect("are bounded by what waits, and not by all that came", () =>
    Effect.gen(function*() {
      const { subscribe, subscriptions } = subscribing()
      const stream = yield* subscribe("a", 200)
      const reading = yield* Effect.forkChild(Stream.runCount(Stream.take(stream, 20)))
      for (let n = 0; n < 20; n++) {
        subscriptions.deliver("a", "x", 100)
        yield* turns
      }
      assert.strictEqual(yield* Fiber.join(reading), 20)
    }).pipe(Effect.scoped))

  it.effect("fail where the peer says no, and once the connection is over", () =>
    Effect.gen(function*() {
      const { said, subscribe, subscriptions } = subscribing()
      const [a, b] = [yield* subscribe("a"), yield* subscribe("b")]
      subscriptions.fail("a", "no")
      assert.strictEqual(yield* Effect.flip(Stream.runDrain(a)), "no")
      subscriptions.lost(gone)
      assert.deepInclude(failureOf(yield* Effect.exit(Stream.runDrain(b))), { tag: "Reset" })
      assert.deepInclude(failureOf(yield* Effect.exit(subscribe("c"))), { tag: "Reset" })
      assert.deepStrictEqual(said, ["+a", "+b"])
    }).pipe(Effect.scoped))

  it.effect("leave when who has them is interrupted", () =>
    Effect.gen(function*() {
      const { said, subscribe } = subscribing()
      const fiber = yield* Effect.forkChild(Effect.scoped(Effect.andThen(subscribe("a"), Effect.never)))
      yield* turns
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(said, ["+a", "-a"])
    }))

  it.effect("leave once for all who are gone meanwhile", () =>
    Effect.gen(function*() {
      const { said, subscribe } = subscribing(
        Effect.suspend(() => said.length === 2 ? Effect.sleep("1 second") : Effect.void)
      )
      const leaving = yield* Effect.forkChild(Effect.scoped(subscribe("a")))
      yield* turns
      const late = yield* Effect.forkChild(Effect.scoped(subscribe("a")))
      yield* turns
      late.interruptUnsafe()
      yield* turns
      // Who comes now waits for the one who leaves, too.
      const next = yield* Effect.forkChild(subscribe("a"))
      yield* turns
      assert.deepStrictEqual(said, ["+a", "-a"])
      yield* TestClock.adjust("1 second")
      yield* Effect.asVoid(Effect.all([Fiber.join(leaving), Fiber.await(late), Fiber.join(next)]))
      assert.deepStrictEqual(said, ["+a", "-a", "+a"])
    }).pipe(Effect.scoped))

  it.effect("do not hold up who leaves others behind", () =>
    Effect.gen(function*() {
      const { said, subscribe, subscriptions } = subscribing()
      const first = yield* Scope.make()
      yield* Effect.asVoid(Scope.provide(subscribe("a"), first))
      const joining = yield* Effect.forkChild(
        Effect.scoped(subscriptions.subscribe("a", { join: Effect.never, leave: Effect.void }))
      )
      yield* turns
      const closing = yield* Effect.forkChild(Scope.close(first, Exit.void))
      yield* turns
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(said, ["+a"])
      yield* Fiber.interrupt(joining)
    }))

  it.effect("are nobody's where joining fails, while the scope is still open", () =>
    Effect.gen(function*() {
      const { said, subscribe, subscriptions } = subscribing()
      const leave = Effect.sync(() => void said.push("-a"))
      const first = yield* Scope.make()
      yield* Effect.asVoid(Scope.provide(subscribe("a"), first))
      for (let n = 0; n < 3; n++) {
        const refused = subscriptions.subscribe("a", { join: Effect.fail("refused" as const), leave })
        assert.strictEqual(yield* Effect.flip(refused), "refused")
      }
      yield* Scope.close(first, Exit.void)
      assert.deepStrictEqual(said, ["+a", "-a"])
    }).pipe(Effect.scoped))

  it.effect("do not begin once the connection is over, nor get lost, wherever fibers yield", () =>
    Effect.gen(function*() {
      for (let delay = 0; delay < 40; delay++) {
        const subscriptions = Subscriptions.make<string, string>({ layer: "test" })
        const asking = { join: Effect.void, leave: Effect.void }
        const reading = yield* Effect.forkChild(
          Effect.exit(Effect.scoped(Effect.flatMap(subscriptions.subscribe("a", asking), Stream.runDrain)))
        )
        for (let n = 0; n < delay; n++) yield* Effect.yieldNow
        subscriptions.lost(gone)
        for (let n = 0; n < 10; n++) yield* turns
        assert.isDefined(reading.pollUnsafe(), `after ${delay}`)
      }
    }).pipe(Effect.provideService(References.MaxOpsBeforeYield, 3)))

  it.effect("end with their scope, behind what came before", () =>
    Effect.gen(function*() {
      const { subscribe, subscriptions } = subscribing()
      const stream = yield* Effect.scoped(Effect.tap(
        subscribe("a"),
        () => Effect.sync(() => subscriptions.deliver("a", "x", 1))
      ))
      const reading = yield* Effect.forkChild(Stream.runCollect(stream))
      yield* turns
      assert.deepStrictEqual(reading.pollUnsafe(), Exit.succeed(["x"]))
    }))
})

describe("reading for those who wait", () => {
  const reading = (handle: (message: Uint8Array) => Effect.Effect<unknown, typeof gone>) =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Uint8Array>()
      const peer = yield* Connection.make(far)
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
      const connection = yield* Scope.provide(Connection.make(near), scope)
      const told: Array<string> = []
      const awaiting = [{ lost: ({ layer, reason }: typeof gone) => void told.push(`${layer} ${reason._tag}`) }]
      yield* Scope.provide(Dispatch.run(connection, { layer: "test", handle, awaiting }), scope)
      yield* Effect.addFinalizer(() => Effect.andThen(peer.abort, connection.abort))
      return { peer, scope, told }
    })

  it.effect("hands over each message, and tells an end in order", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const { peer, told } = yield* reading((bytes) => Effect.sync(() => heard.push(text(bytes))))
      yield* peer.sendAll([utf8("one"), utf8("two")])
      yield* turns
      assert.deepStrictEqual([heard.join(), told], ["one,two", []])
      yield* peer.end
      yield* turns
      assert.deepStrictEqual(told, ["test Closed"])
    }).pipe(Effect.scoped))

  it.effect("tells what a handler fails with", () =>
    Effect.gen(function*() {
      const { peer, told } = yield* reading(() => Effect.fail(gone))
      yield* peer.send(utf8("x"))
      yield* turns
      assert.deepStrictEqual(told, ["test Reset"])
    }).pipe(Effect.scoped))

  it.effect("tells that we close", () =>
    Effect.gen(function*() {
      const { peer, scope, told } = yield* reading(() => Effect.void)
      yield* turns
      yield* peer.abort
      yield* Scope.close(scope, Exit.void)
      assert.lengthOf(told, 1)
    }).pipe(Effect.scoped))

  it.effect("tells that we close, however soon", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Uint8Array>()
      const peer = yield* Connection.make(far)
      const connection = yield* Connection.make(near)
      yield* Effect.addFinalizer(() => Effect.andThen(peer.abort, connection.abort))
      const told: Array<string> = []
      const awaiting = [{ lost: ({ reason }: typeof gone) => void told.push(reason._tag) }]
      yield* Effect.scoped(Dispatch.run(connection, { layer: "test", handle: () => Effect.void, awaiting }))
      assert.deepStrictEqual(told, ["Closing"])
    }).pipe(Effect.scoped))

  it.effect("tells that a handler is broken", () =>
    Effect.gen(function*() {
      const { peer, told } = yield* reading(() => Effect.die("broken"))
      yield* peer.send(utf8("x"))
      yield* turns
      assert.deepStrictEqual(told, ["test Other"])
    }).pipe(Effect.scoped))
})
