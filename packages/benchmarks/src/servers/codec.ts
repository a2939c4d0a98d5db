/** Our codec alone: a WebSocket's machine fed with the chunks of `node:net`, without a connection, fiber or Stream. */
import type { Io } from "@wirestack/protocol/Machine"
import * as ServerHandshake from "@wirestack/websocket/handshake/ServerHandshake"
import { type Message, WebSocketMachine } from "@wirestack/websocket/machines/WebSocketMachine"
import * as Result from "effect/Result"
import * as net from "node:net"
import { maxMessageSize } from "../Serving.ts"
import { ready } from "./ready.ts"

/** Frames that were reserved, in one piece a read; what is written by itself goes between them. */
class Output {
  buffer = new Uint8Array(65_536)
  private from = 0
  private to = 0
  private readonly socket: net.Socket

  constructor(socket: net.Socket) {
    this.socket = socket
  }

  reserve(length: number): number {
    if (this.to + length > this.buffer.length) {
      this.flush()
      this.buffer = new Uint8Array(Math.max(65_536, length))
      this.from = this.to = 0
    }
    this.to += length
    return this.to - length
  }

  giveBack(length: number): void {
    this.to -= length
  }

  write(bytes: Uint8Array): void {
    this.flush()
    this.socket.write(bytes)
  }

  flush(): void {
    if (this.to > this.from) this.socket.write(this.buffer.subarray(this.from, this.to))
    this.from = this.to
  }
}

class Echo extends Output implements Io<Message, Uint8Array> {
  private readonly machine = new WebSocketMachine({ role: "server", maxMessageSize })

  receive(chunk: Uint8Array): void {
    this.machine.receive([chunk], this)
    this.machine.proceed(this)
    this.flush()
  }

  room(): boolean {
    return true
  }

  emit(message: Message): void {
    this.machine.encode(message, this)
  }

  end(): void {}

  closed(): void {}

  fail(): void {}
}

const upgrade = (socket: net.Socket): void => {
  const read = ServerHandshake.read()
  const onData = (chunk: Uint8Array): void => {
    const found = read(chunk)
    if (found === undefined) return
    const { head } = Result.getOrThrow(found)
    socket.removeListener("data", onData)
    socket.write(Result.getOrThrow(ServerHandshake.accept(Result.getOrThrow(ServerHandshake.judge(head)))))
    const echo = new Echo(socket)
    socket.on("data", (chunk) => echo.receive(chunk))
  }
  socket.on("data", onData)
  socket.on("error", () => socket.destroy())
}

const server = net.createServer({ noDelay: true }, upgrade)
server.listen(0, "127.0.0.1", () => ready((server.address() as net.AddressInfo).port))
