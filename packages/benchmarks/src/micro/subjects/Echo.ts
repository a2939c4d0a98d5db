/**
 * What Effect costs: an echo as its users write it, beside one in plain calls on the same wire, a pipe in memory.
 *
 * The last one has a WebSocket in between; there the receiver and sender of `ws` are on the other wire.
 */
import * as Connection from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { pair } from "@wirestack/protocol/MemoryTransport"
import type { Message } from "@wirestack/protocol/Transport"
import type { Receiver as WireReceiver, Wire } from "@wirestack/protocol/wire/Wire"
import * as WebSocketMachine from "@wirestack/websocket/machines/WebSocketMachine"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Benchmark } from "../Benchmark.ts"
import { Receiver, Sender } from "../references.ts"
import { sameBytes } from "./same.ts"
import { batch, binary, frame } from "./samples.ts"

type Bytes = Wire<Uint8Array, Uint8Array>
type Live<M> = Effect.Effect<Connection.Connection<M, M>, never, Scope.Scope>

/** Round trips a call, so that its own promise doesn't count. */
const rounds = 16

const ignore = () => {}

const receiver = (receive: (batch: ReadonlyArray<Uint8Array>) => void): WireReceiver<Uint8Array> => ({
  receive,
  drained: ignore,
  ended: ignore,
  goodbye: ignore,
  failed: (error: ConnectionError) => {
    throw error
  }
})

const sizeOf = (pieces: ReadonlyArray<Uint8Array>): number => pieces.reduce((size, piece) => size + piece.length, 0)

/** Sends a batch through an echo again and again, each when the one before has come back, and gives the last. */
const calling = (serve: (wire: Bytes) => void, sent: ReadonlyArray<Uint8Array>, size: number) => {
  const [near, far] = pair<Uint8Array>()
  let back: Array<Uint8Array> = []
  let received = 0
  let left = 0
  let done: (last: ReadonlyArray<Uint8Array>) => void = ignore
  const send = (): void => {
    back = []
    received = 0
    for (const message of sent) near.write(message)
    near.flush()
  }
  near.attach(receiver((batch) => {
    back.push(...batch)
    received += sizeOf(batch)
    if (received < size) return
    if (--left > 0) send()
    else done(back)
  }))
  near.resume()
  serve(far)
  return () =>
    new Promise<ReadonlyArray<Uint8Array>>((resolve) => {
      left = rounds
      done = resolve
      send()
    })
}

/** An echo in plain calls. */
const plain = (wire: Bytes): void => {
  wire.attach(receiver((batch) => {
    for (const message of batch) wire.write(message)
    wire.flush()
  }))
  wire.resume()
}

/** An echo by the receiver and sender of `ws`. */
const ws = (wire: Bytes): void => {
  const decoder = new Receiver({ isServer: true })
  const sender = new Sender({ cork: ignore, uncork: ignore, write: (data) => wire.write(data as Uint8Array) })
  const options = { mask: false, fin: true, compress: false } as const
  decoder.on("message", (data, binary) => sender.send(data, { binary, ...options }))
  wire.attach(receiver((batch) => {
    for (const chunk of batch) decoder.write(chunk as Buffer)
    wire.flush()
  }))
  wire.resume()
}

const perBatch = <M>(connection: Connection.Connection<M, M>) =>
  Stream.runForEachArray(Connection.messages(connection), connection.sendAll)

const perMessage = <M>(connection: Connection.Connection<M, M>) =>
  Stream.runForEach(Connection.messages(connection), connection.send)

/** Runs an echo for as long as the process lives. */
const running = <M>(live: Live<M>, echo: typeof perBatch): void => {
  Effect.runFork(Effect.scoped(Effect.flatMap(live, echo)))
}

const bare = (wire: Bytes): Live<Uint8Array> => Connection.make(wire)

const webSocket = (wire: Bytes): Live<Message> =>
  Effect.flatMap(
    Connection.make(wire),
    (below) => Connection.fuse(below, new WebSocketMachine.WebSocketMachine({ role: "server" }), { layer: "websocket" })
  )

const payloads = (count: number): ReadonlyArray<Buffer> => Array.from({ length: count }, () => binary(64))

const over = (name: string, count: number, echo: typeof perBatch): Benchmark => ({
  name: `echo ${name}`,
  reference: "plain calls",
  messages: rounds * count,
  prepare: () => {
    const sent = payloads(count)
    return {
      ours: calling((wire) => running(bare(wire), echo), sent, sizeOf(sent)),
      reference: calling(plain, sent, sizeOf(sent)),
      agree: sameBytes
    }
  }
})

const overWebSocket: Benchmark = {
  name: `echo of a WebSocket, per batch of ${batch}`,
  reference: "ws",
  messages: rounds * batch,
  prepare: () => {
    const frames = payloads(batch).map(frame)
    const size = sizeOf(frames) - batch * 4
    return {
      ours: calling((wire) => running(webSocket(wire), perBatch), [Buffer.concat(frames)], size),
      reference: calling(ws, [Buffer.concat(frames)], size),
      agree: sameBytes
    }
  }
}

export const benchmarks: ReadonlyArray<Benchmark> = [
  over(`per batch of ${batch}`, batch, perBatch),
  over(`per message of ${batch}`, batch, perMessage),
  over("of single messages", 1, perBatch),
  overWebSocket
]
