/**
 * When a silent peer is asked whether it is there, and when it is given up: the plain calls behind the heartbeat of WebSocket and of
 * `Heartbeat`.
 *
 * Anything that arrives proves life. After `interval` without one a ping is sent, and the time for an answer begins when the ping
 * has left; it follows the round trips that were measured. Without an answer to `misses` pings in a row the connection fails
 * with `Unresponsive`. It looks four times in a `timeout`, so what it does may come that much later.
 *
 * - For what was sent since the last byte came there is a second more for every 64 KiB, a minute at most.
 * - A peer that doesn't take what we send, so that the ping can't leave, gets three times as long.
 * - While we don't take what has arrived nothing can be heard, so nothing is missed. A peer that itself stops reading for longer
 *   than all this is taken for dead.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
 */
import * as Duration from "effect/Duration"

/** When to ask, and when to give up. */
export interface Options {
  /** How long it may be silent before a ping is sent; 20 seconds by default. */
  readonly interval?: Duration.Input
  /** The time for an answer, at least; 5 seconds by default. It grows with the round trips, to `interval` at most. */
  readonly timeout?: Duration.Input
  /** How many pings in a row may go without an answer; 2 by default. */
  readonly misses?: number
}

/** The options in milliseconds. */
export interface Timing {
  readonly interval: number
  readonly timeout: number
  readonly misses: number
}

/**
 * The timing that options ask for.
 *
 * @category constructors
 */
export const timing = ({ interval = "20 seconds", misses = 2, timeout = "5 seconds" }: Options): Timing => {
  const longest = Duration.toMillis(Duration.fromInputUnsafe(interval))
  return { interval: longest, timeout: Math.min(longest, Duration.toMillis(Duration.fromInputUnsafe(timeout))), misses }
}

/** How often to look at a pulse, in milliseconds. */
export const pauseOf = ({ interval, timeout }: Timing): number => Math.max(1, Math.min(interval, timeout) / 4)

/** What a pulse is taken of. */
export interface Patient {
  /** Something has arrived since this was last set to false. */
  heard: boolean
  /** Nobody takes what has arrived. */
  readonly deaf: boolean
  /** How many bytes were sent since this was last set to 0. */
  handed: number
  /** Whether a ping may be sent. */
  readonly speaks: boolean
  /** A ping has not left yet. */
  readonly mute: boolean
}

/** How many bytes a millisecond a peer takes at least: a ping lies behind what was sent before it. */
const slowest = 65.536

/** How much longer than that nothing is on its way: the system's buffers hold some megabytes. */
const longest = 60_000

/** The heartbeat of one connection: `beat` is called from time to time and says what to do. */
export class Pulse {
  private readonly patient: Patient
  private readonly timing: Timing
  private since: number
  /** When the latest ping was sent, or was seen to have left if it had to wait. */
  private asked: number | undefined = undefined
  private held = false
  private missed = 0

  constructor(patient: Patient, timing: Timing, now: number) {
    this.patient = patient
    this.timing = timing
    this.since = now
  }

  /** How long it has been silent, in milliseconds. */
  silent(now: number): number {
    return now - this.since
  }

  /** Whether an answer is late. */
  get late(): boolean {
    return this.missed > 0
  }

  /** What is to be done now; `roundTrip` is how long an answer takes, as far as that is known. All times are in milliseconds. */
  beat(now: number, roundTrip: number | undefined): "wait" | "ping" | "fail" {
    const { patient, timing: { interval, misses, timeout } } = this
    if (patient.heard || patient.deaf) {
      patient.heard = false
      patient.handed = 0
      this.since = now
      this.asked = undefined
      this.missed = 0
    }
    if (!patient.speaks) return "wait"
    if (this.asked === undefined) return now - this.since < interval ? "wait" : this.ask(now)
    if (patient.mute) this.held = true
    else if (this.held) {
      this.held = false
      this.asked = now
    }
    const patience = Math.min(interval, Math.max(timeout, 4 * (roundTrip ?? 0))) * (this.held ? 3 : 1)
    if (now - this.asked < patience + Math.min(longest, patient.handed / slowest)) return "wait"
    return ++this.missed < misses ? this.ask(now) : "fail"
  }

  private ask(now: number): "ping" {
    this.asked = now
    this.held = false
    return "ping"
  }
}
