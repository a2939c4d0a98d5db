/** Two receivers, asked what they make of the same traffic: the machine, and the one of `ws`. */
import { NodeZlib } from "@wirestack/node"
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import type { Goodbye, Io } from "@wirestack/protocol/Machine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { createRequire } from "node:module"
import * as Extension from "../../src/extensions/Extension.ts"
import { ExtensionChain } from "../../src/extensions/ExtensionChain.ts"
import * as PerMessageDeflate from "../../src/extensions/PerMessageDeflate.ts"
import { Zlib } from "../../src/extensions/Zlib.ts"
import { type Message, WebSocketMachine } from "../../src/machines/WebSocketMachine.ts"
import { Inflation } from "./Inflation.ts"
import { arrivals, type Deflate, type Limits, type Traffic } from "./traffic.ts"

export interface Verdict {
  /** `open` and inside of what; `closed` with code and reason; or `failed` with the code. */
  readonly ending: string
  /** The batch in which it ended; Infinity if it is open. */
  readonly endedIn: number
  /** Messages and pongs, in their order. */
  readonly events: ReadonlyArray<string>
  /** The pings of each batch that are answered. */
  readonly pings: ReadonlyArray<ReadonlyArray<string>>
  /** What it did that it must not do, whatever it receives. */
  readonly breach: string | undefined
}

const zlib = Context.get(Effect.runSync(Layer.buildWithScope(NodeZlib.layer, Scope.makeUnsafe())), Zlib)

const handshakes = new Map<string, ReadonlyArray<Extension.Agreed>>()

/** The extension as it is after a handshake of two that want the same. */
const agreed = (deflate: Deflate, isClient: boolean): ReadonlyArray<Extension.Agreed> => {
  const key = JSON.stringify([deflate, isClient])
  const known = handshakes.get(key) ?? handshake(deflate, isClient)
  handshakes.set(key, known)
  return known
}

const handshake = ({ takeover, windowBits }: Deflate, isClient: boolean): ReadonlyArray<Extension.Agreed> => {
  const options: PerMessageDeflate.Options = {
    serverNoContextTakeover: !takeover,
    clientNoContextTakeover: !takeover,
    serverMaxWindowBits: windowBits,
    clientMaxWindowBits: windowBits
  }
  const extensions = [Effect.runSync(Effect.provideService(PerMessageDeflate.make(options), Zlib, zlib))]
  const { agreed, header } = Result.getOrThrow(Extension.answer(extensions, Extension.offer(extensions)))
  return isClient ? Result.getOrThrow(Extension.agree(extensions, [header!])) : agreed
}

const bufferOf = ({ buffer, byteOffset, length }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, length)

const hexOf = (bytes: Uint8Array): string => bufferOf(bytes).toString("hex")

/** Hears what a machine says, and where it breaks its contract. */
class Ear implements Io<Message, Uint8Array> {
  readonly heard: Array<Message | { readonly pong: Uint8Array }> = []
  readonly written: Array<Uint8Array> = []
  readonly buffer = new Uint8Array(0)
  ended: "closed" | "failed" | undefined = undefined
  goodbye: Goodbye | undefined = undefined
  reason: ConnectionReason | undefined = undefined
  breach: string | undefined = undefined
  space = Infinity

  room(): boolean {
    return this.space > 0
  }

  emit(message: Message): void {
    if (this.space-- <= 0) this.breach = "a message without room"
    if (this.ended !== undefined) this.breach = "a message after the end"
    this.heard.push(message)
  }

  write(message: Uint8Array): void {
    this.written.push(message)
  }

  reserve(): number {
    throw new Error("nothing is sent but control frames")
  }

  giveBack(): void {
    throw new Error("nothing was reserved")
  }

  end(): void {
    this.breach = "an end that is neither a Close nor a failure"
  }

  closed(goodbye: Goodbye): void {
    this.settle("closed", goodbye)
  }

  fail(reason: ConnectionReason, goodbye?: Goodbye): void {
    this.reason = reason
    this.settle("failed", goodbye)
  }

  private settle(ended: "closed" | "failed", goodbye: Goodbye | undefined): void {
    if (this.ended !== undefined) this.breach = "a second end"
    this.ended = ended
    this.goodbye = goodbye
  }
}

/** The body of a whole control frame with this opcode, masked if a client sent it; undefined if it isn't one. */
const bodyOf = (opcode: number, frame: Uint8Array, isClient: boolean): Uint8Array | undefined => {
  const start = isClient ? 6 : 2
  const size = frame.length - start
  if (frame[0] !== (0x80 | opcode) || frame[1] !== ((isClient ? 0x80 : 0) | size) || size > 125) return undefined
  const body = frame.slice(start)
  return isClient ? body.map((byte, i) => byte ^ frame[2 + i % 4]) : body
}

/** What the Close frame says that was sent; it must be one, and the same that was reported. */
const farewell = (ear: Ear, isClient: boolean): string => {
  const body = ear.written.length === 1 ? bodyOf(8, ear.written[0], isClient) : undefined
  const code = body?.length === 0 ? 1005 : body === undefined ? 0 : body[0] << 8 | body[1]
  const reason = body === undefined ? "" : bufferOf(body.subarray(2)).toString()
  const { first, received, sent } = ear.goodbye!
  if (body === undefined) ear.breach = "it sent not one proper Close frame"
  if (sent?.code !== code || sent.reason !== reason) ear.breach = "it sent another status than it says"
  if (ear.ended === "closed") {
    if (first !== "remote" || received?.code !== code || received.reason !== reason) ear.breach = "it sent no echo"
    return `closed ${code} ${reason}`
  }
  if (first !== "local" || received !== undefined) ear.breach = "it failed, and says it has received a Close"
  if ((ear.reason?._tag === "TooLarge") !== (code === 1009)) {
    ear.breach = `it failed with ${code} for ${ear.reason?._tag}`
  }
  return `failed ${code}`
}

/** What the machine makes of it. */
export const ours = (traffic: Traffic, bytes: Uint8Array): Verdict => {
  const isClient = !traffic.toServer
  const machine = new WebSocketMachine({
    role: isClient ? "client" : "server",
    maxMessageSize: traffic.maxMessageSize,
    maxFragments: traffic.maxFragments,
    extensions: traffic.deflate === undefined ? undefined : new ExtensionChain(agreed(traffic.deflate, isClient))
  })
  const ear = new Ear()
  machine.onPong = (pong) => ear.heard.push({ pong })
  const pings: Array<Array<string>> = []
  /** What waits are pongs, and nothing else. */
  const answer = () => {
    const { length } = ear.written
    while (machine.proceed(ear));
    for (const pong of ear.written.splice(length)) {
      const ping = bodyOf(10, pong, isClient)
      if (ping === undefined) ear.breach = "it sent not a proper pong"
      else pings.at(-1)!.push(hexOf(ping))
    }
  }
  let endedIn = Infinity
  const batches = arrivals(traffic, bytes)
  for (let n = 0; n < batches.length; n++) {
    let input = batches[n]
    pings.push([])
    const memory = machine.memory()
    if (memory !== undefined && memory.length >= input[0].length) {
      memory.set(input[0])
      input = [memory.subarray(0, input[0].length), ...input.slice(1)]
    }
    ear.space = traffic.room
    for (let heard = ear.heard.length; !machine.receive(input, ear); heard = ear.heard.length) {
      if (ear.space > 0 && ear.heard.length === heard) ear.breach = "it waits for room it has"
      answer()
      ear.space = traffic.room
      input = []
    }
    answer()
    if (ear.ended !== undefined && endedIn === Infinity) endedIn = n
  }
  if (ear.ended === undefined && ear.written.length > 0) ear.breach = "it sent something while open"
  const isOpen = ear.ended === undefined
  machine.ended("announced", ear)
  machine.release()
  const { reason } = ear
  const ending = !isOpen
    ? farewell(ear, isClient)
    : `open, inside ${reason?._tag === "Truncated" ? reason.inside : "nothing"}`
  const events = ear.heard.map((event) =>
    typeof event === "string"
      ? `text ${event}`
      : "pong" in event
      ? `pong ${hexOf(event.pong)}`
      : `binary ${hexOf(event)}`
  )
  return { ending, endedIn, events, pings, breach: ear.breach }
}

/** What there is of the receiver of `ws`, private parts included. */
declare class WsReceiver {
  constructor(options: object)
  readonly _state: number
  readonly _bufferedBytes: number
  readonly _payloadLength: number
  readonly _fragmented: number
  readonly _opcode: number
  readonly _fin: boolean
  readonly _mask: Uint8Array | undefined
  readonly _compressed: boolean
  readonly _buffers: ReadonlyArray<Buffer>
  readonly _fragments: ReadonlyArray<Buffer>
  readonly _totalPayloadLength: number
  _maxPayload: number
  _write(chunk: Buffer, encoding: string, done: (error?: object | null) => void): void
  haveLength(done: unknown): void
  emit(event: string, ...args: ReadonlyArray<unknown>): boolean
  end(): void
}

/** Its extension. */
declare class WsDeflate {
  constructor(options: object)
  params: object
  cleanup(): void
}

const { PerMessageDeflate: OwnDeflate, Receiver } = createRequire(import.meta.url)("ws") as {
  readonly Receiver: typeof WsReceiver
  readonly PerMessageDeflate: typeof WsDeflate
}

/** What the receiver of `ws` waits for. */
export const Awaited = { Head: 0, Length16: 1, Length64: 2, Mask: 3, Data: 4 } as const

const codeOf = (error: object): number => {
  const key = Object.getOwnPropertySymbols(error).find((symbol) => symbol.description === "status-code")!
  return (error as Record<symbol, number>)[key]
}

const named = (extension: object | undefined): object =>
  extension === undefined ? {} : { "permessage-deflate": extension }

/** What the receiver of `ws` makes of it, with an extension that inflates at once. */
export class Theirs extends Receiver implements Verdict {
  readonly events: Array<string> = []
  readonly pings: Array<Array<string>> = []
  readonly breach = undefined
  endedIn = Infinity
  readonly inflation: Inflation | undefined
  private ended: string | undefined = undefined
  private readonly batches: ReadonlyArray<ReadonlyArray<Uint8Array>>

  constructor(traffic: Traffic, bytes: Uint8Array, limits: Limits, own?: object) {
    const inflation = traffic.deflate === undefined || own !== undefined ? undefined : new Inflation(traffic.deflate)
    super({
      isServer: traffic.toServer,
      maxPayload: limits.maxMessageSize,
      maxFragments: limits.maxFragments,
      extensions: named(own ?? inflation)
    })
    this.inflation = inflation
    this.batches = arrivals(traffic, bytes)
  }

  hear(): this {
    const done = (error?: object | null) => this.after(error)
    for (const batch of this.batches) {
      this.pings.push([])
      for (const chunk of batch) if (this.ended === undefined) this._write(bufferOf(chunk), "buffer", done)
      if (!this.goesOn()) break
    }
    return this
  }

  async hearLater(): Promise<this> {
    for (const batch of this.batches) {
      this.pings.push([])
      for (const chunk of batch) {
        if (this.ended !== undefined) break
        await new Promise<void>((resolve) =>
          this._write(bufferOf(chunk), "buffer", (error) => {
            this.after(error)
            resolve()
          })
        )
      }
      if (!this.goesOn()) break
    }
    return this
  }

  private after(error?: object | null): void {
    if (error != null) this.ended ??= `failed ${codeOf(error)}`
  }

  private goesOn(): boolean {
    if (this.ended !== undefined) this.endedIn = this.pings.length - 1
    return this.ended === undefined
  }

  /** What is compressed may be longer than what it is made of. */
  override haveLength(done: unknown): void {
    const limit = this._maxPayload
    const { inflation } = this
    if (inflation !== undefined && this._compressed && this._opcode < 8) {
      if (this._totalPayloadLength + this._payloadLength > limit) inflation.met.add("wire")
      this._maxPayload = limit * 2 + 1_024
    }
    super.haveLength(done)
    this._maxPayload = limit
  }

  /** What has arrived of the payload of a frame. */
  get arrived(): Uint8Array {
    return Buffer.concat(this._buffers).map((byte, i) => byte ^ (this._mask?.[i % 4] ?? 0))
  }

  get ending(): string {
    if (this.ended !== undefined) return this.ended
    if (this._state !== Awaited.Head || this._bufferedBytes > 0) return "open, inside a frame"
    return `open, inside ${this._fragmented > 0 ? "a fragmented message" : "the connection, before a Close frame"}`
  }

  override emit(event: string, data: Buffer, more?: boolean | Buffer): boolean {
    switch (event) {
      case "message":
        this.events.push(more === true ? `binary ${data.toString("hex")}` : `text ${data.toString()}`)
        return true
      case "pong":
        this.events.push(`pong ${data.toString("hex")}`)
        return true
      case "ping":
        this.pings.at(-1)!.push(data.toString("hex"))
        return true
      case "conclude":
        this.ended = `closed ${data as unknown as number} ${(more as Buffer).toString()}`
        return true
      default:
        throw new Error(`${event} was not expected of ws`)
    }
  }

  /** Would end the stream in another turn. */
  override end(): void {}
}

/** What it makes of traffic with its own extension. */
export const withOwnDeflate = async (traffic: Traffic, bytes: Uint8Array): Promise<Theirs> => {
  const { takeover, windowBits } = traffic.deflate!
  const own = new OwnDeflate({ isServer: traffic.toServer, maxPayload: traffic.maxMessageSize })
  own.params = {
    server_max_window_bits: windowBits,
    client_max_window_bits: windowBits,
    ...(takeover ? {} : { server_no_context_takeover: true, client_no_context_takeover: true })
  }
  try {
    return await new Theirs(traffic, bytes, traffic, own).hearLater()
  } finally {
    own.cleanup()
  }
}
