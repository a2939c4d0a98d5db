/** A protocol for tests: messages with a closing handshake (`bye CODE`), a control lane (`?n` answered `!n`), and rules. */
import { Connection, type Machine, Protocol, Transport } from "@wirestack/protocol"
import { Unencodable } from "@wirestack/protocol/ConnectionError"
import type { EndOfInput, Status, Unsent, Why } from "@wirestack/protocol/Outcome"
import { Truncated, Violation } from "@wirestack/protocol/Reason"
import type { Message } from "@wirestack/protocol/Transport"

const codes = { done: 1, failed: 2, away: 3, restart: 4, overloaded: 5 } as const

export class Parting implements Machine.Machine<Message, Message, Message, Message> {
  readonly awaitsLowerEnd: boolean
  private sent: Status | undefined = undefined
  private received: Status | undefined = undefined
  private answer: string | undefined = undefined
  private kept: Array<Message> = []
  private readonly queue: Array<Message> = []

  constructor(role: "client" | "server") {
    this.awaitsLowerEnd = role === "client"
  }

  receive(input: ReadonlyArray<Message>, io: Machine.Io<Message, Message>): boolean {
    this.kept.push(...input)
    while (this.kept.length > 0) {
      if (!io.room()) return false
      const message = this.kept.shift()!
      if (typeof message !== "string") io.emit(message, message.length)
      else if (message.startsWith("bye ")) return this.part(Number(message.slice(4)), io)
      else if (message.startsWith("?")) this.answer = `!${message.slice(1)}`
      else if (message === "bad") {
        io.write("bye 9")
        io.fail(new Violation({ rule: "no bad messages" }), { first: "local", sent: { code: 9, reason: "" } })
        return true
      } else if (message === "bug") throw new Error("a bug in the machine")
      else io.emit(message, message.length)
    }
    return true
  }

  encode(message: Message, io: Machine.Io<Message, Message>): void {
    if (message === "unencodable") throw new Unencodable({ detail: "no such message" })
    this.say(message, io)
  }

  get busy(): boolean {
    return this.queue.length > 0
  }

  private say(message: Message, io: Machine.Io<Message, Message>): void {
    if (this.busy || message.length > 1_000) this.queue.push(message)
    else io.write(message)
  }

  close(why: Why, io: Machine.Io<Message, Message>): void {
    if (this.sent !== undefined) return
    this.sent = { code: codes[why], reason: "" }
    this.say(`bye ${this.sent.code}`, io)
    if (this.received !== undefined) io.closed({ first: "remote", sent: this.sent, received: this.received })
  }

  proceed(io: Machine.Io<Message, Message>): boolean {
    const next = this.answer ?? this.queue.shift()
    this.answer = undefined
    if (next !== undefined) io.write(next)
    return next !== undefined
  }

  unsent(): Unsent {
    return { messages: this.queue.length, bytes: this.queue.reduce((sum, message) => sum + message.length, 0) }
  }

  ended(_endOfInput: EndOfInput, io: Machine.Io<Message, Message>): void {
    io.fail(new Truncated({ inside: "the conversation" }))
  }

  private part(code: number, io: Machine.Io<Message, Message>): boolean {
    this.received = { code, reason: "" }
    const first = this.sent === undefined ? "remote" : "local"
    if (this.sent === undefined) {
      this.sent = this.received
      this.say(`bye ${code}`, io)
    }
    io.closed({ first, sent: this.sent, received: this.received })
    return true
  }
}

export const Parted = Transport.shape<"parted", Message, Message>("test/Parted")

/** The protocol as a layer. */
export const over = () =>
  Protocol.make(Transport.Messages, Parted, {
    layer: "parting",
    client: (lower) => Connection.fuse(lower, new Parting("client"), { layer: "parting" }),
    server: (lower) => Connection.fuse(lower, new Parting("server"), { layer: "parting" })
  })
