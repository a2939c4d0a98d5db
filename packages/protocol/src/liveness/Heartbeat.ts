/**
 * A heartbeat for any stack of messages: it finds out that a peer is gone, which the layers below may never tell.
 *
 *     silent for 20 s      we                          peer
 *                          | -- ping ------------------> |
 *                          | <------------------ pong -- |     or, after two pings of 5 s: Unresponsive
 *
 * Both ends have the layer, and each asks for itself, as `Pulse` has it: any message is life, and nothing counts while we don't take what
 * has arrived. A message that takes longer to arrive than all this is silence too. While an answer is late the connection is not `viable`.
 *
 * By default its own signs are messages that begin with the byte C1, which neither UTF-8 nor MessagePack has:
 *
 *     C1 00            ping
 *     C1 01            pong
 *     C1 C1 ...        a message that begins with C1; the first C1 is not part of it
 *     anything else    the message itself
 *
 * So it costs nothing but the signs. A layer below that carries only text, or a protocol that has signs already, is given them as `ping` and
 * `pong`: then these two messages are the heartbeat's, and `Unencodable` above it.
 */

import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Connection from "../Connection.ts"
import { Unencodable, Unresponsive } from "../ConnectionError.ts"
import type { Prepared } from "../fanout/Prepared.ts"
import { Kept } from "../internal/Kept.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io, Machine, Timer } from "../Machine.ts"
import type { EndOfInput } from "../Outcome.ts"
import * as Protocol from "../Protocol.ts"
import { Violation } from "../Reason.ts"
import { type Message, Messages, type Shape } from "../Transport.ts"
import { type Options as Times, type Patient, pauseOf, Pulse, type Timing, timing } from "./Pulse.ts"

/** When to ask and to give up, and in which words. */
export interface Options extends Times {
  /** What asks and what answers, if not the signs of this layer; they differ. */
  readonly signs?: { readonly ping: Message; readonly pong: Message }
}

const layer = "heartbeat"

/**
 * Puts a heartbeat on a stack of messages. Throws a `RangeError` if both signs are the same.
 *
 * @category layers
 */
export const over = (options: Options = {}): Protocol.Over<"messages", never, "messages", never> => {
  const times = timing(options)
  const signs = options.signs === undefined ? own : given(options.signs)
  const put = <D>(lower: Connection.Connection<Message, Message, D>) =>
    Effect.suspend(() => beating(lower, signs, times))
  return Protocol.make(Messages, Messages, { layer, client: put, server: put })
}

/** The signs of life that a protocol has, among messages of any shape. */
export interface Vocabulary<in In, in out Out> extends Times {
  /** What asks. */
  readonly ping: Out
  /** What answers the peer's pings; left out if it sends none. */
  readonly pong?: Out
  /** Which received messages are signs: these are kept from the layer above. */
  readonly kindOf: (message: In) => "ping" | "pong" | "message"
  /** The weight of a message in bytes, by which what is received and not pulled is bounded. */
  readonly sizeOf: (message: In | Out) => number
  /** Whether to ping, too, when we have sent nothing for `interval`, since the peer counts that, as in MQTT; false by default. */
  readonly keepAlive?: boolean
}

/**
 * The same for a stack of any shape whose protocol has a ping of its own. What is asked may depend on what the layers below have agreed on,
 * which is `Need`ed then.
 *
 * ```ts
 * Heartbeat.within(Packets)({ interval: "30 seconds", keepAlive: true, ping: { cmd: "pingreq" }, kindOf, sizeOf })
 * ```
 *
 * @category layers
 */
export const within = <S, In, Out>(shape: Shape<S, In, Out>) =>
<Need = never>(
  given: Vocabulary<In, Out> | ((lower: Connection.Connection<In, Out, Need>) => Vocabulary<In, Out>)
): Protocol.Over<S, Need, S, never> => {
  const put = (lower: Connection.Connection<In, Out, Need>) =>
    Effect.suspend(() => {
      const vocabulary = typeof given === "function" ? given(lower) : given
      const signs: Signs<In, Out> = { ...vocabulary, wrap: (message) => message, unwrap: (message) => message }
      return beating(lower, signs, timing(vocabulary))
    })
  return Protocol.within(shape)<never, never, Need>({ layer, client: put, server: put })
}

const beating = <In, Out, D>(lower: Connection.Connection<In, Out, D>, signs: Signs<In, Out>, times: Timing) => {
  const machine = new Heart(signs, times)
  return Connection.fuse(lower, machine, { layer, begun: (control) => machine.belongTo(control) })
}

/** How signs are told from messages. */
interface Signs<in out In, in out Out> extends Pick<Vocabulary<In, Out>, "ping" | "pong" | "keepAlive" | "sizeOf"> {
  readonly kindOf: (message: In) => "ping" | "pong" | "message" | "unknown"
  /** A message as it is sent, and back. */
  readonly wrap: (message: Out) => Out
  readonly unwrap: (message: In) => In
}

const mark = 0xc1

const isMarked = (message: Message): message is Uint8Array => typeof message !== "string" && message[0] === mark

const sizeOf = (message: Message): number => message.length

const own: Signs<Message, Message> = {
  sizeOf,
  ping: Uint8Array.of(mark, 0),
  pong: Uint8Array.of(mark, 1),
  kindOf: (message) => {
    if (!isMarked(message) || message[1] === mark) return "message"
    return message.length !== 2 || message[1] > 1 ? "unknown" : message[1] === 0 ? "ping" : "pong"
  },
  wrap: (message) => {
    if (!isMarked(message)) return message
    const marked = new Uint8Array(message.length + 1)
    marked[0] = mark
    marked.set(message, 1)
    return marked
  },
  unwrap: (message) => isMarked(message) ? message.subarray(1) : message
}

/** Whether a message is this one, whichever way it was carried. */
const equals = (one: Message): (message: Message) => boolean => {
  const bytes = typeof one === "string" ? utf8.encode(one).slice() : one
  const text = typeof one === "string" ? one : Result.getOrUndefined(Result.try(() => utf8.decode(one)))
  return (message) =>
    typeof message === "string"
      ? message === text
      : message.length === bytes.length && message.every((byte, at) => byte === bytes[at])
}

const given = ({ ping, pong }: { readonly ping: Message; readonly pong: Message }): Signs<Message, Message> => {
  const [isPing, isPong] = [equals(ping), equals(pong)]
  if (isPing(pong) || isPong(ping)) throw new RangeError("the signs of a heartbeat must differ")
  return {
    sizeOf,
    ping,
    pong,
    kindOf: (message) => isPing(message) ? "ping" : isPong(message) ? "pong" : "message",
    wrap: (message) => {
      if (isPing(message) || isPong(message)) throw new Unencodable({ detail: "it is a sign of the heartbeat" })
      return message
    },
    unwrap: (message) => message
  }
}

class Heart<In, Out> implements Machine<In, Out, In, Out>, Patient {
  encoded = 0
  heard = false
  handed = 0
  /** A ping, and the answer to the peer's latest, that there has been no room for yet. */
  mute = false
  private owes = false
  private weEnded = false
  private peerEnded = false
  private askedAt = 0
  /** When something was sent last, if that is asked for. */
  private sentAt = 0
  private roundTrip: number | undefined = undefined
  private control!: Connection.Control
  private pulse!: Pulse
  private timer!: Timer
  private io!: Io<In, Out>
  private readonly kept = new Kept<In>()
  private readonly signs: Signs<In, Out>
  private readonly times: Timing

  constructor(signs: Signs<In, Out>, times: Timing) {
    this.signs = signs
    this.times = times
  }

  belongTo(control: Connection.Control): void {
    this.control = control
  }

  get deaf(): boolean {
    return !this.io.room()
  }

  get speaks(): boolean {
    return !this.weEnded && !this.peerEnded
  }

  start(io: Io<In, Out>, timer: Timer): void {
    this.io = io
    this.timer = timer
    this.sentAt = timer.now
    this.pulse = new Pulse(this, this.times, timer.now)
    timer.wake(pauseOf(this.times))
  }

  wakeup(io: Io<In, Out>): boolean {
    const { now } = this.timer
    const verdict = this.pulse.beat(now, this.roundTrip)
    this.control.viable(!this.pulse.late)
    if (verdict === "fail") {
      io.fail(new Unresponsive({ silent: Math.round(this.pulse.silent(now)), pings: this.times.misses }))
      return true
    }
    if (verdict === "ping" || this.isIdle(now)) {
      this.mute = true
      this.askedAt = this.sentAt = now
    }
    this.timer.wake(pauseOf(this.times))
    return true
  }

  /** Whether the peer has heard nothing for so long that it may give us up. */
  private isIdle(now: number): boolean {
    return this.signs.keepAlive === true && this.speaks && now - this.sentAt >= this.times.interval
  }

  receive(input: ReadonlyArray<In>, io: Io<In, Out>): boolean {
    this.heard = true
    const messages = this.kept.and(input)
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i]
      switch (this.signs.kindOf(message)) {
        case "message": {
          if (!io.room()) return this.kept.keep(messages, i, message)
          const given = this.signs.unwrap(message)
          io.emit(given, this.signs.sizeOf(given))
          break
        }
        case "ping":
          this.owes = this.signs.pong !== undefined && !this.weEnded
          break
        case "pong":
          this.roundTrip = this.timer.now - this.askedAt
          this.control.roundTrip(this.roundTrip)
          break
        case "unknown":
          io.fail(new Violation({ rule: "C1 is followed by 00, 01 or C1" }))
          return true
      }
    }
    return true
  }

  encode(message: Out, io: Io<In, Out>): void {
    io.write(this.signs.wrap(message))
    this.count(message)
  }

  prepare(message: Prepared<Out>): Prepared<Out> | undefined {
    return this.signs.wrap(message.message) === message.message ? message : undefined
  }

  passed({ message }: Prepared<Out>): void {
    this.count(message)
  }

  private count(message: Out): void {
    const size = this.signs.sizeOf(message)
    this.encoded += size
    this.handed += size
    if (this.signs.keepAlive === true) this.sentAt = this.timer.now
  }

  proceed(io: Io<In, Out>): boolean {
    if (this.owes) {
      this.owes = false
      io.write(this.signs.pong!)
    } else if (this.mute) {
      this.mute = false
      io.write(this.signs.ping)
    } else return false
    return true
  }

  end(): void {
    this.weEnded = true
    this.mute = false
  }

  ended(endOfInput: EndOfInput, io: Io<In, Out>): void {
    this.peerEnded = true
    io.end(endOfInput)
  }
}
