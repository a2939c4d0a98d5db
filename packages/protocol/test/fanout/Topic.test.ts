/** Who gets what is published: with room, without, and by each policy. */
import { assert, describe, it } from "@effect/vitest"
import { Budget, Codec, Connection, Policy, Topic } from "@wirestack/protocol"
import * as Loan from "@wirestack/protocol/bytes/Loan"
import type { Message } from "@wirestack/protocol/Transport"
import { random } from "@wirestack/test-support"
import { Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { turns } from "../support/turns.ts"
import { connect, Valve } from "../support/Valve.ts"

setFlagsFromString("--expose-gc")
const gc: () => void = runInNewContext("gc")

/** A member of a topic, on a valve. */
const member = Effect.fnUntraced(function*<A>(topic: Topic.Topic<A>, policy?: Policy.Policy<A>, room = 0) {
  const valve = new Valve<A>(room)
  const connection = yield* connect(valve)
  const membership = yield* topic.join(connection, policy)
  return { valve, connection, membership }
})

/** The bytes of all buffers, after a collection; what one finds under way keeps what was allocated since it began. */
const held = (): number => {
  gc()
  gc()
  return process.memoryUsage().arrayBuffers
}

/** One that reads all, and keeps nothing. */
class Forgetful extends Valve<Uint8Array> {
  received = 0

  override write(): void {
    this.received++
  }
}

/** One that refuses a message. */
class Picky extends Valve<string> {
  override write(message: string): void {
    if (message === "bad") throw new Error("not this")
    super.write(message)
  }
}

const publishAll = <A>(topic: Topic.Topic<A>, messages: Iterable<A>) =>
  Effect.forEach(messages, (message) => topic.publish(message), { discard: true })

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => String(from + at))

const gap = (count: number) => `gap ${count}`

describe("a topic", () => {
  it.effect("gives all members what is published, flushed once a turn, and holds up nobody for a slow one", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const quick = yield* member(topic, undefined, Infinity)
      const slow = yield* member(topic, undefined, 1)
      yield* publishAll(topic, ["a", "b", "c"])
      yield* turns
      assert.deepStrictEqual(quick.valve.written, ["a", "b", "c"])
      assert.strictEqual(quick.valve.flushes, 1)
      assert.deepStrictEqual(slow.valve.written, ["a"])
      assert.deepStrictEqual(slow.membership.waiting, { messages: 2, bytes: 2, dropped: 0, superseded: 0 })
      slow.valve.let(1)
      assert.deepStrictEqual(slow.valve.written, ["a", "b"])
      yield* topic.publish("d")
      slow.valve.let(9)
      assert.deepStrictEqual(slow.valve.written, ["a", "b", "c", "d"])
      assert.deepStrictEqual(topic.counts, {
        members: 2,
        messages: 0,
        bytes: 0,
        dropped: 0,
        superseded: 0,
        overloaded: 0
      })
      assert.strictEqual(topic.budget.used, 0)
    }))

  it.effect("takes turns with others who send on the connection, whose order stays", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const { connection, valve } = yield* member(topic)
      yield* publishAll(topic, ["t1", "t2"])
      const sends = yield* Effect.forkScoped(
        Effect.forEach(["s1", "s2"], connection.send, { concurrency: 2, discard: true })
      )
      yield* turns
      yield* topic.publish("t3")
      valve.let(5)
      yield* Fiber.join(sends)
      assert.deepStrictEqual(valve.written, ["t1", "s1", "s2", "t2", "t3"])
    }))

  it.effect("a member leaves with its scope, and what waits is told as unsent", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const valve = new Valve<string>(1)
      const owner = yield* Scope.make()
      const connection = yield* Scope.provide(connect(valve), owner)
      const scope = yield* Scope.make()
      yield* Scope.provide(topic.join(connection), scope)
      yield* publishAll(topic, ["a", "bc"])
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(topic.size, 0)
      yield* topic.publish("d")
      valve.let(9)
      assert.deepStrictEqual(valve.written, ["a"])
      yield* Scope.close(owner, Exit.void)
      assert.deepStrictEqual((yield* connection.closed).unsent, { messages: 1, bytes: 2 })
      assert.strictEqual(topic.budget.used, 0)
    }))

  it.effect("a member leaves when its connection ends, and one that has ended does not join", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const { connection, valve } = yield* member(topic)
      yield* topic.publish("a")
      yield* connection.abort
      assert.strictEqual(topic.size, 0)
      yield* topic.join(connection)
      yield* topic.publish("b")
      assert.strictEqual(topic.size, 0)
      assert.deepStrictEqual(valve.written, [])
      assert.strictEqual(topic.budget.used, 0)
      assert.deepStrictEqual((yield* connection.closed).unsent, { messages: 1, bytes: 1 })
    }))

  it.effect("whoever joins and leaves while something is published does not disturb the others", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const first = yield* member(topic, undefined, Infinity)
      const slow = yield* member(topic, Policy.close({ maxWaiting: 1 }))
      const last = yield* member(topic, undefined, Infinity)
      // Being closed wakes this one, which publishes and leaves in the middle of the pass.
      yield* Effect.forkScoped(
        Effect.andThen(
          Effect.ignore(slow.connection.pull),
          Effect.andThen(topic.publish("gone"), Effect.ignore(member(topic, undefined, Infinity)))
        ),
        { startImmediately: true }
      )
      yield* publishAll(topic, ["a", "b", "c"])
      yield* turns
      assert.deepStrictEqual(first.valve.written.toSorted(), ["a", "b", "c", "gone"])
      assert.deepStrictEqual(last.valve.written, first.valve.written)
      assert.strictEqual(topic.size, 3)
      assert.strictEqual(topic.counts.overloaded, 1)
    }))

  it.effect("who waits for a turn to publish keeps what was lent", () =>
    Effect.gen(function*() {
      const topic = Topic.make<Uint8Array>()
      const { valve } = yield* member(topic, Policy.suspend({ maxWaiting: 1 }))
      yield* topic.publish(Uint8Array.of(1))
      const lent = Loan.lendCopy(Uint8Array.of(2))
      const waiting = yield* Effect.forkScoped(topic.publish(lent), { startImmediately: true })
      Loan.of(lent)!.release()
      valve.let(1)
      yield* Fiber.join(waiting)
      valve.let(1)
      assert.deepStrictEqual(valve.written, [Uint8Array.of(1), Uint8Array.of(2)])
      assert.strictEqual((yield* Effect.flip(topic.publish(lent))).reason._tag, "Unencodable")
    }))

  it.effect("what a member can't be sent fails the publisher, and the others are given it", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const picky = new Picky(9)
      yield* topic.join(yield* connect(picky))
      const other = yield* member(topic, undefined, 9)
      const failure = yield* Effect.flip(topic.publish("bad"))
      assert.strictEqual(failure.layer, "valve")
      yield* topic.publish("good")
      assert.deepStrictEqual(other.valve.written, ["bad", "good"])
      assert.deepStrictEqual(picky.written, ["good"])
    }))
})

describe("policies", () => {
  it.effect("close: as overloaded, and at once", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const slow = yield* member(topic, Policy.close({ maxWaiting: 2 }))
      yield* publishAll(topic, ["a", "b"])
      assert.strictEqual(slow.valve.why, undefined)
      yield* topic.publish("c")
      assert.strictEqual(slow.valve.why, "overloaded")
      assert.strictEqual(topic.counts.overloaded, 1)
      assert.strictEqual(topic.size, 0)
      assert.strictEqual(topic.budget.used, 0)
      const outcome = yield* slow.connection.closed
      assert.deepStrictEqual([outcome.first, outcome.unsent], ["local", { messages: 3, bytes: 3 }])
    }))

  it.effect("dropOldest: the gap is exact, and in the place of what is missing", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const { membership, valve } = yield* member(topic, Policy.dropOldest({ maxWaiting: 3, gap }), 1)
      yield* publishAll(topic, numbers(1, 10))
      assert.deepStrictEqual(membership.waiting, { messages: 3, bytes: 4, dropped: 6, superseded: 0 })
      valve.let(2)
      yield* publishAll(topic, numbers(11, 13))
      valve.let(9)
      assert.deepStrictEqual(valve.written, ["1", "gap 6", "8", "gap 2", "11", "12", "13"])
      assert.strictEqual(membership.waiting.dropped, 8)
    }))

  it.effect("dropOldest: bytes are bounded too, and one message may be larger", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const { valve } = yield* member(topic, Policy.dropOldest({ maxBytes: 10, gap }))
      yield* publishAll(topic, ["123456", "1234", "5", "x".repeat(100)])
      valve.let(9)
      assert.deepStrictEqual(valve.written, ["gap 3", "x".repeat(100)])
    }))

  it.effect("dropOldest: a gap that is not to be told is counted", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const { membership, valve } = yield* member(
        topic,
        Policy.dropOldest<string>({ maxWaiting: 1, gap: () => undefined })
      )
      yield* publishAll(topic, ["a", "b"])
      valve.let(9)
      assert.deepStrictEqual(valve.written, ["b"])
      assert.strictEqual(membership.waiting.dropped, 1)
    }))

  it.effect("keepLatest: each key keeps its place, with its latest message", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const policy = Policy.keepLatest((message: string) => message[0], { maxWaiting: 3 })
      const { membership, valve } = yield* member(topic, policy, 1)
      yield* publishAll(topic, ["a0", "a1", "b1", "a2", "c1", "a3", "b2"])
      assert.deepStrictEqual(membership.waiting, { messages: 3, bytes: 6, dropped: 0, superseded: 3 })
      valve.let(2)
      yield* topic.publish("a4")
      valve.let(9)
      assert.deepStrictEqual(valve.written, ["a0", "a3", "b2", "c1", "a4"])
      yield* publishAll(topic, ["a5", "b3", "c2", "d1"])
      assert.strictEqual(valve.why, undefined)
    }))

  it.effect("keepLatest: more keys than may wait close", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const slow = yield* member(topic, Policy.keepLatest((message: string) => message[0], { maxWaiting: 2 }))
      yield* publishAll(topic, ["a", "b", "a", "c"])
      assert.strictEqual(slow.valve.why, "overloaded")
    }))

  it.effect("suspend: publishers wait in their order, and go on with room", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const slow = yield* member(topic, Policy.suspend({ maxWaiting: 2 }))
      const quick = yield* member(topic, undefined, Infinity)
      yield* publishAll(topic, ["a", "b"])
      const third = yield* Effect.forkScoped(topic.publish("c"))
      const fourth = yield* Effect.forkScoped(topic.publish("d"))
      yield* turns
      assert.deepStrictEqual(quick.valve.written, ["a", "b"])
      slow.valve.let(1)
      yield* Fiber.join(third)
      assert.deepStrictEqual(quick.valve.written, ["a", "b", "c"])
      yield* TestClock.adjust("4 seconds")
      assert.isUndefined(fourth.pollUnsafe())
      slow.valve.let(9)
      yield* Fiber.join(fourth)
      assert.deepStrictEqual(slow.valve.written, ["a", "b", "c", "d"])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(slow.valve.why, undefined)
    }))

  it.effect("suspend: who holds up a publisher for too long is closed", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const slow = yield* member(topic, Policy.suspend({ maxWaiting: 1, within: "2 seconds" }))
      const quick = yield* member(topic, undefined, Infinity)
      yield* topic.publish("a")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(slow.valve.why, undefined)
      const waiting = yield* Effect.forkScoped(topic.publish("b"))
      yield* TestClock.adjust("1999 millis")
      assert.deepStrictEqual(quick.valve.written, ["a"])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(waiting)
      assert.strictEqual(slow.valve.why, "overloaded")
      assert.deepStrictEqual(quick.valve.written, ["a", "b"])
    }))

  it.effect("suspend: a publisher that is interrupted has published nothing, and lets the next one", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const slow = yield* member(topic, Policy.suspend({ maxWaiting: 1 }))
      yield* topic.publish("a")
      const interrupted = yield* Effect.forkScoped(topic.publish("b"))
      const next = yield* Effect.forkScoped(topic.publish("c"))
      yield* turns
      yield* Fiber.interrupt(interrupted)
      slow.valve.let(9)
      yield* Fiber.join(next)
      assert.deepStrictEqual(slow.valve.written, ["a", "c"])
    }))

  it.effect("dropOldest: who can't be told of the gap is closed", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const valve = new Picky(0)
      yield* topic.join(yield* connect(valve), Policy.dropOldest({ maxWaiting: 1, gap: () => "bad" }))
      yield* publishAll(topic, ["a", "b"])
      valve.let(9)
      assert.deepStrictEqual(valve.written, [])
      assert.strictEqual(valve.why, "overloaded")
      assert.strictEqual(topic.counts.overloaded, 1)
    }))

  it.effect("dropOldest: nor is one that can't be made passed over", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const none = () => {
        throw new Error("no gap")
      }
      const { connection, valve } = yield* member(topic, Policy.dropOldest<string>({ maxWaiting: 1, gap: none }))
      yield* publishAll(topic, ["a", "b"])
      valve.let(9)
      assert.deepStrictEqual([valve.written, valve.why], [[], "overloaded"])
      // One that waits, and one that was dropped and not told.
      assert.deepStrictEqual((yield* connection.closed).unsent, { messages: 2, bytes: 1 })
    }))

  it.effect("what waited and turns out to be unsendable is told to the receiver, or in the outcome", () =>
    Effect.gen(function*() {
      const unsendable = Effect.fnUntraced(function*(policy: Policy.Policy<string>) {
        const topic = Topic.make<string>()
        const valve = new Picky(0)
        const connection = yield* connect(valve)
        yield* topic.join(connection, policy)
        yield* publishAll(topic, ["a", "bad", "c"])
        valve.let(9)
        yield* connection.abort
        assert.strictEqual(topic.counts.dropped, 1)
        return [valve.written, (yield* connection.closed).unsent]
      })
      assert.deepStrictEqual(yield* unsendable(Policy.close()), [["a", "c"], { messages: 1, bytes: 3 }])
      assert.deepStrictEqual(yield* unsendable(Policy.dropOldest({ gap })), [["a", "gap 1", "c"], {
        messages: 0,
        bytes: 0
      }])
    }))

  it.effect("suspend: whom nobody waits for any more has all the time", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const { valve } = yield* member(topic, Policy.suspend({ maxWaiting: 1 }))
      yield* topic.publish("a")
      const waiting = yield* Effect.forkScoped(topic.publish("b"), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(valve.why)
    }))

  it("a gap is a message of the topic", () => {
    const topic = Topic.make<string>()
    const join = (connection: Connection.Connection<never, string>) =>
      // @ts-expect-error a number is none
      topic.join(connection, Policy.dropOldest({ gap: (count: number) => count }))
    assert.isFunction(join)
  })

  it("bounds that admit nothing are refused", () => {
    assert.throws(() => Policy.close({ maxWaiting: 0 }), RangeError)
    assert.throws(() => Policy.dropOldest({ maxBytes: Number.NaN, gap }), RangeError)
    assert.throws(() => Budget.make({ maxBytes: 0 }), RangeError)
    for (const within of [0, -1, Number.NaN]) assert.throws(() => Policy.suspend({ within }), RangeError)
  })

  it.effect("what is received and the gaps are what was published, however the room comes", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 60; seed++) {
        const next = random(seed)
        const below = (limit: number) => Math.floor(next() * limit)
        const topic = Topic.make<string>({ budget: Budget.make({ maxBytes: 200 + below(2_000) }) })
        const members = yield* Effect.forEach(
          numbers(1, 1 + below(5)),
          () => member(topic, Policy.dropOldest({ maxWaiting: 1 + below(8), maxBytes: 1 + below(40), gap }), below(3))
        )
        const total = 1 + below(60)
        for (const message of numbers(1, total)) {
          yield* topic.publish(message)
          if (below(3) === 0) members[below(members.length)].valve.let(1 + below(6))
        }
        for (const { membership, valve } of members) {
          valve.let(1_000)
          let due = 1
          for (const message of valve.written) {
            if (message.startsWith("gap ")) due += Number(message.slice(4))
            else assert.strictEqual(message, String(due++), `seed ${seed}`)
          }
          assert.strictEqual(due, total + 1, `seed ${seed}`)
          const received = valve.written.filter((message) => !message.startsWith("gap ")).length
          assert.strictEqual(membership.waiting.dropped, total - received, `seed ${seed}`)
        }
        assert.strictEqual(topic.budget.used, 0, `seed ${seed}`)
      }
    }))
})

describe("a budget", () => {
  it.effect("has those with the most waiting give up theirs first, and tells them", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ maxBytes: 1_000 })
      const [one, two] = [Topic.make<string>({ budget }), Topic.make<string>({ budget })]
      const large = yield* member(one, Policy.dropOldest({ gap }))
      const small = yield* member(two, Policy.close())
      yield* two.publish("s")
      yield* publishAll(one, Array.from({ length: 6 }, () => "x".repeat(100)))
      assert.strictEqual(budget.used, 65)
      assert.deepStrictEqual(large.membership.waiting, { messages: 0, bytes: 0, dropped: 6, superseded: 0 })
      assert.isTrue(budget.highest <= 1_000 + 164)
      yield* one.publish("after")
      large.valve.let(9)
      small.valve.let(9)
      assert.deepStrictEqual(large.valve.written, ["gap 6", "after"])
      assert.deepStrictEqual(small.valve.written, ["s"])
      assert.strictEqual(budget.used, 0)
    }))

  it.effect("takes many small messages for what they cost", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ maxBytes: 4_000 })
      const [one, two] = [Topic.make<string>({ budget }), Topic.make<string>({ budget })]
      const many = yield* member(one, Policy.dropOldest({ gap }))
      const few = yield* member(two)
      yield* two.publish("x".repeat(200))
      yield* publishAll(one, numbers(1, 70))
      assert.isAbove(many.membership.waiting.dropped, 0)
      assert.isUndefined(few.valve.why)
    }))

  it.effect("closes those that may not drop, and counts a message once however many wait for it", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ maxBytes: 3_000 })
      const topic = Topic.make<string>({ budget })
      const members = yield* Effect.forEach(numbers(1, 10), () => member(topic))
      yield* topic.publish("x".repeat(2_000))
      assert.strictEqual(budget.used, 2_000 + 10 * 64)
      yield* topic.publish("y".repeat(1_000))
      assert.isTrue(budget.used <= 3_000)
      assert.isTrue(members.every(({ valve }) => valve.why === "overloaded"))
    }))

  it.effect("has publishers wait for those that suspend, while it is exceeded", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>({ budget: Budget.make({ maxBytes: 100 }) })
      const { valve } = yield* member(topic, Policy.suspend())
      yield* topic.publish("x".repeat(100))
      const waiting = yield* Effect.forkScoped(topic.publish("y"))
      yield* turns
      valve.let(1)
      yield* Fiber.join(waiting)
      assert.strictEqual(valve.why, undefined)
      valve.let(1)
      assert.strictEqual(valve.written.length, 2)
    }))

  it.effect("that has room again has those publish who wait for it, wherever the room came from", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ maxBytes: 1_000 })
      const [one, two] = [Topic.make<string>({ budget }), Topic.make<string>({ budget })]
      const small = yield* member(one, Policy.suspend())
      const large = yield* member(two, Policy.suspend())
      yield* one.publish("a")
      yield* two.publish("x".repeat(1_000))
      yield* one.publish("b")
      const waiting = yield* Effect.forkScoped(one.publish("c"), { startImmediately: true })
      yield* turns
      assert.isUndefined(waiting.pollUnsafe())
      large.valve.let(1)
      yield* Fiber.join(waiting)
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(small.valve.why)
      small.valve.let(9)
      assert.deepStrictEqual(small.valve.written, ["a", "b", "c"])
    }))

  it.effect("counts all that was made of a message, for whomever", () =>
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      for (const room of [0, 0, 9]) {
        const codec = Codec.make({ format: "long", parse: (text) => text, print: () => "x".repeat(1_000) })
        const below: Connection.Connection<Message, Message> = yield* connect(new Valve<Message>(room))
        const machine = codec.machine(Schema.Never, Schema.String)()
        yield* topic.join(yield* Connection.fuse(below, machine, { layer: "codec" }))
      }
      yield* topic.publish("v")
      assert.strictEqual(topic.budget.used, 3_001 + 2 * 64)
    }))

  it.effect("that is used up by those who suspend costs the others no more", () =>
    Effect.gen(function*() {
      class Looked extends Budget.Budget {
        looked = 0
        override claim(claim: Budget.Claim): void {
          this.looked++
          super.claim(claim)
        }
      }
      const budget = new Looked(1_000)
      const topic = Topic.make<string>({ budget })
      yield* Effect.forEach(numbers(1, 20), () => member(topic, Policy.suspend()), { discard: true })
      yield* topic.publish("x")
      assert.isTrue(budget.exceeded)
      assert.strictEqual(budget.looked, 0)
    }))

  it.effect("holds for 1,000 members that read nothing, and one that reads is served", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ maxBytes: 1_048_576 })
      const topic = Topic.make<Uint8Array>({ budget })
      const silence = Policy.dropOldest<Uint8Array>({ gap: () => undefined })
      yield* Effect.forEach(numbers(1, 1_000), () => member(topic, silence), { discard: true })
      const reader = new Forgetful(Infinity)
      yield* topic.join(yield* connect(reader))
      const before = held()
      let most = 0
      for (let at = 0; at < 200; at++) {
        yield* topic.publish(new Uint8Array(65_536))
        most = Math.max(most, budget.used)
      }
      assert.strictEqual(reader.received, 200)
      assert.isTrue(held() - before <= budget.used)
      assert.isTrue(most > 500_000 && most <= 1_048_576)
      assert.isTrue(budget.highest <= 1_048_576 + 65_536 + 64)
      assert.isTrue(topic.counts.dropped > 190_000)
    }))
})
