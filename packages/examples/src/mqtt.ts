/**
 * MQTT 3.1.1 and 5 as a layer and a client, over whatever bytes there are. How a packet looks is known to `mqtt-packet`.
 *
 *     npm run example -- mqtt tcp://localhost:1883 subscribe weather/+
 *     npm run example -- mqtt wss://localhost:8884 publish weather/here sunny --qos 1 --ca ca.pem
 */
import { Dialogue, Dispatch, Framer, Heartbeat, Replies, Subscriptions, Transport } from "@wirestack/protocol"
import { detail } from "@wirestack/protocol/Connection"
import { Violation } from "@wirestack/protocol/Reason"
import { Console, Context, Data, Effect, type Layer, Redacted, Stream } from "effect"
import {
  generate,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
  parser
} from "mqtt-packet"
import { randomUUID } from "node:crypto"
import { type Account, called } from "./stack.ts"

const layer = "mqtt"
const Packets: Transport.Shape<"mqtt", Packet, Packet> = Transport.shape(layer, ["mqtt"])

/** The server's CONNACK, among the details of a connection. */
class Connack extends Context.Service<Connack, IConnackPacket>()("mqtt/Connack") {}

/** The server does not take a message, or gives us no subscription; the connection goes on. */
export class NotPermitted extends Data.TaggedError("NotPermitted")<{ readonly topic: string; readonly code: number }> {}

/** How many bytes a packet has: one for its type, one to four that say how many follow, and those. */
const measure = (bytes: Uint8Array, from: number): number => {
  for (let at = 1, size = 0; at <= 4; at++) {
    if (from + at >= bytes.length) return at + 1
    size += (bytes[from + at] & 0x7f) * 128 ** (at - 1)
    if (bytes[from + at] < 0x80) return at + 1 + size
  }
  throw new Violation({ rule: "a remaining length has four bytes at most", section: "MQTT 5 section 1.5.5" })
}

const parse = (protocolVersion: 4 | 5, bytes: Uint8Array): Packet => {
  const packets: Array<Packet> = []
  parser({ protocolVersion }).on("packet", (packet) => packets.push(packet)).parse(Buffer.from(bytes))
  if (packets.length !== 1) throw new Error("a packet is whole")
  return packets[0]
}

/** Packets, and DISCONNECT as the goodbye: who fails leaves the last word to the will. */
export const framer = (version: 4 | 5, maxFrameSize = 4_194_304): Framer.Framer<Packet, Packet> => {
  const packets = Framer.parsed(Framer.whole({ layer, maxFrameSize, measure }), {
    parse: (bytes) => parse(version, bytes),
    print: (packet: Packet) => generate(packet, { protocolVersion: version })
  })
  return Framer.goodbye<Packet, Packet>(packets, {
    say: (why) => why === "failed" ? undefined : { cmd: "disconnect", reasonCode: 0 },
    heard: (packet) => packet.cmd === "disconnect" ? { code: packet.reasonCode ?? 0, reason: "" } : undefined
  })
}

export interface Options extends Account, Pick<Partial<IConnectPacket>, "clientId" | "keepalive" | "will"> {
  /** 4 is 3.1.1; 5 by default. */
  readonly version?: 4 | 5
}

/** Puts MQTT, as a client, on a stack of bytes. */
export const over =
  ({ clientId = `wirestack-${randomUUID()}`, keepalive = 30, password, username, version = 5, will }: Options = {}) =>
  <Can, E, R>(bytes: Layer.Layer<Transport.ByteTransport<Can>, E, R>) =>
    bytes.pipe(
      Framer.onto(Packets)(framer(version)),
      Dialogue.within(Packets)<Connack, Transport.Listen>({
        layer,
        client: Effect.fnUntraced(function*(dialogue) {
          const protocol = { protocolId: "MQTT", protocolVersion: version, clean: true, clientId, keepalive } as const
          const account = { username, password: password && Buffer.from(Redacted.value(password)), will }
          yield* dialogue.say({ cmd: "connect", ...protocol, ...account as object })
          const connack = yield* dialogue.next
          if (connack.cmd !== "connack") return yield* dialogue.violation("CONNACK comes first")
          const code = connack.reasonCode ?? connack.returnCode ?? 0
          return code === 0 ? Context.make(Connack, connack) : yield* dialogue.deny(`the code is ${code}`)
        })
      }),
      Heartbeat.within(Packets)<Connack>((lower) => ({
        interval: `${detail(lower, Connack).properties?.serverKeepAlive || keepalive || 30} seconds`,
        keepAlive: true,
        ping: { cmd: "pingreq" },
        kindOf: ({ cmd }) => cmd === "pingresp" ? "pong" : "message",
        sizeOf: ({ length = 0 }) => length
      }))
    )

/** Whether a filter admits a topic: `+` stands for a level, `#` for all that follow (section 4.7). */
export const matches = (filter: string, topic: string): boolean => {
  const wanted = filter.replace(/^\$share\/[^/]+\//, "").split("/")
  const levels = topic.split("/")
  if (topic.startsWith("$") && /^[+#]/.test(wanted[0])) return false
  const fits = wanted.every((level, n) => level === "#" || level === levels[n] || (level === "+" && n < levels.length))
  return fits && (wanted.at(-1) === "#" || wanted.length === levels.length)
}

const codeOf = (packet: Packet) =>
  packet.cmd === "suback" ? Number(packet.granted[0]) : (packet as IConnackPacket).reasonCode ?? 0

/** Connects. When the scope closes in order, the server is told. */
export const connect = Effect.fnUntraced(function*(endpoint: string, options?: Transport.ConnectOptions) {
  const connection = yield* Transport.connect(Packets)<Connack>(endpoint, options)
  const maxInFlight = Math.min(20, detail(connection, Connack).properties?.receiveMaximum ?? 20)
  const replies = Replies.make<number, Packet>({ keep: true, maxInFlight })
  const subscriptions = Subscriptions.make<string, IPublishPacket>({ layer })
  const identifiers = Replies.identifiers(replies, 65_535)
  const handle = (packet: Packet) => {
    if (packet.cmd !== "publish") return Effect.sync(() => replies.succeed(packet.messageId!, packet))
    subscriptions.deliverWhere((filter) => matches(filter, packet.topic), packet, packet.length ?? 0)
    return packet.qos === 0 ? Effect.void : connection.send({ cmd: "puback", messageId: packet.messageId! })
  }
  yield* Dispatch.run(connection, { layer, handle, awaiting: [replies, subscriptions] })
  const ask = (topic: string, packet: Packet) =>
    Effect.filterOrFail(
      replies.to(identifiers, (messageId) => connection.send({ ...packet, messageId })),
      (answer) => codeOf(answer) < 0x80,
      (answer) => new NotPermitted({ topic, code: codeOf(answer) })
    )
  /** Publishes at most once (0), or at least once (1): then it succeeds when the server has taken it. */
  const publish = (topic: string, payload: string | Buffer, { qos = 0 as 0 | 1, retain = false } = {}) => {
    const packet: Packet = { cmd: "publish", dup: false, topic, payload, qos, retain }
    return qos === 0 ? connection.send(packet) : ask(topic, packet)
  }
  /** What is published on topics, for as long as the scope is open. */
  const subscribe = (filter: string, qos: 0 | 1 = 0, maxWaiting?: number) =>
    subscriptions.subscribe(filter, {
      join: ask(filter, { cmd: "subscribe", subscriptions: [{ topic: filter, qos }] }),
      leave: ask(filter, { cmd: "unsubscribe", unsubscriptions: [filter] }),
      maxWaiting
    })
  return { connection, publish, subscribe }
})

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const qos = { type: "string", default: "0" } as const
  const { account, bytes, rest: [verb, topic, said = ""], url, values } = yield* called(args, { qos })
  const program = Effect.gen(function*() {
    const client = yield* connect(url)
    if (verb === "publish") return yield* client.publish(topic, said, { qos: values.qos === "0" ? 0 : 1 })
    const messages = yield* client.subscribe(topic, values.qos === "0" ? 0 : 1)
    yield* Console.log(`subscribed to ${topic}`)
    yield* Stream.runForEach(messages, ({ payload, topic }) => Console.log(`${topic} ${payload.toString()}`))
  })
  yield* Effect.provide(Effect.scoped(program), over(account)(bytes))
})
