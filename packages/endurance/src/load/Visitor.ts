/**
 * One connection of the load, on a bare socket: it knows so much of WebSocket as these servers say, and checks all of it. What comes
 * back has to be each message once and in order, and so have the broadcasts.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.2
 */
import * as net from "node:net"
import type { Histogram } from "../support/Histogram.ts"
import { accepted, frame, request } from "../support/upgrade.ts"
import * as Speech from "./Speech.ts"

/** Where latencies are kept. */
export interface Latencies {
  readonly echo: Histogram
  readonly broadcast: Histogram
}

export class Visitor {
  /** Of its own messages: how many were sent, and came back. */
  sent = 0
  echoed = 0
  /** The latest broadcast. */
  heard = 0
  private readonly socket: net.Socket
  private readonly latencies: Latencies
  private readonly opened: () => void
  private readonly failed: (why: string) => void
  private isOpen = false
  private rest: Buffer | undefined = undefined

  constructor(
    where: net.TcpNetConnectOpts,
    latencies: Latencies,
    opened: () => void,
    failed: (why: string) => void
  ) {
    this.latencies = latencies
    this.opened = opened
    this.failed = failed
    this.socket = net.connect({ ...where, noDelay: true })
    this.socket.once("connect", () => this.socket.write(request(where.port)))
    this.socket.on("data", (chunk) => this.read(chunk))
    this.socket.once("error", ({ message }) => failed(message))
    this.socket.once("end", () => failed("the server has closed"))
  }

  say(): void {
    this.socket.write(frame(0x81, Buffer.from(Speech.say("e", ++this.sent))))
  }

  private read(chunk: Buffer): void {
    let bytes = this.rest === undefined ? chunk : Buffer.concat([this.rest, chunk])
    if (!this.isOpen) {
      const end = bytes.indexOf("\r\n\r\n")
      if (end >= 0) this.open(bytes.toString("latin1", 0, end))
      bytes = end < 0 ? bytes : bytes.subarray(end + 4)
    }
    let at = 0
    while (this.isOpen && at + 2 <= bytes.length && at + 2 + bytes[at + 1] <= bytes.length) {
      const from = at + 2
      at = from + bytes[at + 1]
      this.take(bytes[from - 2], bytes.subarray(from, at))
    }
    this.rest = at < bytes.length ? bytes.subarray(at) : undefined
  }

  private open(head: string): void {
    if (!head.startsWith("HTTP/1.1 101 ") || !head.includes(accepted)) {
      this.failed(`no upgrade: ${head.split("\r\n")[0]}`)
    }
    this.isOpen = true
    this.opened()
  }

  private take(first: number, payload: Buffer): void {
    if (first === 0x89) this.socket.write(frame(0x8a, payload))
    else if (first !== 0x81 || payload.length !== Speech.size) {
      this.failed(`a frame ${first} of ${payload.length} bytes`)
    } else this.hear(payload.toString("latin1"))
  }

  private hear(text: string): void {
    const isEcho = Speech.kindOf(text) === "e"
    const number = Speech.numberOf(text)
    const wanted = isEcho ? ++this.echoed : ++this.heard
    if (number !== wanted) this.failed(`${isEcho ? "echo" : "broadcast"} ${number} instead of ${wanted}`)
    this.latencies[isEcho ? "echo" : "broadcast"].add(Speech.ageOf(text))
  }
}
