/** A client of MQTT: what is published is acknowledged, what is subscribed to is a Stream. */
import { detail } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Inputs } from "@wirestack/protocol/Endpoint"
import * as Transport from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { IPublishPacket, Packet, QoS } from "mqtt-packet"
import { Answers } from "../kit/Answers.ts"
import { Feed } from "../kit/Feed.ts"
import { reading } from "../kit/reading.ts"
import { Subscribers } from "../kit/Subscribers.ts"
import { Identifiers } from "./Identifiers.ts"
import { MqttInfo, Packets } from "./Mqtt.ts"
import { NotPermitted } from "./MqttRefused.ts"
import { matches } from "./topics.ts"

const layer = "mqtt"

export interface PublishOptions extends Partial<Pick<IPublishPacket, "retain" | "properties">> {
  /** How often it arrives: at most once (0, the default), at least once (1), exactly once (2). */
  readonly qos?: QoS
}

const bytes = (payload: string | Uint8Array): Buffer =>
  typeof payload === "string" ? Buffer.from(payload) : Buffer.from(payload.buffer, payload.byteOffset, payload.length)

/** A code from 0x80 on says no. */
const codeOf = (packet: Packet): number => "reasonCode" in packet ? packet.reasonCode ?? 0 : 0

/**
 * Connects. The scope owns the client: when it closes in order, the server is told. Packets are acknowledged once they are given to
 * those who subscribed.
 */
export const make = Effect.fnUntraced(function*(endpoint: Inputs, options?: Transport.ConnectOptions) {
  const connection = yield* Transport.connect(Packets)<MqttInfo>(endpoint, options)
  const window = yield* Semaphore.make(detail(connection, MqttInfo).maxInFlight)
  const inFlight = new Identifiers(layer)
  const answers = new Answers<number, Packet>()
  const subscribers = new Subscribers<IPublishPacket>()
  /** Of messages that come exactly once, those that are not yet released. */
  const delivered = new Set<number>()

  /** Tells whether the answer is one to something in flight. */
  const settle = (packet: Packet): boolean => {
    const id = packet.messageId!
    answers.settle(id, Effect.succeed(packet))
    return inFlight.free(id)
  }

  /** Sends what will be answered; its identifier stays in use until it is, whoever loses interest. */
  const ask = (make: (messageId: number) => Packet, sent: () => void = () => {}) =>
    Effect.flatMap(inFlight.take, (id) => {
      const sending = Effect.tapError(connection.send(make(id)), () => Effect.sync(() => inFlight.free(id)))
      return answers.to(id, Effect.andThen(sending, Effect.sync(sent)))
    })

  const acknowledge = (message: IPublishPacket): Effect.Effect<void, ConnectionError> => {
    const messageId = message.messageId!
    if (message.qos < 2 || !delivered.has(messageId)) {
      subscribers.give((filter) => matches(filter, message.topic), message, message.length ?? 0)
    }
    if (message.qos === 0) return Effect.void
    if (message.qos === 1) return connection.send({ cmd: "puback", messageId })
    delivered.add(messageId)
    return connection.send({ cmd: "pubrec", messageId })
  }

  /** Does what sends a message that has to be acknowledged, which makes room for another one. */
  const inWindow = <A, E>(publish: (sent: () => void) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.uninterruptibleMask((restore) => {
      let isOut = false
      const publishing = publish(() => (isOut = true))
      return Effect.andThen(
        restore(window.take(1)),
        Effect.onExit(restore(publishing), () => isOut ? Effect.void : window.release(1))
      )
    })

  const published = (packet: Packet) => Effect.suspend(() => settle(packet) ? window.release(1) : Effect.void)

  const handle = (packet: Packet): Effect.Effect<unknown, ConnectionError> => {
    switch (packet.cmd) {
      case "publish":
        return acknowledge(packet)
      case "pubrel":
        delivered.delete(packet.messageId!)
        return connection.send({ cmd: "pubcomp", messageId: packet.messageId! })
      case "pubrec":
        return codeOf(packet) >= 0x80
          ? published(packet)
          : connection.send({ cmd: "pubrel", messageId: packet.messageId! })
      case "puback":
      case "pubcomp":
        return published(packet)
      case "suback":
      case "unsuback":
        return Effect.sync(() => settle(packet))
      default:
        return Effect.void
    }
  }

  yield* reading(layer, connection, handle, (error) => {
    answers.fail(error)
    subscribers.fail(error)
    // Who waits for room is to find out as well.
    return window.release(Number.MAX_SAFE_INTEGER)
  })

  /** Publishes; succeeds when the server has taken it as `qos` says. At most as many are on their way as the server wants. */
  const publish = Effect.fnUntraced(
    function*(topic: string, payload: string | Uint8Array, options: PublishOptions = {}) {
      const { qos = 0, retain = false, ...rest } = options
      const packet = { cmd: "publish", dup: false, topic, payload: bytes(payload), qos, retain, ...rest } as const
      if (qos === 0) return yield* connection.send(packet)
      const answer = yield* inWindow((sent) => ask((messageId) => ({ ...packet, messageId }), sent))
      const code = codeOf(answer)
      if (code >= 0x80) return yield* new NotPermitted({ what: "publish", topic, code })
    }
  )

  const leave = (filter: string, feed: Feed<IPublishPacket>) =>
    Effect.suspend(() =>
      subscribers.remove(filter, feed)
        ? Effect.ignore(ask((messageId) => ({ cmd: "unsubscribe", messageId, unsubscriptions: [filter] })))
        : Effect.void
    )

  /** Subscribes for as long as the scope is open. Who falls behind by more than `maxWaiting` bytes is told so with an error. */
  const subscribe = Effect.fnUntraced(function*(filter: string, qos: QoS = 0, maxWaiting?: number) {
    const feed = yield* Feed.make<IPublishPacket>(layer, maxWaiting)
    subscribers.add(filter, feed)
    yield* Effect.addFinalizer(() => leave(filter, feed))
    const answer = yield* ask((messageId) => ({ cmd: "subscribe", messageId, subscriptions: [{ topic: filter, qos }] }))
    const [code] = (answer as Extract<Packet, { cmd: "suback" }>).granted as ReadonlyArray<number>
    if (code >= 0x80) return yield* new NotPermitted({ what: "subscribe", topic: filter, code })
    return feed.stream
  })

  return { publish, subscribe, connection }
})
