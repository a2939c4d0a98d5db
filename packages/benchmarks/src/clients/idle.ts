/**
 * A client with many connections that says one thing on each, checks that it comes back, and is silent from then on. With
 * permessage-deflate what it says is compressed, and long enough to be compressed by a server that spares short messages.
 */
import { once } from "node:events"
import type * as net from "node:net"
import * as zlib from "node:zlib"
import type { Contestant } from "../Contestant.ts"
import * as Frames from "../Frames.ts"
import * as Load from "../Load.ts"

/** What it is told to do. It answers with null when that is done, or with what went wrong. */
export type Command = { readonly open: number } | "close"

/** How many connections are opened at once: fewer than a server lets wait. */
const atOnce = 200

const [, , port, speaks] = process.argv as unknown as [string, string, string, Contestant["speaks"]]

const message = Buffer.from(
  speaks === "deflate"
    ? JSON.stringify(Array.from({ length: 60 }, (_, n) => ({ id: n * n, name: `number ${n}` })))
    : "hello"
)

const mask = Buffer.from([17, 42, 99, 250])

/** The end of a compressed message that is not sent: RFC 7692 section 7.2.1. */
const tail = Buffer.from([0, 0, 0xff, 0xff])

const flushed = { finishFlush: zlib.constants.Z_SYNC_FLUSH }

const frame = speaks === "bytes"
  ? message
  : speaks === "frames"
  ? Frames.masked(Frames.binary, message, mask)
  : Frames.masked(Frames.compressedBinary, zlib.deflateRawSync(message, flushed).subarray(0, -tail.length), mask)

/** The one message in the bytes received so far, when it is complete. */
const messageOf = (bytes: Buffer): Buffer | undefined => {
  if (speaks === "bytes") return bytes.length < message.length ? undefined : bytes
  if (bytes.length < 4) return undefined
  const long = bytes[1] === 126
  const start = long ? 4 : 2
  const end = start + (long ? bytes.readUInt16BE(2) : bytes[1])
  if (bytes.length < end) return undefined
  const body = bytes.subarray(start, end)
  return bytes[0] === Frames.compressedBinary ? zlib.inflateRawSync(Buffer.concat([body, tail]), flushed) : body
}

const open = async (): Promise<net.Socket> => {
  const socket = await Load.connect(Number(port))
  if (speaks !== "bytes") await Load.upgrade(socket, speaks === "deflate" ? "permessage-deflate" : undefined)
  socket.write(frame)
  let received = Buffer.alloc(0)
  let echo: Buffer | undefined
  while (echo === undefined) {
    const [chunk] = await once(socket, "data") as [Buffer]
    received = Buffer.concat([received, chunk])
    echo = messageOf(received)
  }
  if (!echo.equals(message)) throw new Error("a wrong echo")
  socket.resume()
  return socket
}

/** Says goodbye and waits for the end. */
const close = async (socket: net.Socket): Promise<void> => {
  const closed = once(socket, "close")
  if (speaks === "bytes") socket.end()
  else socket.write(Frames.masked(0x88, Buffer.from([0x03, 0xe8]), mask))
  await closed
}

/** Does something so many times, some at once. */
const times = async (count: number, step: () => Promise<void>): Promise<void> => {
  let left = count
  const work = async (): Promise<void> => {
    while (left-- > 0) await step()
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

const sockets: Array<net.Socket> = []

const obey = (command: Command): Promise<void> =>
  command === "close"
    ? times(sockets.length, () => close(sockets.pop()!))
    : times(command.open, async () => void sockets.push(await open()))

process.on("message", (command: Command) => {
  obey(command).then(() => process.send!(null), (error) => process.send!(String(error)))
})
process.on("disconnect", () => process.exit(0))
