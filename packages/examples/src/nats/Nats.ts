/**
 * NATS as a layer: operations over bytes.
 *
 *     client                              server
 *       | <- INFO ------------------------- |
 *       | -- CONNECT, PING ---------------> |
 *       | <- +OK, if it is verbose -------- |
 *       | <- PONG, or -ERR and the end ---- |
 *       | <========= operations =========> |
 */
import { type Connection, type Control, fuse } from "@wirestack/protocol/Connection"
import * as Protocol from "@wirestack/protocol/Protocol"
import { Violation } from "@wirestack/protocol/Reason"
import { Bytes, type Listen, type Shape, shape } from "@wirestack/protocol/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Dialogue } from "../kit/Dialogue.ts"
import { keepAlive } from "../kit/keepAlive.ts"
import { Parsing } from "../kit/Parsing.ts"
import { format } from "./format.ts"
import { NatsRefused } from "./NatsReason.ts"
import type { Incoming, Info, Outgoing } from "./Operation.ts"

const layer = "nats"

/** The shape of NATS. */
export const Operations: Shape<"nats", Incoming, Outgoing> = shape("nats")

/** What was agreed on, among the details of a connection. */
export class NatsInfo extends Context.Service<NatsInfo, {
  readonly info: Info
  readonly verbose: boolean
}>()("@wirestack/examples/NatsInfo") {}

export interface Options {
  readonly username?: string
  readonly password?: Redacted.Redacted<string>
  /** What the connection is called in lists of the server. */
  readonly name?: string
  /** Whether the server says of each operation that it was done; otherwise it says what was not, which is the default. */
  readonly verbose?: boolean
  /** After how many seconds the server is asked whether it is there, and given up if it says nothing in as many; 60 by default. */
  readonly keepAlive?: number
  /** The largest message with its headers, both ways, in bytes; 1 MiB by default, as it is for servers. */
  readonly maxMessageSize?: number
}

const connect = (options: Options) => {
  const { keepAlive: seconds = 60, maxMessageSize = 1_048_576, name, password, username, verbose = false } = options
  return Effect.fnUntraced(function*(lower: Connection<Uint8Array, Uint8Array>) {
    let operations = 0
    let control!: Control
    const machine = new Parsing(format(maxMessageSize, verbose, () => operations++))
    const dialogue = new Dialogue(layer, yield* fuse(lower, machine, { layer }))
    const first = yield* dialogue.next
    if (first._tag !== "Info") return yield* dialogue.fail(new Violation({ rule: "INFO comes first" }))
    const { info } = first
    const connect = {
      verbose,
      pedantic: false,
      lang: "wirestack",
      version: "0.1.0",
      protocol: 1,
      headers: true,
      no_responders: info.headers === true,
      name,
      user: username,
      pass: password && Redacted.value(password)
    }
    yield* dialogue.say({ _tag: "Connect", options: connect })
    yield* dialogue.say({ _tag: "Ping" })
    for (let answer = yield* dialogue.next; answer._tag !== "Pong"; answer = yield* dialogue.next) {
      if (answer._tag === "Err") return yield* dialogue.fail(new NatsRefused({ detail: answer.detail }))
      if (answer._tag === "Ping") yield* dialogue.say({ _tag: "Pong" })
    }
    const connection = yield* dialogue.done({
      details: () => Context.make(NatsInfo, { info, verbose }),
      begun: (given) => void (control = given)
    })
    yield* keepAlive({
      ping: Effect.suspend(() => connection.send({ _tag: "Ping" })),
      every: seconds * 1_000,
      heard: () => operations,
      fail: (reason) => control.fail(reason)
    })
    return connection
  })
}

/** Puts NATS, as a client, on a stack of bytes. */
export const over = (options: Options = {}): Protocol.Over<"bytes", never, "nats", NatsInfo, Listen> =>
  Protocol.make(Bytes, Operations, { layer, client: connect(options) })
