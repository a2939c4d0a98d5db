/**
 * A member: it visits a server again and again, says numbered things, and leaves in all the ways there are. What was acknowledged
 * must be known when it comes back, and what it says again must be heard once.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { type Connected, type FromServer, textOf } from "./Chat.ts"
import { closeWithin, type Host } from "./Host.ts"
import type { Ledger } from "./Ledger.ts"

/** How a visit ends. */
const ways = ["leaves", "leaves", "ends", "crashes", "fails", "isInterrupted", "fallsSilent"] as const

type Way = typeof ways[number]

/** The most messages that are on their way at once. */
const burst = 24

/** How often a member comes back at the end, to have everything acknowledged. */
const patience = 20

export class Member {
  readonly number: number
  /** The latest of its messages that it knows to be heard. */
  acknowledged = 0
  private readonly host: Host
  private readonly ledger: Ledger
  private readonly random: () => number
  /** The latest that it has ever said, and that it has said on this connection. */
  private said = 0
  private sent = 0
  private connection: Connected | undefined = undefined

  constructor(number: number, host: Host, ledger: Ledger, random: () => number) {
    this.number = number
    this.host = host
    this.ledger = ledger
    this.random = random
  }

  /** Visits until it is `over`, and then until all is acknowledged. */
  live(over: () => boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      yield* Effect.sleep(this.upTo(1_000))
      while (!over()) {
        yield* this.visit(ways[this.upTo(ways.length)], over)
        yield* Effect.sleep(this.upTo(300))
      }
      for (let tries = 0; tries < patience && this.acknowledged < this.said; tries++) {
        yield* this.visit("leaves", over)
        yield* Effect.sleep(this.upTo(500))
      }
      if (this.acknowledged < this.said) {
        this.breaks(`of ${this.said} messages only ${this.acknowledged} were acknowledged`)
      }
    })
  }

  /** One connection, however that ends. */
  private visit(way: Way, over: () => boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Scope.make()
      const talk = Scope.provide(this.talk(way, over), scope)
      const exit = yield* Effect.exit(way === "isInterrupted" ? Effect.timeoutOption(talk, this.upTo(1_500)) : talk)
      const from = performance.now()
      yield* Scope.close(scope, way === "isInterrupted" ? Exit.interrupt() : exit)
      const took = performance.now() - from
      if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) this.breaks(Cause.pretty(exit.cause))
      this.ledger.closes(closeWithin, took, yield* this.gone(way))
    })
  }

  /** What there is to tell of the connection that is closed now. */
  private gone(way: Way): Effect.Effect<string> {
    return Effect.gen({ self: this }, function*() {
      const { connection } = this
      this.connection = undefined
      if (connection === undefined) return `${this.host.name}, while connecting`
      const outcome = yield* Effect.timeoutOption(connection.closed, "100 millis")
      if (Option.isNone(outcome)) this.breaks("`closed` waits after the scope has closed")
      return `${this.host.name}, ${way}: ${JSON.stringify(Option.getOrUndefined(outcome)?.layers)}`
    })
  }

  private talk(way: Way, over: () => boolean) {
    return Effect.gen({ self: this }, function*() {
      const connection = yield* this.host.connect
      this.connection = connection
      yield* this.ledger.watch(connection)
      yield* connection.send({ _tag: "Hello", member: this.number })
      this.sent = Infinity
      yield* this.hear(connection, () => this.sent < Infinity)
      for (let bursts = 1 + this.upTo(6); bursts > 0; bursts--) {
        yield* this.say(connection)
        if (bursts === 1) return yield* this.part(connection, way)
        yield* this.hear(connection, () => this.acknowledged === this.sent)
        if (over()) return
        yield* Effect.sleep(this.upTo(400))
      }
    })
  }

  /** The end of a visit, while messages are on their way. */
  private part(connection: Connected, way: Way) {
    const all = this.hear(connection, () => this.acknowledged === this.sent)
    switch (way) {
      case "leaves":
        return all
      case "ends":
        // A WebSocket has no half-close, and just leaves.
        return Effect.andThen(Effect.ignore(connection.end), all)
      case "crashes":
        return connection.abort
      case "fails":
        return Effect.fail("a visit that fails")
      case "isInterrupted":
        return Effect.never
      case "fallsSilent":
        return Effect.andThen(Effect.sleep(this.upTo(4_000)), this.random() < 0.5 ? connection.abort : all)
    }
  }

  private say(connection: Connected) {
    const numbers = Array.from({ length: this.upTo(burst) }, (_, index) => this.sent + 2 + index)
    const first = this.sent + 1
    this.sent = first + numbers.length
    this.said = Math.max(this.said, this.sent)
    const message = (number: number) => ({ _tag: "Said", number, text: textOf(this.number, number) }) as const
    return connection.sendAll([message(first), ...numbers.map(message)])
  }

  private hear(connection: Connected, enough: () => boolean) {
    return Effect.gen({ self: this }, function*() {
      while (!enough()) for (const message of yield* connection.pull) this.take(message)
    })
  }

  private take(message: FromServer): void {
    if (message._tag === "Welcome") {
      const { acknowledged, said } = this
      const { heard } = message
      if (heard < acknowledged) this.breaks(`${acknowledged} was acknowledged, and ${heard} is known`)
      if (heard > said) this.breaks(`${said} was said, and ${heard} is known`)
      this.acknowledged = this.sent = heard
    } else {
      const { number } = message
      if (number !== this.acknowledged + 1) this.breaks(`${number} was acknowledged after ${this.acknowledged}`)
      this.acknowledged = number
      this.ledger.acknowledged++
    }
  }

  private upTo(most: number): number {
    return Math.floor(this.random() * most)
  }

  private breaks(what: string): void {
    this.ledger.breaks(`member ${this.number}: ${what}`)
  }
}
