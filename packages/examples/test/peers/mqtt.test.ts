/** What mosquitto does not do: a server of a few lines says it, over the memory transport. */
import { assert, describe, it } from "@effect/vitest"
import { Connection, MemoryTransport, Transport } from "@wirestack/protocol"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { Effect, Fiber, Layer, Queue, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Packet } from "mqtt-packet"
import * as Mqtt from "../../src/mqtt.ts"

/** How a server answers a packet, if it does. */
type Answering = (packet: Packet) => Packet | undefined

const accepted: Packet = { cmd: "connack", reasonCode: 0, sessionPresent: false }

/** A server, and a client that has connected to it. */
const connected = (answering: Answering, options?: Mqtt.Options) =>
  Effect.gen(function*() {
    const network = Layer.succeedContext(yield* Layer.build(MemoryTransport.layer()))
    const received = yield* Queue.unbounded<Packet>()
    const outcomes = yield* Queue.unbounded<Outcome>()
    const peers = yield* Queue.unbounded<Connection.Connection<Packet, Packet>>()
    const listener = yield* Effect.provide(Transport.listen(Transport.Bytes)("memory:broker"), network)
    const serve = (lower: Connection.Connection<Uint8Array, Uint8Array>) =>
      Effect.gen(function*() {
        const peer = yield* Connection.fuse(lower, Mqtt.framer(5).machine(), { layer: "mqtt" })
        yield* Queue.offer(peers, peer)
        yield* Stream.runForEach(Connection.messages(peer), (packet) => {
          const answer = answering(packet)
          return Effect.andThen(Queue.offer(received, packet), answer === undefined ? Effect.void : peer.send(answer))
        })
        yield* Queue.offer(outcomes, yield* peer.closed)
      })
    yield* Effect.forkScoped(listener.run(serve, { onIncident: () => Effect.void }))
    const client = yield* Effect.provide(
      Mqtt.connect("memory:broker", { closeWithin: "300 millis" }),
      Mqtt.over(options)(network)
    )
    return { client, peer: yield* Queue.take(peers), received: Queue.take(received), outcome: Queue.take(outcomes) }
  })

const test = (name: string, program: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(name, () => Effect.scoped(program))

/** Accepts everything. */
const willing: Answering = (packet) => {
  const messageId = packet.messageId!
  switch (packet.cmd) {
    case "connect":
      return accepted
    case "subscribe":
      return { cmd: "suback", messageId, granted: [packet.subscriptions[0].topic === "closed" ? 0x87 : 2] }
    case "unsubscribe":
      return { cmd: "unsuback", messageId, granted: [0] }
    case "publish":
      return packet.qos === 0 ? undefined : { cmd: "puback", messageId, reasonCode: 0 }
    default:
      return undefined
  }
}

describe("a client of MQTT", () => {
  test(
    "is told which subscription it does not get, and goes on",
    Effect.gen(function*() {
      const { client } = yield* connected(willing)
      const error = yield* Effect.flip(Effect.scoped(client.subscribe("closed", 1)))
      assert.deepInclude(error, { _tag: "NotPermitted", topic: "closed", code: 0x87 })
      yield* Effect.asVoid(Effect.scoped(client.subscribe("open", 1)))
    })
  )

  test(
    "acknowledges what comes at least once",
    Effect.gen(function*() {
      const { client, peer, received } = yield* connected(willing)
      const messages = yield* client.subscribe("a", 1)
      yield* peer.send({ cmd: "publish", topic: "a", qos: 1, messageId: 7, retain: false, dup: false, payload: "one" })
      const seen = yield* Stream.runCollect(Stream.take(messages, 1))
      assert.deepStrictEqual(seen.map(({ payload }) => String(payload)), ["one"])
      const packets = yield* Effect.all(Array.from({ length: 3 }, () => received))
      assert.deepStrictEqual(packets.map(({ cmd }) => cmd), ["connect", "subscribe", "puback"])
      assert.strictEqual(packets[2].messageId, 7)
    })
  )

  test(
    "has no more on its way than the server takes, whoever is interrupted",
    Effect.gen(function*() {
      let silent = true
      const { client, received, peer } = yield* connected(
        (packet) =>
          packet.cmd === "connect"
            ? { ...accepted, properties: { receiveMaximum: 2 } }
            : silent
            ? undefined
            : willing(packet)
      )
      const publishing = yield* Effect.forEach(
        [1, 2, 3, 4],
        (n) => Effect.forkChild(client.publish("a", `${n}`, { qos: 1 }))
      )
      assert.strictEqual((yield* received).cmd, "connect")
      const [first, second] = [yield* received, yield* received]
      yield* Fiber.interrupt(publishing[0])
      yield* Fiber.interrupt(publishing[2])
      silent = false
      yield* peer.send({ cmd: "puback", messageId: first.messageId!, reasonCode: 0 })
      assert.strictEqual(String(((yield* received) as Extract<Packet, { cmd: "publish" }>).payload), "4")
      yield* Fiber.join(publishing[3])
      yield* peer.send({ cmd: "puback", messageId: second.messageId!, reasonCode: 0 })
      yield* Fiber.join(publishing[1])
      for (let n = 0; n < 5; n++) yield* client.publish("a", "", { qos: 1 })
    })
  )

  test(
    "tells all who publish that the connection is lost, those who wait for room, too",
    Effect.gen(function*() {
      const { client, peer, received } = yield* connected(
        (packet) => packet.cmd === "connect" ? { ...accepted, properties: { receiveMaximum: 1 } } : undefined
      )
      const publishing = yield* Effect.forEach(
        [1, 2, 3],
        (n) => Effect.forkChild(Effect.flip(client.publish("a", `${n}`, { qos: 1 })))
      )
      yield* Effect.andThen(received, received)
      yield* peer.send({ cmd: "puback", messageId: 99, reasonCode: 0 })
      yield* peer.abort
      for (const error of yield* Effect.forEach(publishing, Fiber.join)) {
        assert.propertyVal(error, "_tag", "ConnectionError")
      }
      assert.propertyVal(yield* Effect.flip(client.publish("a", "", { qos: 1 })), "_tag", "ConnectionError")
    })
  )

  test(
    "hears why the server closes, and says why itself",
    Effect.gen(function*() {
      const { client, peer } = yield* connected(willing)
      yield* peer.send({ cmd: "disconnect", reasonCode: 0x8b, properties: { reasonString: "good night" } })
      assert.deepInclude(yield* client.connection.closed, {
        first: "remote",
        received: { code: 0x8b, reason: "" }
      })
      const { outcome } = yield* Effect.scoped(connected(willing))
      assert.deepInclude(yield* outcome, { first: "remote", received: { code: 0, reason: "" } })
    })
  )

  test(
    "asks for a sign of life in time, and gives up who gives none",
    Effect.gen(function*() {
      let alive = true
      const { client, received } = yield* connected(
        (packet) => packet.cmd === "pingreq" && alive ? { cmd: "pingresp" } : willing(packet),
        { keepalive: 10 }
      )
      assert.strictEqual((yield* received).cmd, "connect")
      const messages = yield* client.subscribe("a")
      assert.strictEqual((yield* received).cmd, "subscribe")
      const reading = yield* Effect.forkChild(Effect.flip(Stream.runDrain(messages)))
      yield* TestClock.adjust("12 seconds")
      assert.strictEqual((yield* received).cmd, "pingreq")
      alive = false
      yield* TestClock.adjust("25 seconds")
      assert.strictEqual((yield* received).cmd, "pingreq")
      assert.deepInclude((yield* Fiber.join(reading)).reason, { _tag: "Unresponsive", pings: 2 })
    })
  )

  test(
    "keeps alive a connection on which only the server speaks, as often as the server says",
    Effect.gen(function*() {
      const { client, peer, received } = yield* connected((packet) =>
        packet.cmd === "connect" ? { ...accepted, properties: { serverKeepAlive: 8 } } : willing(packet)
      )
      const messages = yield* client.subscribe("a")
      yield* Effect.forkChild(Stream.runDrain(messages))
      for (let n = 0; n < 12; n++) {
        yield* peer.send({ cmd: "publish", topic: "a", qos: 0, retain: false, dup: false, payload: "x" })
        yield* TestClock.adjust("1 seconds")
      }
      const packets = yield* Effect.all([received, received, received])
      assert.deepStrictEqual(packets.map(({ cmd }) => cmd), ["connect", "subscribe", "pingreq"])
    })
  )

  test(
    "refuses what is no handshake",
    Effect.gen(function*() {
      const error = yield* Effect.flip(connected(() => ({ cmd: "pingresp" })))
      assert.propertyVal((error as { readonly reason: object }).reason, "_tag", "Violation")
    })
  )
})
