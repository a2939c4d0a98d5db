/**
 * Frames through a socket: a stack of ours, with its Streams, beside a parser written by hand on `node:net`. A client of `node:net` in
 * the same process sends what it has, again and again, when all of it has arrived; its work counts on both sides.
 */
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Framer from "@wirestack/protocol/Framer"
import * as Cobs from "@wirestack/protocol/framers/Cobs"
import * as ContentLength from "@wirestack/protocol/framers/ContentLength"
import * as Delimited from "@wirestack/protocol/framers/Delimited"
import * as FixedLength from "@wirestack/protocol/framers/FixedLength"
import * as LengthPrefixed from "@wirestack/protocol/framers/LengthPrefixed"
import * as Lines from "@wirestack/protocol/framers/Lines"
import * as Netstring from "@wirestack/protocol/framers/Netstring"
import * as Tlv from "@wirestack/protocol/framers/Tlv"
import * as VarintPrefixed from "@wirestack/protocol/framers/VarintPrefixed"
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

/** How much a message weighs. */
const sizeOf = (message: Transport.Message | Transport.Record): number =>
  typeof message === "string" || message instanceof Uint8Array ? message.length : message.value.length

/** Serves by a parser written by hand; gives its port. */
const byHand = (parser: (found: (message: any) => void) => handWritten.OnData) => (tally: Tally) =>
  new Promise<number>((resolve) => {
    const server = net.createServer((socket) => void socket.on("data", parser((message) => tally(1, sizeOf(message)))))
    server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port))
  })

const tallied = (batch: ReadonlyArray<Transport.Message | Transport.Record>, tally: Tally): void => {
  let size = 0
  for (const message of batch) size += sizeOf(message)
  tally(batch.length, size)
}

/** Serves by a stack of ours. */
const byStack =
  <S, M extends Transport.Message | Transport.Record>(shape: Transport.Shape<S, M, M>, framer: Framer.Framer<M, M>) =>
  (tally: Tally) =>
    new Promise<number>((resolve) => {
      const serving = Effect.gen(function*() {
        const listener = yield* Transport.listen(shape)("tcp://127.0.0.1:0")
        resolve(Endpoint.portOf(listener.address)!)
        return yield* listener.run((connection) =>
          Stream.runForEachArray(Connection.messages(connection), (batch) => Effect.sync(() => tallied(batch, tally)))
        )
      })
      Effect.runFork(Effect.scoped(Effect.provide(serving, Framer.onto(shape)(framer)(Tcp.layer()))))
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

const through = <S, M extends Transport.Message | Transport.Record>(shape: Transport.Shape<S, M, M>) =>
(
  name: string,
  framer: Framer.Framer<M, M>,
  parser: Parameters<typeof byHand>[0],
  messages: ReadonlyArray<M>
): Benchmark => ({
  name: `socket, ${name}`,
  reference: "node:net",
  messages: messages.length,
  prepare: () => {
    const bytes = written(framer, messages)
    return {
      ours: sending(byStack(shape, framer), bytes, messages.length),
      reference: sending(byHand(parser), bytes, messages.length),
      agree: (ours, reference) => ours === reference
    }
  }
})

const messages = through(Transport.Messages)
const records = through(Transport.Records)

const bytes = (count: number, size: number) => Array.from({ length: count }, () => binary(size))
const lines = (count: number, size: number) => Array.from({ length: count }, () => text(ascii, size))
const small = bytes(16_384, 64)
const smallText = lines(16_384, 64)
const smallRecords = small.map((value, n) => ({ type: n % 8, value }))

export const benchmarks: ReadonlyArray<Benchmark> = [
  messages("LengthPrefixed, 64 B", LengthPrefixed.make(), handWritten.lengthPrefixed, small),
  messages("LengthPrefixed, 4 KiB", LengthPrefixed.make(), handWritten.lengthPrefixed, bytes(512, 4_096)),
  messages("LengthPrefixed, 1 MiB", LengthPrefixed.make(), handWritten.lengthPrefixed, bytes(4, 1_048_576)),
  messages("Lines, 64 B", Lines.make(), handWritten.lines, smallText),
  messages("Lines, 4 KiB", Lines.make(), handWritten.lines, lines(512, 4_096)),
  messages("Delimited, 64 B", Delimited.make({ delimiter: "\r\n" }), handWritten.delimited, smallText),
  messages("FixedLength, 64 B", FixedLength.make({ size: 64 }), handWritten.fixedLength, small),
  messages("VarintPrefixed, 64 B", VarintPrefixed.make(), handWritten.varintPrefixed, small),
  messages("Netstring, 64 B", Netstring.make(), handWritten.netstring, small),
  records("Tlv, 64 B", Tlv.make({ typeBytes: 2 }), handWritten.tlv, smallRecords),
  messages("ContentLength, 64 B", ContentLength.make(), handWritten.contentLength, small),
  messages("Cobs, 64 B", Cobs.make(), handWritten.cobs, small)
]
