/** Messages as Streams, over memory: both ends in parts, or the other one with frames by hand. */
import { assert, describe, it } from "@effect/vitest"
import { MemoryTransport, Transport } from "@wirestack/protocol"
import { type Connection, detail } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Truncated } from "@wirestack/protocol/Reason"
import { WebSocket } from "@wirestack/websocket"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, type Scope, Stream } from "effect"
import { Opcode } from "../src/frames/Opcode.ts"
import type { Frame } from "../src/machines/FrameMachine.ts"
import type { OutgoingPart, Part } from "../src/machines/StreamedMachine.ts"
import * as StreamedMessage from "../src/StreamedMessage.ts"
import { concat, text as textOf, utf8 } from "./support.ts"

const { Binary, Close, Continuation, Text } = Opcode

type ByHand = Connection<Frame, Frame, WebSocket.WebSocket>
type Message = string | Uint8Array

/** A program with both ends of a connection, whose client is the first. */
const between = <C, S, CO, SO, A, E>(
  client: Transport.Shape<any, C, CO>,
  server: Transport.Shape<any, S, SO>,
  program: (
    client: Connection<C, CO, WebSocket.WebSocket>,
    server: Connection<S, SO, WebSocket.WebSocket>
  ) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, unknown> =>
  Effect.gen(function*() {
    const network = Layer.succeedContext(yield* Layer.build(MemoryTransport.layer()))
    const stacks = Layer.mergeAll(
      WebSocket.streamed.over({ server: { heartbeat: "off" }, client: { heartbeat: "off" } })(network),
      WebSocket.raw.over({ server: { heartbeat: "off" }, client: { heartbeat: "off" } })(network)
    )
    const run = Effect.gen(function*() {
      const listener = yield* (Transport.listen(server) as any)("memory:here", {
        closeWithin: "1 second"
      }) as Effect.Effect<any>
      const accepted = yield* Deferred.make<Connection<S, SO, WebSocket.WebSocket>>()
      yield* Effect.forkScoped(
        listener.run(
          (connection: Connection<S, SO, WebSocket.WebSocket>) =>
            Effect.andThen(Deferred.succeed(accepted, connection), connection.closed),
          { onIncident: () => Effect.void }
        ) as Effect.Effect<void>
      )
      const connection = yield* (Transport.connect(client) as any)("memory:here", {
        closeWithin: "1 second"
      }) as Effect.Effect<any>
      return yield* program(connection, yield* Deferred.await(accepted))
    })
    return yield* Effect.provide(run as Effect.Effect<A, E, Scope.Scope>, stacks as Layer.Layer<never>)
  }).pipe(Effect.scoped, Effect.timeout("10 seconds"))

const pair = <A, E>(
  program: (client: StreamedMessage.Streaming, server: StreamedMessage.Streaming) => Effect.Effect<A, E, Scope.Scope>
) => between<Part, Part, OutgoingPart, OutgoingPart, A, E>(WebSocket.Parts, WebSocket.Parts, program)

/** The client sends frames by hand. */
const byHand = <A, E>(
  program: (client: ByHand, server: StreamedMessage.Streaming) => Effect.Effect<A, E, Scope.Scope>
) => between<Frame, Part, Frame, OutgoingPart, A, E>(WebSocket.Frames, WebSocket.Parts, program)

const frame = (opcode: Opcode, payload: string, fin = true): Frame => ({ opcode, fin, payload: utf8(payload) })
const closeFrame = (code: number): Frame => ({
  opcode: Close,
  fin: true,
  payload: Uint8Array.of(code >> 8, code & 255)
})

const text = <E, R>(data: Stream.Stream<string, E, R>): StreamedMessage.Outgoing<E, R> => ({ type: "text", data })
const binary = <E, R>(data: Stream.Stream<Uint8Array, E, R>): StreamedMessage.Outgoing<E, R> => ({
  type: "binary",
  data
})

/** All of a message. */
const whole = (message: StreamedMessage.StreamedMessage): Effect.Effect<Message, ConnectionError> =>
  message.type === "text"
    ? Effect.map(Stream.runCollect(message.data), (parts) => parts.join(""))
    : Effect.map(Stream.runCollect(message.data), (parts) => concat(...parts))

const received = (connection: StreamedMessage.Streaming, count: number) =>
  Stream.runCollect(Stream.take(Stream.mapEffect(StreamedMessage.messages(connection), whole), count))

const reasonOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Cause.squash(exit.cause) as { readonly reason?: { readonly _tag: string } }
  return error.reason?._tag ?? String(error)
}

describe("messages", () => {
  it.live("gives text and binary messages, one after the other, and ends with the connection", () =>
    byHand((client, server) =>
      Effect.gen(function*() {
        yield* client.sendAll([
          frame(Text, "Grü", false),
          frame(Continuation, "ße"),
          frame(Binary, "x"),
          frame(Text, ""),
          frame(Text, "", false),
          frame(Continuation, "", false),
          frame(Continuation, "y"),
          closeFrame(1000)
        ])
        const all = yield* Stream.runCollect(Stream.mapEffect(StreamedMessage.messages(server), whole))
        assert.deepStrictEqual(all, ["Grüße", utf8("x"), "", "y"])
      })
    ))

  it.live("skips what was not read of a message when the next is taken", () =>
    byHand((client, server) =>
      Effect.gen(function*() {
        const sending = yield* Effect.forkChild(Effect.gen(function*() {
          for (let n = 0; n < 5; n++) {
            yield* client.send(frame(Text, `${n}`, false))
            for (let i = 0; i < 20; i++) yield* client.send(frame(Continuation, "x".repeat(40_000), false))
            yield* client.send(frame(Continuation, "!"))
          }
          yield* client.send(closeFrame(1000))
        }))
        const heads = yield* Stream.runCollect(
          Stream.mapEffect(StreamedMessage.messages(server), ({ data }) =>
            Stream.runCollect(Stream.take(data as Stream.Stream<string, ConnectionError>, 1)))
        )
        assert.deepStrictEqual(
          heads.map(([head]) =>
            head[0]
          ),
          ["0", "1", "2", "3", "4"]
        )
        yield* Fiber.join(sending)
      })
    ))

  it.live("skips whole messages", () =>
    byHand((client, server) =>
      Effect.gen(function*() {
        yield* client.sendAll([frame(Text, "a", false), frame(Continuation, "b"), frame(Binary, "c"), closeFrame(1000)])
        const types = yield* Stream.runCollect(Stream.map(StreamedMessage.messages(server), ({ type }) => type))
        assert.deepStrictEqual(types, ["text", "binary"])
      })
    ))

  it.live("goes on behind the message an earlier run has stopped at, whatever came with it", () =>
    byHand((client, server) =>
      Effect.gen(function*() {
        yield* client.sendAll([frame(Text, "a", false), frame(Continuation, "b"), frame(Text, "c"), frame(Text, "d")])
        yield* Effect.sleep("2 millis")
        const first = Stream.take(StreamedMessage.messages(server), 1)
        for (const expected of ["ab", "c", "d"]) {
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.mapEffect(first, whole)), [expected])
        }
      })
    ))

  it.live("reading the data of a message behind the next one is a defect", () =>
    byHand((client, server) =>
      Effect.gen(function*() {
        yield* client.sendAll([frame(Text, "a", false), frame(Continuation, "b"), frame(Text, "c")])
        const [first, second] = yield* Stream.runCollect(Stream.take(StreamedMessage.messages(server), 2))
        const exit = yield* Effect.exit(whole(first))
        assert(Exit.isFailure(exit))
        assert.isTrue(Cause.hasDies(exit.cause))
        assert.include(String(Cause.squash(exit.cause)), "before the next message is taken")
        assert.strictEqual(yield* whole(second), "c")
      })
    ))

  it.live("the data of a message is there once, and takes nothing of the next", () =>
    byHand((client, server) =>
      Effect.gen(function*() {
        yield* client.sendAll([frame(Text, "a"), frame(Text, "b")])
        const [first] = yield* Stream.runCollect(Stream.take(StreamedMessage.messages(server), 1))
        assert.strictEqual(yield* whole(first), "a")
        assert.isTrue(Exit.hasDies(yield* Effect.exit(whole(first))))
        const [second] = yield* Stream.runCollect(Stream.take(StreamedMessage.messages(server), 1))
        assert.strictEqual(yield* whole(second), "b")
      })
    ))

  it.live("5.5.1: a message that the peer's Close cuts off fails, and does not just end", () =>
    byHand((client, server) =>
      Effect.gen(function*() {
        yield* client.sendAll([frame(Text, "whole"), frame(Text, "a", false), closeFrame(1001)])
        const seen: Array<string> = []
        const exit = yield* Effect.exit(
          Stream.runForEach(StreamedMessage.messages(server), ({ data }) =>
            Stream.runForEach(data as Stream.Stream<string, ConnectionError>, (part) =>
              Effect.sync(() =>
                seen.push(part)
              )))
        )
        assert.deepStrictEqual(seen, ["whole", "a"])
        assert(Exit.isFailure(exit))
        const error = Cause.squash(exit.cause) as ConnectionError
        assert.deepStrictEqual(error.reason, new Truncated({ inside: "a message" }))
        assert.strictEqual(error.layer, "websocket")
        const closed = yield* server.closed
        assert.strictEqual(closed.received?.code, 1001)
      })
    ))

  it.live("a message that is cut off fails with what broke the connection", () =>
    byHand((client, server) =>
      Effect.gen(function*() {
        yield* client.sendAll([frame(Text, "a", false), {
          opcode: Continuation,
          fin: true,
          payload: Uint8Array.of(0xff)
        }])
        const exit = yield* Effect.exit(received(server, 1))
        assert.strictEqual(reasonOf(exit), "Violation")
        const other = yield* Effect.exit(received(server, 1))
        assert.strictEqual(reasonOf(other), "Violation")
      })
    ))

  it.live("nothing is lost when reading is interrupted, anywhere", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        const count = 300
        const sent = Array.from({ length: count }, (_, n) => `${n}:${"é😀x".repeat(n % 50)};`)
        const sending = yield* Effect.forkChild(
          StreamedMessage.send(
            client,
            text(Stream.tap(Stream.rechunk(Stream.fromIterable(sent), 3), () => Effect.yieldNow))
          )
        )
        const [{ data }] = yield* Stream.runCollect(Stream.take(StreamedMessage.messages(server), 1))
        const pull = yield* Stream.toPull(data as Stream.Stream<string, ConnectionError>)
        let got = ""
        let interrupted = 0
        for (let n = 0;; n++) {
          const pulling = yield* Effect.forkChild(pull)
          for (let turns = n % 4; turns > 0; turns--) yield* Effect.yieldNow
          yield* Fiber.interrupt(pulling)
          const exit = yield* Fiber.await(pulling)
          if (Exit.isSuccess(exit)) got += exit.value.join("")
          else if (Cause.hasInterruptsOnly(exit.cause)) {
            interrupted++
            if (n % 8 === 0) yield* Effect.sleep("1 millis")
          } else break
        }
        yield* Fiber.join(sending)
        assert.isAbove(interrupted, 0)
        assert.strictEqual(got, sent.join(""))
      })
    ))

  it.live("a peer's pings are answered while a message is under way", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        const end = yield* Deferred.make<void>()
        const data = Stream.concat(Stream.succeed("a"), Stream.fromEffect(Effect.as(Deferred.await(end), "b")))
        const sending = yield* Effect.forkChild(StreamedMessage.send(client, text(data)))
        const reading = yield* Effect.forkChild(received(server, 1))
        yield* Effect.sleep("5 millis")
        for (const end of [client, server]) yield* Effect.timeout(detail(end, WebSocket.WebSocket).ping, "1 second")
        yield* Deferred.succeed(end, undefined)
        yield* Fiber.join(sending)
        assert.deepStrictEqual(yield* Fiber.join(reading), ["ab"])
      })
    ))
})

describe("send", () => {
  it.live("sends what a Stream gives as one message, in its parts", () =>
    between<Frame, Part, Frame, OutgoingPart, void, unknown>(
      WebSocket.Frames,
      WebSocket.Parts,
      (client, server) =>
        Effect.gen(function*() {
          yield* StreamedMessage.send(server, text(Stream.make("a", "é", "")))
          yield* StreamedMessage.send(server, binary(Stream.make(utf8("b"))))
          yield* StreamedMessage.send(server, text(Stream.empty))
          const frames: Array<Frame> = []
          while (frames.filter(({ fin }) => fin).length < 3) frames.push(...yield* client.pull)
          assert.deepStrictEqual(frames.map(({ fin, opcode, payload }) => [opcode, fin, textOf(payload)]), [
            [Text, false, "a"],
            [Continuation, false, "é"],
            [Continuation, true, ""],
            [Binary, false, "b"],
            [Continuation, true, ""],
            [Text, true, ""]
          ])
        })
    ))

  it.live("is read by the other end, both ways at once", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        const parts = Array.from({ length: 100 }, (_, n) => new Uint8Array(20_000 + n).fill(n))
        const send = (connection: StreamedMessage.Streaming) =>
          Effect.andThen(
            StreamedMessage.send(connection, binary(Stream.fromIterable(parts))),
            StreamedMessage.send(connection, text(Stream.fromIterable("x😀y")))
          )
        const [one, other] = yield* Effect.all([received(client, 2), received(server, 2), send(client), send(server)], {
          concurrency: "unbounded"
        })
        for (const all of [one, other]) {
          assert.isTrue(Buffer.from(all[0] as Uint8Array).equals(concat(...parts)))
          assert.strictEqual(all[1], "x😀y")
        }
      })
    ))

  it.live("5.4: the messages of several fibers follow one another", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        const slow = (name: string) =>
          text(Stream.mapEffect(Stream.range(1, 20), (n) =>
            Effect.as(n % 5 === 0 ? Effect.sleep("1 millis") : Effect.yieldNow, name)))
        const names = ["a", "b", "c", "d", "e"]
        const sending = yield* Effect.forkChild(
          Effect.forEach(names, (name) =>
            StreamedMessage.send(client, slow(name)), { concurrency: "unbounded" })
        )
        const all = yield* received(server, names.length)
        yield* Fiber.join(sending)
        assert.deepStrictEqual([...all].sort(), names.map((name) => name.repeat(20)))
      })
    ))

  it.live("who waits for a turn and is interrupted leaves nothing", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        const end = yield* Deferred.make<void>()
        const first = yield* Effect.forkChild(
          StreamedMessage.send(
            client,
            text(Stream.concat(Stream.succeed("a"), Stream.drain(Stream.fromEffect(Deferred.await(end)))))
          )
        )
        yield* Effect.sleep("2 millis")
        const second = yield* Effect.forkChild(StreamedMessage.send(client, text(Stream.succeed("never"))))
        yield* Effect.sleep("2 millis")
        yield* Fiber.interrupt(second)
        const third = yield* Effect.forkChild(StreamedMessage.send(client, text(Stream.succeed("c"))))
        yield* Deferred.succeed(end, undefined)
        yield* Fiber.join(first)
        yield* Fiber.join(third)
        assert.deepStrictEqual(yield* received(server, 2), ["a", "c"])
      })
    ))

  it.live("data that fails before a part was sent has done nothing", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(StreamedMessage.send(client, text(Stream.fail("no data" as const))))
        assert.strictEqual(error, "no data")
        const dead = yield* Effect.exit(StreamedMessage.send(client, text(Stream.die("a defect"))))
        assert.isTrue(Exit.isFailure(dead))
        const never = yield* Effect.forkChild(StreamedMessage.send(client, text(Stream.never)))
        yield* Effect.sleep("2 millis")
        yield* Fiber.interrupt(never)
        yield* StreamedMessage.send(client, binary(Stream.succeed(utf8("goes on"))))
        assert.deepStrictEqual(yield* received(server, 1), [utf8("goes on")])
      })
    ))

  it.live("7.4.1: data that fails behind a part closes the connection with 1011", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        const reading = yield* Effect.forkChild(Effect.exit(received(server, 1)))
        const data = Stream.concat(Stream.make("a", "b"), Stream.fail("no more" as const))
        const sending = yield* Effect.forkChild(Effect.exit(StreamedMessage.send(client, text(data))))
        const next = yield* Effect.forkChild(Effect.exit(StreamedMessage.send(client, text(Stream.succeed("c")))))
        const sent = yield* Fiber.join(sending)
        assert.strictEqual(Exit.isFailure(sent) ? Cause.squash(sent.cause) : undefined, "no more")
        assert.match(reasonOf(yield* Fiber.join(next)), /^Clos/)
        assert.strictEqual(reasonOf(yield* Fiber.join(reading)), "Truncated")
        const { received: status } = yield* server.closed
        assert.deepStrictEqual(status, { code: 1011, reason: "a message was not sent to its end" })
        assert.strictEqual((yield* client.closed).first, "local")
      })
    ))

  it.live("a defect or an interruption behind a part closes the connection too", () =>
    Effect.forEach(["a defect", "an interruption"], (how) =>
      pair((client, server) =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          // The next is asked for when the first was accepted.
          const next = Effect.andThen(
            Deferred.succeed(begun, undefined),
            how === "a defect" ? Effect.die(how) : Effect.never
          )
          const data = Stream.concat(Stream.succeed("a"), Stream.fromEffect(next))
          const sending = yield* Effect.forkChild(StreamedMessage.send(client, text(data)))
          const reading = yield* Effect.forkChild(Effect.exit(received(server, 1)))
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(sending)
          assert.strictEqual(reasonOf(yield* Fiber.join(reading)), "Truncated")
          assert.strictEqual((yield* server.closed).received?.code, 1011)
        })
      )))

  it.live("wherever it is interrupted, the peer has the whole message, nothing of it, or a broken connection", () =>
    Effect.gen(function*() {
      const seen = { whole: 0, nothing: 0, broken: 0 }
      for (let turns = 0; turns < 40; turns++) {
        yield* pair((client, server) =>
          Effect.gen(function*() {
            const data = Stream.tap(Stream.make("a", "b", "c"), () => turns % 2 === 0 ? Effect.yieldNow : Effect.void)
            const sending = yield* Effect.forkChild(StreamedMessage.send(client, text(data)))
            for (let turn = 0; turn < turns; turn += 2) yield* Effect.yieldNow
            yield* Fiber.interrupt(sending)
            const exit = yield* Fiber.await(sending)
            const after = yield* Effect.exit(StreamedMessage.send(client, text(Stream.succeed("after"))))
            const got = yield* Effect.exit(received(server, Exit.isSuccess(exit) ? 2 : 1))
            if (Exit.isSuccess(exit)) {
              seen.whole++
              assert.deepStrictEqual(Exit.isSuccess(got) ? got.value : undefined, ["abc", "after"])
            } else if (Exit.isSuccess(after)) {
              seen.nothing++
              assert.deepStrictEqual(Exit.isSuccess(got) ? got.value : undefined, ["after"])
            } else {
              seen.broken++
              assert.strictEqual(reasonOf(got), "Truncated")
              assert.strictEqual((yield* server.closed).received?.code, 1011)
            }
          })
        )
      }
      for (const how of Object.values(seen)) assert.isAbove(how, 0, JSON.stringify(seen))
    }))

  it.live("a peer that does not read suspends it, and the data with it", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        let made = 0
        const size = 16_384
        const data = Stream.map(Stream.rechunk(Stream.range(1, 1_000), 1), (n) => {
          made = n
          return new Uint8Array(size).fill(n)
        })
        const sending = yield* Effect.forkChild(StreamedMessage.send(client, binary(data)))
        for (let before = -1; before !== made;) {
          before = made
          yield* Effect.sleep("50 millis")
        }
        assert.isAbove(made, 0)
        assert.isBelow(made * size, 1_048_576)
        const waiting = yield* Effect.forkChild(StreamedMessage.send(client, text(Stream.succeed("behind it"))))
        const [all, behind] = yield* received(server, 2)
        assert.lengthOf(all, 1_000 * size)
        assert.strictEqual(behind, "behind it")
        yield* Fiber.join(sending)
        yield* Fiber.join(waiting)
      })
    ))

  it.live("an interruption while its first part waits for room has done nothing", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        let accepted = 0
        const one: OutgoingPart = { type: "binary", data: new Uint8Array(16_384), last: true }
        const flood = yield* Effect.forkChild(
          Effect.forever(Effect.andThen(client.send(one), Effect.sync(() => accepted++)))
        )
        yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(flood)
        const sending = yield* Effect.forkChild(StreamedMessage.send(client, text(Stream.succeed("never"))))
        yield* Effect.sleep("5 millis")
        assert.isUndefined(sending.pollUnsafe())
        yield* Fiber.interrupt(sending)
        const last = yield* Effect.forkChild(StreamedMessage.send(client, text(Stream.succeed("the last"))))
        const messages = yield* received(server, accepted + 1)
        assert.strictEqual(messages[accepted], "the last")
        yield* Fiber.join(last)
      })
    ))

  it.live("fails with what ends the connection, and does not hang", () =>
    pair((client, server) =>
      Effect.gen(function*() {
        const sending = yield* Effect.forkChild(
          Effect.exit(StreamedMessage.send(client, binary(Stream.forever(Stream.succeed(new Uint8Array(10_000))))))
        )
        const waiting = yield* Effect.forkChild(Effect.exit(StreamedMessage.send(client, text(Stream.succeed("x")))))
        yield* Effect.sleep("20 millis")
        yield* server.abort
        assert.notStrictEqual(reasonOf(yield* Fiber.join(sending)), "success")
        assert.notStrictEqual(reasonOf(yield* Fiber.join(waiting)), "success")
      })
    ))
})
