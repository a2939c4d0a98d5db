/**
 * One way of a faulty connection: what is on it, when it arrives, and what is done to it.
 *
 *     put --> on its way, in order of the times it is due --> pass
 *
 * A mark lies among what is on its way and acts when all before it has passed, so that what is to happen after a byte happens right there.
 */
import * as Duration from "effect/Duration"
import type { ByteConditions, MessageConditions } from "../../faults/Plan.ts"
import type { Message } from "../../Transport.ts"
import { readAhead, readAheadMessages } from "../../wire/Wire.ts"
import { Alarm } from "../Alarm.ts"
import type { Deadlines } from "../Deadlines.ts"
import { sizeOf } from "../sizeOf.ts"

/** Where a way leads to. */
export interface Exit<in M> {
  /** Whether something may pass now. */
  open(): boolean
  pass(message: M, size: number): void
  /** Something may be due: the lane is to be pumped, in a turn of its own. */
  wake(): void
}

interface Parcel<M> {
  readonly message: M | undefined
  readonly size: number
  readonly due: number
  /** What a mark does. */
  readonly act: (() => void) | undefined
}

/** Something that happens when so many bytes, or messages, have passed. */
interface Milestone {
  readonly at: number
  readonly act: () => void
}

const millis = (time: Duration.Input | undefined): number =>
  time === undefined ? 0 : Duration.toMillis(Duration.fromInputUnsafe(time))

/** The `slice` of a Node `Buffer` would be a view of the same bytes. */
const copyOf = <M extends Message>(message: M): M =>
  (typeof message === "string" ? message : new Uint8Array(message)) as M

/** A segment of TCP, so that a narrow way is not silent for as long as a large piece takes. */
const segment = 1_460

export class Lane<M extends Message> {
  /** Bytes on their way. */
  size = 0
  /** What has passed. */
  readonly passed = { messages: 0, bytes: 0 }
  private readonly random: () => number
  private readonly deadlines: Deadlines
  private readonly exit: Exit<M>
  private readonly alarm: Alarm
  private readonly countsBytes: boolean
  private readonly losesOrder: boolean
  private readonly delay: number
  private readonly jitter: number
  private readonly merge: number
  private readonly split: number
  /** Bytes a millisecond. */
  private readonly speed: number
  private readonly corruptEvery: number
  private readonly drop: number
  private readonly duplicate: number
  private readonly begin: number
  private milestones: Array<Milestone> = []
  private parcels: Array<Parcel<M>> = []
  private head = 0
  private taken = 0
  private lastDue = 0
  private freeAt = 0
  private untilFlip = Infinity
  private holds = 0
  private gone = false

  constructor(
    kind: "bytes" | "messages" | "datagrams",
    conditions: ByteConditions & MessageConditions,
    random: () => number,
    deadlines: Deadlines,
    exit: Exit<M>
  ) {
    const { bandwidth = Infinity, corruptEvery = Infinity, drop = 0, duplicate = 0 } = conditions
    this.countsBytes = kind === "bytes"
    this.losesOrder = kind === "datagrams"
    this.random = random
    this.deadlines = deadlines
    this.begin = deadlines.now
    this.exit = exit
    this.alarm = new Alarm(deadlines, () => exit.wake())
    this.delay = millis(conditions.delay)
    this.jitter = millis(conditions.jitter)
    this.merge = millis(conditions.merge)
    this.speed = bandwidth / 1_000
    this.split = conditions.split ?? (bandwidth === Infinity ? Infinity : segment)
    this.corruptEvery = corruptEvery
    this.drop = drop
    this.duplicate = duplicate
    if (corruptEvery < Infinity) this.planFlip()
  }

  /** Whether the sender has to wait. */
  get full(): boolean {
    return this.size >= readAhead || this.parcels.length - this.head >= readAheadMessages
  }

  get empty(): boolean {
    return this.head === this.parcels.length
  }

  /** Whether nothing passes, for now or for good. */
  get silent(): boolean {
    return this.gone || this.holds > 0
  }

  /** Has something happen when so many bytes, or messages, have passed. */
  after(count: number, act: () => void): void {
    if (count <= this.taken) return this.mark(act)
    this.milestones.push({ at: count, act })
    this.milestones.sort((a, b) => a.at - b.at)
  }

  put(message: M): void {
    if (this.gone || (this.losesOrder && this.holds > 0)) return
    let rest = message
    while (this.countsBytes && rest.length > this.untilMilestone) {
      const first = this.untilMilestone
      this.take((rest as Uint8Array).subarray(0, first) as M)
      rest = (rest as Uint8Array).subarray(first) as M
    }
    this.take(rest)
  }

  /** Has something happen when all that is on its way has passed. */
  mark(act: () => void): void {
    if (!this.gone) this.add(undefined, act)
  }

  private get untilMilestone(): number {
    return this.milestones.length === 0 ? Infinity : this.milestones[0].at - this.taken
  }

  private take(message: M): void {
    this.taken += this.countsBytes ? message.length : 1
    if (this.drop === 0 || this.random() >= this.drop) this.send(message)
    if (this.duplicate > 0 && this.random() < this.duplicate) this.send(copyOf(message))
    while (this.untilMilestone <= 0) this.mark(this.milestones.shift()!.act)
  }

  private send(message: M): void {
    let rest = message
    while (this.countsBytes && rest.length > 1 && this.split < Infinity) {
      const size = 1 + Math.floor(this.random() * this.split)
      if (size >= rest.length) break
      this.add((rest as Uint8Array).subarray(0, size) as M)
      rest = (rest as Uint8Array).subarray(size) as M
    }
    this.add(rest)
  }

  private add(message: M | undefined, act?: () => void): void {
    const size = message === undefined ? 0 : sizeOf(message)
    const parcel = { message, size, act, due: this.dueOf(size) }
    this.size += size
    let place = this.parcels.length
    // A mark is no datagram: nothing passes it.
    while (
      place > this.head && this.parcels[place - 1].due > parcel.due && this.parcels[place - 1].act === undefined
    ) place--
    const overtakes = place < this.parcels.length
    this.parcels.splice(place, 0, parcel)
    if (overtakes && place === this.head) this.alarm.wake(parcel.due - this.deadlines.now)
  }

  private dueOf(size: number): number {
    const { now } = this.deadlines
    this.freeAt = Math.max(now, this.freeAt) + size / this.speed
    const due = this.freeAt + this.delay + (this.jitter === 0 ? 0 : this.random() * this.jitter)
    const arrival = this.merge === 0 ? due : this.begin + Math.ceil((due - this.begin) / this.merge) * this.merge
    return this.losesOrder ? arrival : this.lastDue = Math.max(this.lastDue, arrival)
  }

  /** Passes on what is due. */
  pump(): void {
    this.passUntil(this.deadlines.now)
  }

  /** Passes on all that is on its way, however early that is. */
  rush(): void {
    this.passUntil(Infinity)
  }

  private passUntil(now: number): void {
    while (this.ready(now)) {
      const parcel = this.parcels[this.head++]
      if (parcel.act !== undefined) parcel.act()
      else this.pass(this.merge > 0 ? this.joined(parcel, now) : parcel)
    }
    this.parcels.splice(0, this.head)
    this.head = 0
    const next = this.parcels[0]
    if (next !== undefined && !this.silent && next.due > now) this.alarm.wake(next.due - now)
  }

  private ready(now: number): boolean {
    return !this.silent && !this.empty && this.parcels[this.head].due <= now && this.exit.open()
  }

  /** What arrives together. */
  private joined(first: Parcel<M>, now: number): Parcel<M> {
    const parcels = [first]
    while (this.ready(now) && this.parcels[this.head].act === undefined) parcels.push(this.parcels[this.head++])
    if (parcels.length === 1) return first
    const size = parcels.reduce((sum, parcel) => sum + parcel.size, 0)
    const bytes = new Uint8Array(size)
    let at = 0
    for (const { message } of parcels) {
      bytes.set(message as Uint8Array, at)
      at += (message as Uint8Array).length
    }
    return { ...first, message: bytes as M, size }
  }

  private pass({ message, size }: Parcel<M>): void {
    this.size -= size
    this.passed.messages++
    this.passed.bytes += size
    this.exit.pass(this.corrupted(message!), size)
  }

  private corrupted(message: M): M {
    if (this.untilFlip >= message.length) {
      this.untilFlip -= message.length
      return message
    }
    const bytes = copyOf(message) as Uint8Array
    while (this.untilFlip < bytes.length) {
      const at = this.untilFlip
      bytes[at] ^= 1 << Math.floor(this.random() * 8)
      this.planFlip()
      this.untilFlip += at + 1
    }
    this.untilFlip -= bytes.length
    return bytes as M
  }

  private planFlip(): void {
    this.untilFlip = this.corruptEvery === Infinity ? Infinity : Math.floor(this.random() * 2 * this.corruptEvery)
  }

  /** Flips a bit of the next byte. */
  flip(): void {
    this.untilFlip = 0
  }

  /** Lets nothing pass until it is released as often. */
  hold(): void {
    this.holds++
    this.alarm.rest()
  }

  release(): void {
    this.holds--
  }

  /** Has all that is on its way vanish, and all that is still to come. */
  lose(): void {
    this.gone = true
    this.alarm.silence()
    this.discard()
  }

  /** Has all that is on its way vanish. */
  discard(): void {
    this.parcels = []
    this.head = 0
    this.size = 0
  }
}
