/**
 * Frames through a socket: a stack of ours, with its Streams, beside a parser written by hand on `node:net`. A client of `node:net` in
 * the same process sends what it has, again and again, when all of it has arrived; its work counts on both sides.
 */
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import type * as Framer from "@wirestack/protocol/Framer"
import { over } from "@wirestack/protocol/Framer"
import * as LengthPrefixed from "@wirestack/protocol/framers/LengthPrefixed"
import * as Lines from "@wirestack/protocol/framers/Lines"
import * as Transport from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as net from "node:net"
import type { Benchmark } from "../Benchmark.ts"
import { written } from "./Framers.ts"
import * as handWritten from "./handWritten.ts"
import { ascii, binary, text } from "./samples.ts"

/** Is told how many messages have arrived, with how many bytes or characters. */
type Tally = (messages: number, size: number) => void

/** Serves by a parser written by hand; gives its port. */
const byHand = (parser: (found: (message: Transport.Message) => void) => handWritten.OnData) => (tally: Tally) =>
  new Promise<number>((resolve) => {
    const server = net.createServer((socket) => void socket.on("data", parser((message) => tally(1, message.length))))
    server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port))
  })

const tallied = (batch: ReadonlyArray<Transport.Message>, tally: Tally): void => {
  let size = 0
  for (const message of batch) size += message.length
  tally(batch.length, size)
}

/** Serves by a stack of ours. */
const byStack = (framer: Framer.Framer) => (tally: Tally) =>
  new Promise<number>((resolve) => {
    const serving = Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("tcp://127.0.0.1:0")
      resolve(Endpoint.portOf(listener.address)!)
      return yield* listener.run((connection) =>
        Stream.runForEachArray(Connection.messages(connection), (batch) => Effect.sync(() => tallied(batch, tally)))
      )
    })
    Effect.runFork(Effect.scoped(Effect.provide(serving, over(framer)(Tcp.layer()))))
  })

/** Sends the bytes, and resolves to what arrived when that were so many messages. */
const sending = (serve: (tally: Tally) => Promise<number>, bytes: Buffer, count: number) => {
  let left = 0
  let size = 0
  let done: (size: number) => void
  const connected = serve((messages, received) => {
    size += received
    if ((left -= messages) === 0) done(size)
  }).then((port) => net.connect(port, "127.0.0.1"))
  return async (): Promise<number> => {
    const client = await connected
    return new Promise((resolve) => {
      left = count
      size = 0
      done = resolve
      client.write(bytes)
    })
  }
}

const through = (
  name: string,
  framer: Framer.Framer,
  parser: Parameters<typeof byHand>[0],
  messages: ReadonlyArray<Transport.Message>
): Benchmark => ({
  name: `socket, ${name}`,
  reference: "node:net",
  messages: messages.length,
  prepare: () => {
    const bytes = written(framer, messages)
    return {
      ours: sending(byStack(framer), bytes, messages.length),
      reference: sending(byHand(parser), bytes, messages.length),
      agree: (ours, reference) => ours === reference
    }
  }
})

const bytes = (count: number, size: number) => Array.from({ length: count }, () => binary(size))

export const benchmarks: ReadonlyArray<Benchmark> = [
  through("LengthPrefixed, 64 B", LengthPrefixed.make(), handWritten.lengthPrefixed, bytes(16_384, 64)),
  through("LengthPrefixed, 4 KiB", LengthPrefixed.make(), handWritten.lengthPrefixed, bytes(512, 4_096)),
  through("LengthPrefixed, 1 MiB", LengthPrefixed.make(), handWritten.lengthPrefixed, bytes(4, 1_048_576)),
  through("Lines, 64 B", Lines.make(), handWritten.lines, Array.from({ length: 16_384 }, () => text(ascii, 64))),
  through("Lines, 4 KiB", Lines.make(), handWritten.lines, Array.from({ length: 512 }, () => text(ascii, 4_096)))
]
