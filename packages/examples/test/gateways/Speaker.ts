/**
 * A member of a room who says numbered messages and never gives up: it comes back whenever its connection ends, with the last number it has
 * heard, and says again, by its key, whatever it has not heard itself say.
 */
import { type Connection, messages } from "@wirestack/protocol/Connection"
import { Effect, Redacted, Schedule, Stream } from "effect"
import { Chat, type ClientMessage, type Entry, type ServerMessage } from "../../src/chat/Chat.ts"

interface Said {
  readonly number: number
  readonly key: string
  readonly text: string
  readonly at: number
}

const again = Schedule.jittered(Schedule.spaced("50 millis"))

export class Speaker {
  readonly name: string
  readonly room: string
  /** What it has heard, in order. */
  readonly heard: Array<Entry> = []
  /** Milliseconds from saying something to hearing it. */
  readonly latencies: Array<number> = []
  /** Milliseconds without a room, each time. */
  readonly outages: Array<number> = []
  /** The codes with which its connections were closed; 0 for none. */
  readonly codes: Array<number> = []
  readonly faults: Array<string> = []
  said = 0
  private readonly pending = new Map<string, Said>()
  private last = 0
  private out = performance.now()
  private present: Connection<ServerMessage, ClientMessage> | undefined = undefined

  constructor(name: string, room: string) {
    this.name = name
    this.room = room
  }

  /** Whether it has heard all that it has said, and is there. */
  get isCalm(): boolean {
    return this.pending.size === 0 && this.isIn
  }

  /** How much of what it has said it has heard, from the first on. */
  get acknowledged(): number {
    const [first] = this.pending.values()
    return first === undefined ? this.said : first.number - 1
  }

  get isIn(): boolean {
    return this.present !== undefined
  }

  /** The number it has heard last. */
  get at(): number {
    return this.last
  }

  readonly say: Effect.Effect<void> = Effect.suspend(() => {
    const number = ++this.said
    const text = `${this.name} ${number}`
    const said = { number, key: text, text, at: performance.now() }
    this.pending.set(said.key, said)
    return this.present === undefined ? Effect.void : this.send(this.present, said)
  })

  /** Is there until it is interrupted. */
  visit(url: string) {
    return Effect.forever(Effect.andThen(Effect.ignore(this.session(url)), Effect.sleep("20 millis")))
  }

  private session(url: string) {
    return Effect.gen({ self: this }, function*() {
      const connection = yield* Effect.scoped(Effect.gen({ self: this }, function*() {
        const connection = yield* Effect.retry(Chat.connect(url), again)
        const { last: after, name, room } = this
        const secret = Redacted.make(`${name}'s very own secret`, { label: "secret" })
        yield* connection.send({ _tag: "Join", room, name, secret, ...after > 0 && { after } })
        yield* Effect.ignore(Stream.runForEach(messages(connection), (message) => this.hear(connection, message)))
        return connection
      }))
      if (this.present !== undefined) this.out = performance.now()
      this.present = undefined
      const { received } = yield* connection.closed
      this.codes.push(received?.code ?? 0)
    })
  }

  private send(connection: Connection<ServerMessage, ClientMessage>, { key, text }: Said): Effect.Effect<void> {
    return Effect.ignore(connection.send({ _tag: "Say", room: this.room, text, key }))
  }

  private hear(connection: Connection<ServerMessage, ClientMessage>, message: ServerMessage): Effect.Effect<void> {
    switch (message._tag) {
      case "Said":
        return Effect.sync(() => this.take(message))
      case "Joined":
        return Effect.suspend(() => {
          if (message.missed !== undefined) this.faults.push(`${this.name} missed ${message.missed}`)
          for (const entry of message.history) this.take(entry)
          return this.comeIn(connection)
        })
      case "Refused":
        return Effect.sync(() => void this.faults.push(`${this.name} was refused: ${message.reason}`))
      case "Presence":
        return Effect.void
    }
  }

  /** Says again what it has not heard, and then goes on. */
  private comeIn(connection: Connection<ServerMessage, ClientMessage>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      for (const said of this.pending.values()) yield* this.send(connection, said)
      this.present = connection
      this.outages.push(performance.now() - this.out)
    })
  }

  /** What it has heard is said to it again only to tell that it was said. */
  private take(entry: Entry): void {
    const { key, n } = entry
    const said = key === undefined ? undefined : this.pending.get(key)
    if (said !== undefined) {
      this.pending.delete(said.key)
      this.latencies.push(performance.now() - said.at)
    }
    if (n <= this.last) return
    if (n !== this.last + 1) this.faults.push(`${this.name} heard ${n} after ${this.last}`)
    this.last = n
    this.heard.push(entry)
  }
}
