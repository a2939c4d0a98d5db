/**
 * The load: keeps `depth` messages on their way on each connection and checks every byte that comes back. It answers a
 * read with one write of as many messages as have returned, so it costs far less than any server under test.
 */
import * as crypto from "node:crypto"
import * as net from "node:net"
import type { Contestant } from "./Contestant.ts"
import * as Frames from "./Frames.ts"
import type { Workload } from "./Workload.ts"

/** A running load on one server. */
export interface Load {
  /** Messages that came back so far. */
  readonly echoed: () => number
  /** Sends nothing more, waits until all has come back, and disconnects. */
  readonly stop: () => Promise<void>
}

/** Makes a WebSocket of a connected socket; `extensions` is what is offered, and has to be accepted. */
export const upgrade = (socket: net.Socket, extensions?: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const key = crypto.randomBytes(16).toString("base64")
    let head = ""
    const onData = (chunk: Buffer): void => {
      head += chunk.toString("latin1")
      if (!head.includes("\r\n\r\n")) return
      socket.off("data", onData)
      const accept = crypto.createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
      const extended = extensions === undefined || /^sec-websocket-extensions: /im.test(head)
      if (head.startsWith("HTTP/1.1 101") && head.includes(accept) && extended) resolve()
      else reject(new Error(`no upgrade: ${head}`))
    }
    socket.on("data", onData)
    socket.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n` +
        (extensions === undefined ? "\r\n" : `Sec-WebSocket-Extensions: ${extensions}\r\n\r\n`)
    )
  })

class Client {
  private readonly socket: net.Socket
  private readonly frames: Frames.Frames
  private readonly perMessage: number
  /** Bytes echoed in all, and of them those whose answer was sent. */
  private received = 0
  private answered = 0
  private stopped: (() => void) | undefined = undefined

  constructor(socket: net.Socket, frames: Frames.Frames, fail: (error: Error) => void) {
    this.socket = socket
    this.frames = frames
    this.perMessage = frames.echoed.length / frames.count
    socket.on("data", (chunk) => this.onData(chunk, fail))
    socket.on("error", fail)
    socket.write(frames.sent)
  }

  get echoed(): number {
    return Math.floor(this.received / this.perMessage)
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.stopped = () => {
        this.socket.destroy()
        resolve()
      }
    })
  }

  private onData(chunk: Buffer, fail: (error: Error) => void): void {
    const { echoed } = this.frames
    for (let at = 0; at < chunk.length;) {
      const from = (this.received + at) % echoed.length
      const length = Math.min(chunk.length - at, echoed.length - from)
      if (chunk.compare(echoed, from, from + length, at, at + length) !== 0) return fail(new Error("a wrong echo"))
      at += length
    }
    this.received += chunk.length
    const done = this.echoed
    if (this.stopped !== undefined) {
      if (this.received === (this.answered + this.frames.count) * this.perMessage) this.stopped()
      return
    }
    const { count, sent } = this.frames
    const size = sent.length / count
    while (this.answered < done) {
      const from = this.answered % count
      const messages = Math.min(done - this.answered, count - from)
      this.socket.write(sent.subarray(from * size, (from + messages) * size))
      this.answered += messages
    }
  }
}

/** Connects to a server on this machine. */
export const connect = (port: number): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket))
    socket.once("error", reject)
  })

/** Connects and begins. */
export const start = async (
  port: number,
  workload: Workload,
  { frameSize, speaks }: Pick<Contestant, "frameSize" | "speaks">,
  fail: (error: Error) => void
): Promise<Load> => {
  const framed = speaks !== "bytes"
  const frames = Frames.make(workload, framed, frameSize)
  const sockets = await Promise.all(Array.from({ length: workload.connections }, () => connect(port)))
  if (framed) await Promise.all(sockets.map((socket) => upgrade(socket)))
  const clients = sockets.map((socket) => new Client(socket, frames, fail))
  return {
    echoed: () => clients.reduce((sum, client) => sum + client.echoed, 0),
    stop: async () => {
      await Promise.all(clients.map((client) => client.stop()))
    }
  }
}
