/** Frames to messages and back: our framers beside parsers written by hand, on bytes that come in reads of a socket. */
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
import type { Record } from "@wirestack/protocol/Transport"
import { isDeepStrictEqual } from "node:util"
import type { Benchmark } from "../Benchmark.ts"
import { Surroundings } from "../Surroundings.ts"
import * as handWritten from "./handWritten.ts"
import { sameBytes } from "./same.ts"
import { ascii, binary, text } from "./samples.ts"

/** What a socket reads at once, into memory of its own or that the machine offers; frames are cut where it ends. */
const readSize = 65_536

/** What a framer writes for the messages, in one piece. */
export const written = <M>(framer: Framer.Framer<unknown, M>, messages: ReadonlyArray<M>): Buffer => {
  const machine = framer.machine()
  const io = new Surroundings<unknown, Uint8Array>()
  for (const message of messages) machine.encode(message, io)
  return Buffer.concat(io.takeDown())
}

/** Bytes or text, as plain bytes: a parser by hand gives those of Node. */
const plain = (message: unknown): unknown =>
  message instanceof Uint8Array ?
    Uint8Array.from(message)
    : typeof message === "object"
    ? Object.fromEntries(Object.entries(message!).map(([key, value]) => [key, plain(value)]))
    : message

const sameMessages = (ours: ReadonlyArray<unknown>, reference: ReadonlyArray<unknown>): boolean =>
  isDeepStrictEqual(ours.map(plain), reference.map(plain))

type Parser = (found: (message: any) => void) => handWritten.OnData

const decode = <M>(
  name: string,
  framer: Framer.Framer<unknown, M>,
  parser: Parser,
  messages: ReadonlyArray<M>
): Benchmark => ({
  name: `framers, decode ${name}`,
  reference: "by hand",
  messages: messages.length,
  prepare: () => {
    const sent = written(framer, messages)
    const machine = framer.machine()
    const io = new Surroundings<unknown, Uint8Array>()
    let found: Array<unknown> = []
    const onData = parser((message) => found.push(message))
    return {
      ours: () => {
        for (let at = 0; at < sent.length;) {
          const memory = machine.memory?.() ?? new Uint8Array(readSize)
          const read = memory.subarray(0, Math.min(readSize, sent.length - at))
          read.set(sent.subarray(at, at + read.length))
          machine.receive([read], io)
          at += read.length
        }
        return io.takeUp()
      },
      reference: () => {
        for (let at = 0; at < sent.length; at += readSize) onData(Buffer.from(sent.subarray(at, at + readSize)))
        const messages = found
        found = []
        return messages
      },
      agree: sameMessages
    }
  }
})

const encode = <M>(
  name: string,
  framer: Framer.Framer<unknown, M>,
  frame: (message: M) => Uint8Array,
  messages: ReadonlyArray<M>
): Benchmark => ({
  name: `framers, encode ${name}`,
  reference: "by hand",
  messages: messages.length,
  prepare: () => {
    const machine = framer.machine()
    const io = new Surroundings<unknown, Uint8Array>()
    return {
      ours: () => {
        for (const message of messages) machine.encode(message, io)
        return io.takeDown()
      },
      reference: () => messages.map(frame),
      agree: sameBytes
    }
  }
})

const many = 2_048
const small: ReadonlyArray<Uint8Array> = Array.from({ length: many }, (_, n) => binary(64 + n % 64).subarray(n % 64))
const printable: ReadonlyArray<string> = Array.from({ length: many }, (_, n) => text(ascii, 64 + n % 64).slice(n % 64))
const textBytes: ReadonlyArray<Uint8Array> = printable.map((line) => Buffer.from(line))
const records: ReadonlyArray<Record> = small.map((value, type) => ({ type, value }))
const large: ReadonlyArray<Uint8Array> = Array.from({ length: 4 }, () => binary(1_048_576))

const framed = (payload: Uint8Array): Buffer => {
  const frame = Buffer.allocUnsafe(4 + payload.length)
  frame.writeUInt32BE(payload.length)
  frame.set(payload, 4)
  return frame
}

/** The format of `LengthPrefixed`, as functions and as a program. */
const own = {
  layer: "own",
  maxFrameSize: 1_048_580,
  encode: framed
}

const byFunctions = Framer.make<Uint8Array>({
  ...own,
  measure: (bytes, from) => bytes.length - from < 4 ? 4 : 4 + uint32(bytes, from),
  decode: (bytes, from, to) => bytes.subarray(from + 4, to)
})

const byProgram = Framer.program<Uint8Array>({
  ...own,
  decode: function*() {
    return yield* Framer.take(uint32(yield* Framer.take(4), 0))
  }
})

const uint32 = (bytes: Uint8Array, at: number): number =>
  bytes[at] * 0x1_00_00_00 + (bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3])

const lengthPrefixed = LengthPrefixed.make()
const { lengthPrefixed: byHand } = handWritten

export const benchmarks: ReadonlyArray<Benchmark> = [
  decode("LengthPrefixed, 64 B", lengthPrefixed, byHand, small),
  decode("LengthPrefixed, 1 MiB", lengthPrefixed, byHand, large),
  decode("Framer.make, 64 B", byFunctions, byHand, small),
  decode("Framer.program, 64 B", byProgram, byHand, small),
  decode("Lines, 64 B", Lines.make(), handWritten.lines, printable),
  decode("Delimited, 64 B", Delimited.make({ delimiter: "\r\n" }), handWritten.delimited, textBytes),
  decode("FixedLength, 64 B", FixedLength.make({ size: 64 }), handWritten.fixedLength, small),
  decode("VarintPrefixed, 64 B", VarintPrefixed.make(), handWritten.varintPrefixed, small),
  decode("Netstring, 64 B", Netstring.make(), handWritten.netstring, small),
  decode("Tlv, 64 B", Tlv.make({ typeBytes: 2 }), handWritten.tlv, records),
  decode("ContentLength, 64 B", ContentLength.make(), handWritten.contentLength, small),
  decode("Cobs, 64 B", Cobs.make(), handWritten.cobs, small),
  encode("LengthPrefixed, 64 B", lengthPrefixed, framed, small),
  encode("Lines, 64 B", Lines.make(), (line) => Buffer.from(`${line as string}\n`), printable)
]
