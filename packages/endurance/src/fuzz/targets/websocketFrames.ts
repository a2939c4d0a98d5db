/**
 * The machines of a WebSocket in both roles: whole messages, parts and raw frames, with and without permessage-deflate. What is accepted
 * without compression must be the same to the receiver of `ws`.
 */
import { NodeZlib } from "@wirestack/node"
import type { MachineSuite } from "@wirestack/protocol/testing"
import { equal } from "@wirestack/protocol/testing/check"
import {
  Extension,
  ExtensionChain,
  FrameMachine,
  PerMessageDeflate,
  StreamedMachine,
  WebSocketMachine
} from "@wirestack/websocket"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { createRequire } from "node:module"
import * as zlib from "node:zlib"
import { hex, joined, utf8 } from "../bytes.ts"
import { machine } from "../oracles/machine.ts"
import type { Target } from "../Target.ts"

type Role = "client" | "server"
type Message = WebSocketMachine.Message
type Part = StreamedMachine.Part

const limits = { maxMessageSize: 3_000, maxFragments: 20 }

/** What there is of `ws`. */
declare class WsReceiver {
  constructor(options: object)
  on(event: "message", told: (data: Buffer, isBinary: boolean) => void): this
  _write(chunk: Buffer, encoding: string, done: (error?: Error | null) => void): void
}

declare class WsSender {
  static frame(data: Uint8Array, options: object): ReadonlyArray<Uint8Array>
}

const { Receiver, Sender } = createRequire(import.meta.url)("ws") as {
  readonly Receiver: typeof WsReceiver
  readonly Sender: typeof WsSender
}

/** A frame of `ws`; the mask of a client is zero, so that what is changed in it stays what it is. */
const frame = (mask: boolean, opcode: number, payload: Uint8Array, { fin = true, rsv1 = false } = {}): Uint8Array => {
  const options = { fin, rsv1, opcode, mask, readOnly: true, generateMask: () => {}, maskBuffer: Buffer.alloc(4) }
  return joined(...Sender.frame(payload, options))
}

const packed = (text: string): Uint8Array =>
  zlib.deflateRawSync(text, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4)

const samples = ["", "hello", "é€😀", "x".repeat(125), "y".repeat(126), "z".repeat(limits.maxMessageSize)]

/** What a peer may say. */
const corpus = (mask: boolean, deflate: boolean): ReadonlyArray<Uint8Array> => {
  const message = (text: string): Uint8Array =>
    deflate ? frame(mask, 1, packed(text), { rsv1: true }) : frame(mask, 1, utf8(text))
  const fragmented = joined(
    frame(mask, 1, utf8("a\u00e9").subarray(0, 2), { fin: false }),
    frame(mask, 9, utf8("ping")),
    frame(mask, 0, utf8("\u00e9").subarray(1), { fin: false }),
    frame(mask, 0, utf8("end"))
  )
  const close = frame(mask, 8, joined(hex("03e8"), utf8("bye")))
  return [
    ...samples.map(message),
    frame(mask, 2, hex("00ff80")),
    frame(mask, 10, utf8("pong")),
    frame(mask, 8, hex("")),
    fragmented,
    close,
    joined(message("a"), fragmented, message("b"), close),
    joined(...Array.from({ length: 30 }, (_, n) => frame(mask, 9, utf8(`${n}`))))
  ]
}

const zlibs = await Effect.runPromise(Effect.scoped(Effect.provide(
  Effect.all([
    PerMessageDeflate.make({ threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false }),
    PerMessageDeflate.make({ threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true })
  ]),
  NodeZlib.layer
)))

/** The extension as both have it after a handshake. */
const [takeover, noTakeover] = zlibs.map((extension) => {
  const { agreed, header } = Result.getOrThrow(Extension.answer([extension], Extension.offer([extension])))
  return { server: agreed, client: Result.getOrThrow(Extension.agree([extension], [header!])) }
})

type Deflate = typeof takeover | undefined

const options = (role: Role, deflate: Deflate) => ({
  role,
  ...limits,
  extensions: deflate === undefined ? undefined : new ExtensionChain.ExtensionChain(deflate[role])
})

const other = (role: Role): Role => role === "client" ? "server" : "client"

/** What we take, `ws` takes as the same. */
const besideWs = (role: Role) => (input: Uint8Array, { emitted, ending }: MachineSuite.Probe<Message, any>): void => {
  if (ending !== "closed" && ending !== "Truncated") return
  const heard: Array<Message> = []
  let failure: Error | null | undefined
  const { maxFragments, maxMessageSize } = limits
  const receiver = new Receiver({ isServer: role === "server", maxPayload: maxMessageSize, maxFragments })
  receiver.on("message", (data, isBinary) => heard.push(isBinary ? new Uint8Array(data) : data.toString()))
  receiver._write(Buffer.from(input), "buffer", (error) => failure = error)
  equal("what ws makes of it", [heard, failure?.message], [emitted, undefined])
}

/** Parts of the same message as one. */
const merged = (parts: ReadonlyArray<Part>, whole: boolean): ReadonlyArray<unknown> => {
  const messages: Array<{ readonly type: string; readonly data: Array<Part["data"]>; last: boolean }> = []
  for (const { data, last, type } of parts) {
    if (messages.at(-1)?.last !== false) messages.push({ type, data: [], last: false })
    const message = messages.at(-1)!
    message.data.push(data)
    message.last = last
  }
  return messages.filter(({ last }) => whole || last).map(({ data, last, type }) => ({
    last,
    data: type === "text" ? data.join("") : joined(...data as Array<Uint8Array>)
  }))
}

const ofMessages = (role: Role, name: string, deflate: Deflate): Target =>
  machine<Message, Message>({
    name: `websocket-${role}${name}`,
    make: () => new WebSocketMachine.WebSocketMachine(options(role, deflate)),
    limit: limits.maxMessageSize,
    anyFault: deflate !== undefined,
    within: deflate === undefined ? 250 : 1_000,
    corpus: corpus(role === "server", deflate !== undefined),
    again: {
      peer: () => new WebSocketMachine.WebSocketMachine(options(other(role), deflate)),
      message: (message) => message
    },
    ...deflate === undefined ? { beside: besideWs(role) } : {}
  })

const ofParts = (role: Role, name: string, deflate: Deflate): Target =>
  machine<Part, Part>({
    name: `websocket-parts-${role}${name}`,
    make: () => new StreamedMachine.StreamedMachine(options(role, deflate)),
    limit: limits.maxMessageSize,
    said: merged,
    anyFault: deflate !== undefined,
    within: deflate === undefined ? 250 : 1_000,
    corpus: corpus(role === "server", deflate !== undefined),
    again: {
      peer: () => new StreamedMachine.StreamedMachine(options(other(role), deflate)),
      message: (part) => part
    }
  })

const ofFrames = (role: Role): Target =>
  machine<FrameMachine.Frame, FrameMachine.Frame>({
    name: `websocket-frames-${role}`,
    make: () => new FrameMachine.FrameMachine(options(role, undefined)),
    limit: limits.maxMessageSize,
    corpus: corpus(role === "server", false),
    again: {
      peer: () => new FrameMachine.FrameMachine(options(other(role), undefined)),
      message: (frame) => frame
    }
  })

export const websocketFrames: ReadonlyArray<Target> = (["client", "server"] as const).flatMap((role) => [
  ofMessages(role, "", undefined),
  ofMessages(role, "-deflate-takeover", takeover),
  ofMessages(role, "-deflate", noTakeover),
  ofParts(role, "", undefined),
  ofParts(role, "-deflate", takeover),
  ofFrames(role)
])
