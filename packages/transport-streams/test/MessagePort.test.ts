import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import type { Connection as Live } from "@wirestack/protocol/Connection"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as DataTransferReport from "@wirestack/protocol/reports/DataTransferReport"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, reasonOf, until } from "@wirestack/test-support"
import { MessagePort, MessagePortInfo } from "@wirestack/transport-streams"
import { Deferred, Effect, Exit, Fiber, Layer, type Scope } from "effect"
import { MessageChannel, type MessagePort as Port, Worker } from "node:worker_threads"
import { live, network, ports } from "./support.ts"

const channel = () => {
  const { port1, port2 } = new MessageChannel()
  return [port1, port2] as const
}

describe("bytes through ports", () => {
  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: () => MessagePort.layer(network<MessagePort.PortLike>(channel)),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "a port carries no reason", abortIsSeen: true },
    resources: ports
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

/** The frames that come to the bare end of a channel. */
const bare = (port: Port) => {
  const frames: Array<ReadonlyArray<unknown>> = []
  port.on("message", (frame) => void frames.push(frame))
  return frames
}

const greeting = (shape: "bytes" | "messages", credit = 65_536) => ["wirestack/1", shape, credit]

/** A connection of messages, and the bare other end of its channel. */
const withBare = (options?: MessagePort.Options) =>
  Effect.gen(function*() {
    const { port1, port2 } = new MessageChannel()
    const frames = bare(port2)
    yield* Effect.addFinalizer(() => Effect.sync(() => port2.close()))
    const connection = yield* MessagePort.connectionMessages(port1, { closeWithin: "20 millis", ...options })
    return { connection, frames, peer: port2 }
  })

/** How a connection ends that is read to its end. */
const outcomeOf = (connection: Live<unknown, never>) =>
  Effect.andThen(Effect.exit(Effect.forever(connection.pull)), connection.closed)

describe("messages through ports", () => {
  live("keep their boundaries, and text stays text", () =>
    Effect.gen(function*() {
      const [near, far] = channel()
      const [left, right] = yield* Effect.all([
        MessagePort.connectionMessages(near),
        MessagePort.connectionMessages(far)
      ])
      const sent = ["", "é", new Uint8Array(0), pattern(300_000), "x".repeat(300_000)] as const
      const sending = yield* Effect.forkChild(left.sendAll(sent))
      const received: Array<Transport.Message> = []
      while (received.length < sent.length) received.push(...(yield* right.pull))
      yield* Fiber.join(sending)
      assert.deepStrictEqual(
        received,
        sent.map((message) => typeof message === "string" ? message : new Uint8Array(message))
      )
      assert.strictEqual(Connection.detail(left, MessagePortInfo).port, near)
      const all = { messages: 5, bytes: 600_001 }
      const none = { messages: 0, bytes: 0 }
      const [there, here] = yield* Effect.all([DataTransferReport.of(left), DataTransferReport.of(right)])
      assert.deepStrictEqual(there.layers, [{ layer: "message port", received: none, sent: all }])
      assert.deepStrictEqual(here.layers, [{ layer: "message port", received: all, sent: none }])
      yield* Effect.all([left.end, right.end])
    }))

  live("cost credit, which the peer grants", () =>
    Effect.gen(function*() {
      const { connection, frames, peer } = yield* withBare()
      const sending = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 8 }), () => connection.send(pattern(20_000)), { discard: true })
      )
      yield* until(() => frames.length > 0)
      assert.deepStrictEqual(frames, [greeting("messages", 262_144)])
      const count = () => frames.flatMap(([kind, batch]) => kind === "data" ? batch as Array<Uint8Array> : []).length
      peer.postMessage(greeting("messages", 30_000))
      yield* until(() => count() > 0)
      assert.strictEqual(count(), 2)
      peer.postMessage(["credit", 20_000])
      yield* until(() => count() > 2)
      assert.strictEqual(count(), 3)
      peer.postMessage(["credit", 200_000])
      yield* Fiber.join(sending)
    }))

  live("are granted credit as they are taken", () =>
    Effect.gen(function*() {
      const { connection, frames, peer } = yield* withBare()
      peer.postMessage(greeting("messages"))
      for (let n = 0; n < 5; n++) peer.postMessage(["data", [pattern(50_000)]])
      const granted = () =>
        frames.filter(([kind]) => kind === "credit").reduce((all, [, credit]) => all + Number(credit), 0)
      for (let length = 0; length < 2;) length += (yield* connection.pull).length
      assert.strictEqual(granted(), 0)
      for (let length = 2; length < 5;) length += (yield* connection.pull).length
      yield* until(() => granted() > 0)
      assert.strictEqual(granted(), 3 * 50_016)
    }))

  live("are bounded in size, on either side", () =>
    Effect.gen(function*() {
      const { connection, peer } = yield* withBare({ maxMessageSize: 100 })
      assert.strictEqual((yield* reasonOf(connection.send(pattern(101))))._tag, "TooLarge")
      yield* connection.send(pattern(100))
      peer.postMessage(greeting("messages"))
      peer.postMessage(["data", ["x".repeat(101)]])
      assert.strictEqual((yield* outcomeOf(connection)).error?.reason._tag, "TooLarge")
    }))

  live("that came before an abort are delivered before it is told", () =>
    Effect.gen(function*() {
      const { connection, peer } = yield* withBare()
      peer.postMessage(greeting("messages"))
      for (const message of ["x".repeat(70_000), "last words"]) peer.postMessage(["data", [message]])
      peer.postMessage(["abort"])
      yield* Effect.callback<void>((resume) => void peer.once("close", () => resume(Effect.void)))
      const received: Array<Transport.Message> = []
      const reading = Effect.forever(Effect.map(connection.pull, (batch) => received.push(...batch)))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(reading)))
      assert.deepStrictEqual(received.map(({ length }) => length), [70_000, 10])
    }))

  const broken: ReadonlyArray<readonly [string, ReadonlyArray<unknown>, string]> = [
    ["anything else", ["hello"], "Violation"],
    ["bytes", [greeting("bytes")], "Violation"],
    ["a greeting without credit", [greeting("messages", 0)], "Violation"],
    ["data before a greeting", [["data", ["x"]]], "Violation"],
    ["a second greeting", [greeting("messages"), greeting("messages")], "Violation"],
    ["what is no message", [greeting("messages"), ["data", [1]]], "Violation"],
    ["a credit of nothing", [greeting("messages"), ["credit", -1]], "Violation"],
    ["data after the end", [greeting("messages"), ["end"], ["data", ["x"]]], "Violation"],
    ["an abort", [greeting("messages"), ["abort"]], "Reset"],
    ["data without credit", [greeting("messages"), ["data", new Array(20_000).fill("")]], "Violation"],
    ["a hole", [greeting("messages"), ["data", new Array(1)]], "Violation"],
    ["a hole behind a message", [greeting("messages"), ["data", Object.assign(new Array(4e9), ["x"])]], "Violation"],
    ["no message in disguise", [greeting("messages"), ["data", Object.assign([1], { every: 1 })]], "Violation"],
    [
      "a view of what is not paid for",
      [greeting("messages"), ["data", [new Uint8Array(1_000).subarray(9)]]],
      "Violation"
    ],
    ["shared memory", [greeting("messages"), ["data", [new Uint8Array(new SharedArrayBuffer(10))]]], "Violation"]
  ]
  for (const [what, frames, tag] of broken) {
    live(`are over when what comes is ${what}`, () =>
      Effect.gen(function*() {
        const { connection, peer } = yield* withBare()
        for (const frame of frames) peer.postMessage(frame)
        const outcome = yield* outcomeOf(connection)
        assert.strictEqual(outcome.error?.reason._tag, tag)
        assert.strictEqual(outcome.error?.layer, "message port")
      }))
  }

  live("that wait for credit are told as unsent, each by its own weight", () =>
    Effect.gen(function*() {
      const { connection, frames, peer } = yield* withBare()
      peer.postMessage(greeting("messages", 10))
      yield* connection.sendAll(["away", "", "abc", pattern(10)])
      yield* until(() => frames.length > 1)
      yield* connection.abort
      const { unsent, undelivered } = yield* connection.closed
      assert.deepStrictEqual([unsent, undelivered], [{ messages: 3, bytes: 13 }, 0])
    }))

  live(
    "that came and were not taken are told as undelivered, also when the connection is cut",
    () =>
      Effect.gen(function*() {
        const { connection, peer } = yield* withBare()
        peer.postMessage(greeting("messages"))
        for (let n = 0; n < 3; n++) peer.postMessage(["data", [pattern(70_000)]])
        yield* Effect.sleep("20 millis")
        yield* connection.abort
        assert.strictEqual((yield* connection.closed).undelivered, 3)
      })
  )
})

describe("memory", () => {
  const taken = (options: MessagePort.Options, sent: Uint8Array) =>
    Effect.gen(function*() {
      const { connection, frames, peer } = yield* withBare(options)
      peer.postMessage(greeting("messages"))
      yield* connection.send(sent)
      yield* until(() => frames.some(([kind]) => kind === "data"))
      const [, [message]] = frames.find(([kind]) => kind === "data") as [string, [Uint8Array]]
      assert.deepStrictEqual([...message.subarray(0, 3)], [0, 7, 14])
      assert.strictEqual(message.buffer.byteLength, message.length)
    })

  live("is copied, and not what lies around it", () =>
    Effect.gen(function*() {
      const sent = new Uint8Array(pattern(100)).subarray(0, 50)
      yield* taken({}, sent)
      yield* taken({ transfer: true }, sent)
      assert.lengthOf(sent, 50)
    }))

  live("is transferred only if that is asked for", () =>
    Effect.gen(function*() {
      const sent = new Uint8Array(pattern(100))
      yield* taken({}, sent)
      assert.lengthOf(sent, 100)
      yield* taken({ transfer: true }, sent)
      assert.lengthOf(sent, 0)
    }))

  live("is gone with the send, and whoever gives it away twice is told", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* withBare({ transfer: true }), yield* withBare({ transfer: true })]
      const sent = new Uint8Array(pattern(100))
      yield* one.connection.send(sent)
      assert.lengthOf(sent, 0)
      assert.strictEqual((yield* reasonOf(other.connection.send(sent)))._tag, "Unencodable")
      assert.strictEqual((yield* reasonOf(one.connection.sendAll(["text", sent])))._tag, "Unencodable")
    }))

  live("that can't be given away is copied", () =>
    Effect.gen(function*() {
      const { Memory } = (globalThis as any).WebAssembly
      const sent = new Uint8Array(new Memory({ initial: 1 }).buffer)
      sent.set(pattern(3))
      yield* taken({ transfer: true }, sent)
      assert.lengthOf(sent, 65_536)
    }))
})

describe("connecting through a port", () => {
  const connect = Transport.connect(Transport.Bytes)

  const inWorker = <E>(program: (worker: Worker) => Effect.Effect<unknown, E, Scope.Scope>) =>
    Effect.flatMap(
      Effect.acquireRelease(
        Effect.sync(() =>
          new Worker(new URL("worker.ts", import.meta.url), { execArgv: ["--conditions=@wirestack/source"] })
        ),
        (worker) => Effect.promise(() => worker.terminate())
      ),
      program
    )

  live(
    "reaches a worker, with as many connections as are wanted, until it dies",
    () =>
      inWorker((worker) =>
        Effect.gen(function*() {
          const echo = (size: number) =>
            Effect.scoped(Effect.gen(function*() {
              const connection: Live<Uint8Array, Uint8Array> = yield* connect("memory:echo")
              const sent = pattern(size)
              const receiving = yield* Effect.forkChild(collect(connection))
              yield* connection.send(sent)
              yield* connection.end
              assert.isTrue(sent.equals(yield* Fiber.join(receiving)))
            }))
          yield* Effect.all([echo(10), echo(1_000_000)], { concurrency: 2 })
          const doomed = yield* connect("memory:crash")
          yield* doomed.send(pattern(1))
          assert.strictEqual((yield* reasonOf(collect(doomed))).message, "the connection was cut: the port was closed")
        }).pipe(Effect.provide(MessagePort.layer({ connect: MessagePort.dial(worker) })))
      )
  )

  live("gives up where nobody greets, and is refused where the port is closed", () =>
    Effect.gen(function*() {
      const [near, far] = channel()
      yield* Effect.addFinalizer(() => Effect.sync(() => near.close()))
      const mute = MessagePort.layer({ connect: MessagePort.dial(near) }, { connectWithin: "20 millis" })
      const reason = yield* reasonOf(Effect.provide(connect("memory:a"), mute))
      assert.strictEqual(reason.message, "greeting of memory:a took longer than 20 ms")
      far.close()
      const gone = MessagePort.layer({
        connect: () =>
          Effect.sync(() => {
            const [port, other] = channel()
            other.close()
            return port
          })
      })
      assert.strictEqual((yield* reasonOf(Effect.provide(connect("memory:a"), gone)))._tag, "Refused")
    }))

  live("tells what has failed while the listener was not run yet", () =>
    Effect.gen(function*() {
      const [near, far] = channel()
      const stack = MessagePort.layer({ listen: (_, accept) => Effect.sync(() => void accept(near)) })
      const listener = yield* Effect.provide(Transport.listen(Transport.Bytes)("memory:a"), stack)
      const over = Effect.callback<void>((resume) => void near.once("close", () => resume(Effect.void)))
      far.close()
      yield* over
      const reason = yield* Deferred.make<string>()
      yield* Effect.forkChild(
        listener.run((connection) =>
          Effect.flatMap(reasonOf(collect(connection)), ({ _tag }) => Deferred.succeed(reason, _tag))
        )
      )
      assert.strictEqual(yield* Deferred.await(reason), "Reset")
    }))

  live("delivers what came before a failure, though the listener was not run yet", () =>
    Effect.gen(function*() {
      const [near, far] = channel()
      const stack = MessagePort.layer({ listen: (_, accept) => Effect.sync(() => void accept(near)) })
      const listener = yield* Effect.provide(Transport.listen(Transport.Bytes)("memory:a"), stack)
      for (const frame of [greeting("bytes"), ["data", [new Uint8Array(10)]], ["abort"]]) far.postMessage(frame)
      far.close()
      yield* Effect.callback<void>((resume) => void near.once("close", () => resume(Effect.void)))
      const received: Array<Uint8Array> = []
      const outcome = yield* Deferred.make<Outcome>()
      yield* Effect.forkChild(
        listener.run((connection) =>
          Effect.forever(Effect.map(connection.pull, (batch) => received.push(...batch))).pipe(
            Effect.exit,
            Effect.andThen(connection.closed),
            Effect.flatMap((closed) => Deferred.succeed(outcome, closed))
          )
        )
      )
      assert.strictEqual((yield* Deferred.await(outcome)).error?.reason._tag, "Reset")
      assert.deepStrictEqual(received, [new Uint8Array(10)])
    }))

  live("takes nothing for a connection that brings no port", () =>
    Effect.gen(function*() {
      const [near, far] = channel()
      const stack = yield* Layer.build(
        Layer.merge(
          MessagePort.layer({ listen: MessagePort.answer(near) }),
          MessagePort.layerMessages({ connect: MessagePort.dial(far) })
        )
      )
      yield* Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Bytes)("memory:a")
        yield* Effect.forkScoped(listener.run((connection) => connection.closed, { onIncident: () => Effect.void }))
        for (const junk of [[], [5], [null]]) far.postMessage(["wirestack/connect", "memory:a", ...junk])
        const other = Transport.connect(Transport.Messages)("memory:a")
        assert.strictEqual((yield* reasonOf(other))._tag, "Violation")
      }).pipe(Effect.provideContext(stack))
      near.close()
    }))

  live("ends the listener with the port", () =>
    Effect.gen(function*() {
      const [near, far] = channel()
      const stack = MessagePort.layer({ listen: MessagePort.answer(near) })
      const listener = yield* Effect.provide(Transport.listen(Transport.Bytes)("memory:a"), stack)
      const running = yield* Effect.forkChild(Effect.exit(listener.run(() => Effect.void)))
      far.postMessage("none of ours")
      far.close()
      const exit = yield* Fiber.join(running)
      assert.isTrue(Exit.isFailure(exit))
    }))
})
