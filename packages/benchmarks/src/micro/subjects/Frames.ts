/** WebSocket messages to and from frames: our machine beside the receiver and the sender of `ws`. */
import * as WebSocketMachine from "@wirestack/websocket/machines/WebSocketMachine"
import type { Benchmark } from "../Benchmark.ts"
import { Receiver, Sender } from "../references.ts"
import { Surroundings } from "../Surroundings.ts"
import { sameBytes, sameMessages } from "./same.ts"
import { ascii, batch, binary, frame, text } from "./samples.ts"

type Message = WebSocketMachine.Message

/** What a socket reads at once. */
const readSize = 65_536

const receiving = () => {
  const messages: Array<Message> = []
  const receiver = new Receiver({ isServer: true })
  receiver.on("message", (data, isBinary) => messages.push(isBinary ? data : data.toString()))
  return { receiver, taken: () => messages.splice(0) }
}

const decoding = () => ({
  machine: new WebSocketMachine.WebSocketMachine({ role: "server" }),
  io: new Surroundings<Message, Uint8Array>()
})

/** Messages that lie in one read, which is decoded in place. */
const decode = (name: string, messages: ReadonlyArray<string | Buffer>): Benchmark => ({
  name: `frames, decode ${name}`,
  reference: "ws",
  messages: messages.length,
  prepare: () => {
    const read = Buffer.concat(messages.map(frame))
    const input = [Uint8Array.from(read)]
    const { io, machine } = decoding()
    const { receiver, taken } = receiving()
    return {
      ours: () => {
        machine.receive(input, io)
        return io.takeUp()
      },
      reference: () => {
        receiver.write(read)
        return taken()
      },
      agree: sameMessages
    }
  }
})

/** A message of many reads, each into memory of its own, or into the memory that the machine offers. */
const decodeReads = (name: string, message: Buffer): Benchmark => ({
  name: `frames, decode ${name}`,
  reference: "ws",
  messages: 1,
  prepare: () => {
    const sent = frame(message)
    const { io, machine } = decoding()
    const { receiver, taken } = receiving()
    return {
      ours: () => {
        for (let at = 0; at < sent.length;) {
          const memory = machine.memory() ?? new Uint8Array(readSize)
          const read = memory.subarray(0, sent.length - at)
          read.set(sent.subarray(at, at + read.length))
          machine.receive([read], io)
          at += read.length
        }
        return io.takeUp()
      },
      reference: () => {
        for (let at = 0; at < sent.length; at += readSize) receiver.write(Buffer.from(sent.subarray(at, at + readSize)))
        return taken()
      },
      agree: sameMessages
    }
  }
})

/** What a client has said, with whatever key. */
const said = (pieces: ReadonlyArray<Uint8Array>): ReadonlyArray<Message> => {
  const { io, machine } = decoding()
  machine.receive(pieces.map((piece) => piece.slice()), io)
  return io.takeUp()
}

/** The sender leaves the UTF-8 of what need not be masked to the socket, which has memory for it. */
const socketMemory = Buffer.alloc(65_536)

const encode = (role: "client" | "server", name: string, messages: ReadonlyArray<string | Buffer>): Benchmark => ({
  name: `frames, encode ${name}${role === "client" ? ", masked" : ""}`,
  reference: "ws",
  messages: messages.length,
  prepare: () => {
    const machine = new WebSocketMachine.WebSocketMachine({ role })
    const io = new Surroundings<Message, Uint8Array>()
    const written: Array<Uint8Array> = []
    const sender = new Sender({
      cork: () => {},
      uncork: () => {},
      write: (data) =>
        void written.push(typeof data === "string" ? socketMemory.subarray(0, socketMemory.write(data)) : data)
    })
    const mask = role === "client"
    const options = { binary: typeof messages[0] !== "string", mask, fin: true, compress: false } as const
    return {
      ours: () => {
        for (const message of messages) machine.encode(message, io)
        return io.takeDown()
      },
      reference: () => {
        for (const message of messages) sender.send(message, options)
        return written.splice(0)
      },
      agree: mask ? (ours, reference) => sameMessages(said(ours), said(reference)) : sameBytes
    }
  }
})

const small = Array.from({ length: batch }, (_, n) => binary(64 + n).subarray(n))
const large = text(ascii, 16_384)
const huge = binary(1_048_576)

export const benchmarks: ReadonlyArray<Benchmark> = [
  decode("64 x 64 B", small),
  decode("16 KiB of text", [large]),
  decodeReads("1 MiB", huge),
  encode("server", "64 x 64 B", small),
  encode("server", "16 KiB of text", [large]),
  encode("server", "16 x 1 MiB", Array.from({ length: 16 }, () => huge)),
  encode("client", "64 x 64 B", small),
  encode("client", "16 KiB of text", [large]),
  encode("client", "256 KiB", [huge.subarray(0, 262_144)])
]
