/** When a conversation is over, by the clock of the tests. */
import { assert, describe, it } from "@effect/vitest"
import { Connection, Lines, MemoryTransport, Transport } from "@wirestack/protocol"
import { Clock, Deferred, Duration, Effect, Fiber, Queue, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { converse, type Ending } from "../../src/internal/converse.ts"
import { type InputUnusable, type Operator, OutputClosed } from "../../src/internal/Operator.ts"
import type { Top } from "../../src/Stack.ts"

const plain: Ending = { count: undefined, linger: undefined, halfClose: true }

const text = (message: Transport.Message) => typeof message === "string" ? message : Buffer.from(message).toString()
const bytes = (text: string): Transport.Message => Buffer.from(text)

/** Both ends of a connection of bytes, and a conversation on one of them. */
const conversing = (
  input: Stream.Stream<Transport.Message, InputUnusable>,
  ending: Ending = plain,
  { isPerson = false, show }: Partial<Pick<Operator, "isPerson" | "show">> = {}
) =>
  Effect.gen(function*() {
    const accepted = yield* Deferred.make<Connection.Connection<Uint8Array, Uint8Array>>()
    const listener = yield* Transport.listen(Transport.Bytes)("memory:peer")
    yield* Effect.forkScoped(
      listener.run((connection) =>
        Effect.andThen(Deferred.succeed(accepted, connection), Effect.asVoid(connection.closed))
      )
    )
    const ours = yield* Transport.connect(Transport.Bytes)("memory:peer")
    const shown: Array<string> = []
    const operator: Operator = {
      isPerson,
      input,
      show: show ?? ((messages) => Effect.sync(() => void shown.push(...messages.map(text)))),
      note: () => Effect.void
    }
    const over = yield* Effect.forkScoped(
      Effect.andThen(converse(ours as unknown as Top, operator, ending), Clock.currentTimeMillis)
    )
    const peer = yield* Deferred.await(accepted)
    // No goodbye is waited for: nobody would move the clock.
    yield* Effect.addFinalizer(() => Effect.andThen(ours.abort, peer.abort))
    return { over, shown, peer }
  })

const test = (title: string, effect: Effect.Effect<void, unknown, Scope.Scope | Transport.ByteTransport<any>>) =>
  it.effect(title, () => Effect.provide(Effect.scoped(effect), MemoryTransport.layer()))

describe("a conversation is over", () => {
  test(
    "when the input and the peer have ended",
    Effect.gen(function*() {
      const { over, peer, shown } = yield* conversing(Stream.make(bytes("a"), bytes("b")))
      const sent = yield* Stream.runCollect(Connection.messages(peer))
      assert.strictEqual(sent.map(text).join(""), "ab")
      yield* TestClock.adjust("29 seconds")
      yield* peer.send(Buffer.from("answer"))
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(over.pollUnsafe())
      yield* peer.end
      assert.strictEqual(yield* Fiber.join(over), 58_000)
      assert.deepStrictEqual(shown, ["answer"])
    })
  )

  test(
    "when the peer is silent for long, behind the input",
    Effect.gen(function*() {
      const { over } = yield* conversing(Stream.empty)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(over), 30_000)
    })
  )

  test(
    "soon, where the peer can't tell its end",
    Effect.gen(function*() {
      const { over, peer } = yield* conversing(Stream.empty, { ...plain, halfClose: false })
      yield* TestClock.adjust("900 millis")
      yield* peer.send(Buffer.from("late"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(over), 1_900)
    })
  )

  test(
    "with as much silence as was asked for",
    Effect.gen(function*() {
      const { over } = yield* conversing(Stream.empty, { ...plain, linger: Duration.seconds(5) })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(over), 5_000)
    })
  )

  test(
    "with the last message that was counted",
    Effect.gen(function*() {
      const { over, peer, shown } = yield* conversing(Stream.never, { ...plain, count: 2 })
      for (const message of ["one", "two", "three"]) {
        yield* peer.send(Buffer.from(message))
        yield* TestClock.adjust(1)
      }
      yield* Fiber.join(over)
      assert.deepStrictEqual(shown, ["one", "two"])
    })
  )

  test(
    "when the peer has ended and all that was piped in is sent",
    Effect.gen(function*() {
      const input = yield* Queue.unbounded<Transport.Message>()
      const { over, peer } = yield* conversing(Stream.fromQueue(input))
      yield* peer.end
      for (let i = 0; i < 5; i++) {
        yield* TestClock.adjust("900 millis")
        yield* Queue.offer(input, bytes("more"))
      }
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(over), 5_500)
      const [sent] = yield* peer.pull
      assert.match(text(sent), /^(more)+$/)
    })
  )

  test(
    "for a person, when the peer has ended",
    Effect.gen(function*() {
      const { over, peer } = yield* conversing(Stream.never, plain, { isPerson: true })
      yield* peer.end
      assert.strictEqual(yield* Fiber.join(over), 0)
    })
  )

  test(
    "when nobody reads the output",
    Effect.gen(function*() {
      const { over, peer } = yield* conversing(Stream.never, plain, { show: () => Effect.fail(new OutputClosed()) })
      yield* peer.send(Buffer.from("x"))
      yield* Fiber.join(over)
    })
  )

  it.effect("and what a person pastes is sent but for what can't be", () =>
    Effect.gen(function*() {
      const stack = MemoryTransport.layer().pipe(Lines.over())
      const heard = Deferred.makeUnsafe<ReadonlyArray<Transport.Message>>()
      const notes: Array<string> = []
      yield* Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Messages)("memory:peer")
        yield* Effect.forkScoped(listener.run((peer) =>
          Effect.flatMap(
            Stream.runCollect(Stream.take(Connection.messages(peer), 2)),
            (messages) => Deferred.succeed(heard, messages)
          )
        ))
        const ours = yield* Transport.connect(Transport.Messages)("memory:peer")
        const operator: Operator = {
          isPerson: true,
          input: Stream.concat(Stream.make<Array<Transport.Message>>("one", "t\nwo", "three"), Stream.never),
          show: () => Effect.void,
          note: (text) => Effect.sync(() => void notes.push(text))
        }
        yield* Effect.forkScoped(converse(ours, operator, plain))
        assert.deepStrictEqual(yield* Deferred.await(heard), ["one", "three"])
        assert.strictEqual(notes.length, 1)
        yield* ours.abort
      }).pipe(Effect.scoped, Effect.provide(stack))
    }))
})
