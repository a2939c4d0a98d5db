/**
 * MQTT 3.1.1 and 5 as a layer: packets over bytes, of whatever they are made.
 *
 *     client                                    server
 *       | -- CONNECT, will, keep-alive ----------> |
 *       | <- CONNACK ----------------------------- |
 *       | <=========== packets =================> |
 *       | -- PINGREQ, every so often ------------> |
 *       | -- DISCONNECT -------------------------> |   which a failure leaves to the will
 */
import { type Connection, type Control, fuse } from "@wirestack/protocol/Connection"
import * as Protocol from "@wirestack/protocol/Protocol"
import { Violation } from "@wirestack/protocol/Reason"
import { Bytes, type Listen, type Shape, shape } from "@wirestack/protocol/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { IConnackPacket, IConnectPacket, Packet } from "mqtt-packet"
import { randomUUID } from "node:crypto"
import { Dialogue } from "../kit/Dialogue.ts"
import { keepAlive } from "../kit/keepAlive.ts"
import { Parsing } from "../kit/Parsing.ts"
import { MqttRefused } from "./MqttRefused.ts"
import { format } from "./packets.ts"

const layer = "mqtt"

/** The shape of MQTT; its name is that of the WebSocket subprotocol, and of ALPN. */
export const Packets: Shape<"mqtt", Packet, Packet> = shape("mqtt", ["mqtt"])

/** What was agreed on, among the details of a connection. */
export class MqttInfo extends Context.Service<MqttInfo, {
  readonly clientId: string
  readonly connack: IConnackPacket
  /** How many messages may wait to be acknowledged. */
  readonly maxInFlight: number
}>()("@wirestack/examples/MqttInfo") {}

export interface Options {
  /** 4 is 3.1.1; 5 by default. */
  readonly version?: 4 | 5
  /** A random one by default. */
  readonly clientId?: string
  /** Whether the server forgets what it knew of this client; true by default. */
  readonly clean?: boolean
  readonly username?: string
  readonly password?: Redacted.Redacted<string>
  /** What the server says for us if the connection is lost, or closes because of a failure. */
  readonly will?: NonNullable<IConnectPacket["will"]>
  /** After how many seconds the server is asked whether it is there, and given up if it says nothing in as many; 30 by default. */
  readonly keepAlive?: number
  /** The largest packet, both ways, in bytes; 4 MiB by default. */
  readonly maxPacketSize?: number
  /** How many messages may wait to be acknowledged, if the server takes as many; 20 by default, which all servers do. */
  readonly maxInFlight?: number
}

const refusals: Readonly<Record<number, string>> = {
  1: "it does not speak this version",
  2: "the name of the client is not allowed",
  3: "it is not available",
  4: "user name or password is wrong",
  5: "not authorized",
  0x84: "it does not speak this version",
  0x85: "the name of the client is not valid",
  0x86: "user name or password is wrong",
  0x87: "not authorized",
  0x88: "it is not available"
}

const connect = (options: Options) => {
  const { clean = true, keepAlive: keepalive = 30, maxPacketSize = 4_194_304, password, username, version = 5, will } =
    options
  return Effect.fnUntraced(function*(lower: Connection<Uint8Array, Uint8Array>) {
    const clientId = options.clientId ?? `wirestack-${randomUUID()}`
    let packets = 0
    let control!: Control
    const machine = new Parsing(format(version, maxPacketSize, () => packets++))
    const dialogue = new Dialogue(layer, yield* fuse(lower, machine, { layer }))
    yield* dialogue.say({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: version,
      clientId,
      clean,
      keepalive,
      ...username !== undefined && { username },
      ...password !== undefined && { password: Buffer.from(Redacted.value(password)) },
      ...will !== undefined && { will },
      ...version === 5 && { properties: { maximumPacketSize: maxPacketSize } }
    })
    const connack = yield* dialogue.next
    if (connack.cmd !== "connack") {
      return yield* dialogue.fail(new Violation({ rule: "CONNACK comes first", section: "MQTT 5 section 3.2" }))
    }
    const code = connack.reasonCode ?? connack.returnCode ?? 0
    if (code !== 0) {
      const detail = connack.properties?.reasonString ?? refusals[code] ?? "for a reason of its own"
      return yield* dialogue.fail(new MqttRefused({ code, detail }))
    }
    const maxInFlight = Math.min(options.maxInFlight ?? 20, connack.properties?.receiveMaximum ?? Infinity)
    const connection = yield* dialogue.done({
      details: () => Context.make(MqttInfo, { clientId, connack, maxInFlight }),
      begun: (given) => void (control = given)
    })
    const seconds = connack.properties?.serverKeepAlive ?? keepalive
    if (seconds > 0) {
      yield* keepAlive({
        ping: connection.send({ cmd: "pingreq" }),
        every: seconds * 1_000,
        heard: () => packets,
        fail: (reason) => control.fail(reason)
      })
    }
    return connection
  })
}

/** Puts MQTT, as a client, on a stack of bytes. */
export const over = (options: Options = {}): Protocol.Over<"bytes", never, "mqtt", MqttInfo, Listen> =>
  Protocol.make(Bytes, Packets, { layer, client: connect(options) })
