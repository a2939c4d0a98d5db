/**
 * What a framer, a codec or another machine of your own must keep, as plain functions that throw: any test framework
 * runs them, and so does a script.
 *
 *     it("decodes", () => verifyBytes(() => framer.machine(), vectors))
 *
 * A vector is input and what must come of it. It is fed whole, byte by byte, cut in two at every byte (of a long one not at all of them),
 * in random pieces, with the room for one message at a time, and truncated at every such byte; always the same must come out. Meanwhile the
 * machine is held to its contract: no message without room, none after the end, none changed later, no input modified.
 */
import type { ConnectionReason } from "../ConnectionError.ts"
import type { Goodbye, Io, Machine, Timer } from "../Machine.ts"
import type { EndOfInput } from "../Outcome.ts"
import { equal, holds, named } from "./check.ts"
import { dice } from "./samples.ts"

/** How a machine's input ended: as it told, by the tag of the reason it failed with, or `"open"`. */
export type Ending = EndOfInput | "closed" | "open" | ConnectionReason["_tag"]

/** An `Io` that records, for one machine, and its timer. What goes down is in `written`, in order. Time passes only by `advance`. */
export class Probe<Up, Down> implements Io<Up, Down>, Timer {
  now = 0
  /** When the machine is to be woken; Infinity if it isn't. */
  wakesAt = Infinity
  readonly emitted: Array<Up> = []
  readonly sizes: Array<number> = []
  readonly written: Array<Down> = []
  ending: Ending = "open"
  reason: ConnectionReason | undefined = undefined
  goodbye: Goodbye | undefined = undefined
  /** How many messages it takes before `room` is false. */
  capacity = Infinity
  /** Anything the machine did against its contract. */
  readonly breaches: Array<string> = []

  buffer: Uint8Array = new Uint8Array(0)
  private reserved: Uint8Array | undefined = undefined
  private readonly copies: Array<Up> = []

  room(): boolean {
    return this.capacity > 0
  }

  emit(message: Up, size: number): void {
    if (this.capacity <= 0) this.breaches.push("it emitted a message without room")
    if (this.ending !== "open") this.breaches.push("it emitted a message after the end")
    if (!(size >= 0)) this.breaches.push(`it emitted a message of size ${size}`)
    this.capacity--
    this.emitted.push(message)
    this.sizes.push(size)
    this.copies.push(copy(message))
  }

  write(message: Down): void {
    this.settle()
    this.written.push(message)
  }

  reserve(length: number): number {
    this.settle()
    const offset = this.written.length % 7 + 1
    this.buffer = new Uint8Array(offset + length + 3)
    this.reserved = this.buffer.subarray(offset, offset + length)
    return offset
  }

  giveBack(length: number): void {
    const { reserved } = this
    if (reserved === undefined || reserved.length < length) this.breaches.push("it gave back what it had not reserved")
    else this.reserved = reserved.subarray(0, reserved.length - length)
  }

  end(endOfInput: EndOfInput): void {
    if (this.ending === "open") this.ending = endOfInput
  }

  closed(goodbye: Goodbye): void {
    this.goodbye ??= goodbye
    if (this.ending === "open") this.ending = "closed"
  }

  fail(reason: ConnectionReason, goodbye?: Goodbye): void {
    this.goodbye ??= goodbye
    this.reason ??= reason
    this.ending = this.reason._tag
  }

  wake(after: number): void {
    this.wakesAt = this.now + Math.max(1, Math.ceil(after))
  }

  rest(): void {
    this.wakesAt = Infinity
  }

  /** Lets some milliseconds pass, and wakes the machine whenever its time has come. */
  advance(machine: Machine<any, Down, Up, any>, millis: number): void {
    const end = this.now + millis
    while (this.wakesAt <= end) {
      this.now = this.wakesAt
      this.wakesAt = Infinity
      machine.wakeup?.(this)
      this.settle()
    }
    this.now = end
  }

  /** Ends the turn: what was reserved counts as written. */
  settle(): void {
    if (this.reserved !== undefined) this.written.push(this.reserved as Down)
    this.reserved = undefined
  }

  /** Fails if the machine broke its contract so far. */
  verify(what: string): void {
    equal(`${what}: what was emitted, later`, this.emitted, this.copies)
    equal(`${what}: breaches of the contract`, this.breaches, [])
  }
}

/** How a machine is fed. */
export interface FeedOptions {
  /** How many messages there is room for at a time; by default as many as come. */
  readonly room?: number | undefined
  /** How the input ends after the last piece; by default it doesn't. */
  readonly end?: EndOfInput | undefined
  /** Whether a machine that borrows is lent its input: then that is overwritten as soon as it was shown. */
  readonly lent?: boolean | undefined
  /** Whether its input is read into the memory that the machine offers, in as many reads as that takes. */
  readonly placed?: boolean | undefined
}

/** Shows a machine a piece, lent if it may be. */
const show = <LIn, LOut, In, Out>(
  machine: Machine<LIn, LOut, In, Out>,
  input: ReadonlyArray<LIn>,
  io: Probe<In, LOut>,
  lent: boolean
): boolean => {
  const [bytes] = input
  if (!lent || machine.borrow === undefined || input.length !== 1 || !(bytes instanceof Uint8Array)) {
    return machine.receive(input, io)
  }
  const memory = new Uint8Array(bytes.length + 16).fill(0xa5)
  memory.set(bytes)
  const took = machine.borrow(memory, bytes.length, io)
  if (!took) machine.own?.()
  memory.fill(0xa5)
  return took
}

/** A piece in reads, each into the memory that the machine offers by then, if it does. */
function* reads<LIn>(machine: Machine<LIn, any, any, any>, piece: ReadonlyArray<LIn>): Iterable<ReadonlyArray<LIn>> {
  for (const part of piece) {
    if (!(part instanceof Uint8Array)) yield [part]
    else {
      for (let at = 0; at < part.length;) {
        const memory = machine.memory?.() ?? new Uint8Array(part.length - at)
        const read = memory.subarray(0, part.length - at)
        read.set(part.subarray(at, at + read.length))
        at += read.length
        yield [read as LIn]
      }
    }
  }
}

/** Shows a machine its input, a call a piece, and tells what came of it. */
export const feed = <LIn, LOut, In, Out>(
  machine: Machine<LIn, LOut, In, Out>,
  pieces: ReadonlyArray<ReadonlyArray<LIn>>,
  options?: FeedOptions
): Probe<In, LOut> => {
  const io = new Probe<In, LOut>()
  const { lent = false, placed = false, room = Infinity } = options ?? {}
  machine.start?.(io, io)
  for (const piece of pieces) {
    for (const read of placed ? reads(machine, piece) : [piece]) {
      io.capacity = room
      let input = read
      for (let before = io.emitted.length; io.ending === "open" && !show(machine, input, io, lent);) {
        const reason = io.capacity <= 0 || io.emitted.length > before || io.ending !== "open"
        holds("it stops only without room, or behind what it emitted", reason, io.capacity)
        before = io.emitted.length
        io.capacity = room
        input = []
      }
      if (io.ending !== "open") break
    }
  }
  io.capacity = room
  if (io.ending === "open" && options?.end !== undefined) machine.ended(options.end, io)
  io.settle()
  return io
}

/** Input, and what must come of it. */
export interface Vector<LIn, In> {
  readonly name: string
  readonly input: LIn
  readonly messages: ReadonlyArray<In>
  /** How it ends, when the input ends after it; `"announced"` by default. */
  readonly ending?: Ending
  /** Where the input may end without being truncated, as offsets; not checked by default. */
  readonly boundaries?: ReadonlyArray<number>
}

/** A machine above bytes makes of every vector what it must, however the bytes are cut. */
export const verifyBytes = <LOut, In, Out>(
  make: () => Machine<Uint8Array, LOut, In, Out>,
  vectors: ReadonlyArray<Vector<Uint8Array, In>>
): void => {
  for (const vector of vectors) {
    const { input, name } = vector
    const untouched = input.slice()
    const run = (how: string, pieces: ReadonlyArray<ReadonlyArray<Uint8Array>>) => {
      for (const room of [undefined, 1, 2]) {
        const what = room === undefined ? `${name}, ${how}` : `${name}, ${how}, with room for ${room}`
        expect(what, () => feed(make(), pieces, { room, end: "announced" }), vector)
        expect(`${what}, lent`, () => feed(make(), pieces, { room, end: "announced", lent: true }), vector)
      }
    }
    run("whole", [[input]])
    run("byte by byte", Array.from(input, (byte) => [new Uint8Array([byte])]))
    run("byte by byte in one batch", [Array.from(input, (byte) => new Uint8Array([byte]))])
    run("between empty chunks", [[new Uint8Array(0), input], [new Uint8Array(0)]])
    for (const at of cutsOf(input.length)) {
      run(`cut at ${at}`, [[input.subarray(0, at)], [input.subarray(at)]])
      run(`cut at ${at} in one batch`, [[input.subarray(0, at), input.subarray(at)]])
      truncate(make, vector, at)
    }
    for (let seed = 1; seed <= 20; seed++) run(`random split ${seed}`, [randomSplit(input, seed)])
    equal(`${name}: the input, later`, input, untouched)
  }
  const ordinary = vectors.filter((vector) => (vector.ending ?? "announced") === "announced")
  if (ordinary.length > 1) {
    const all: Vector<Uint8Array, In> = {
      name: "all vectors in one chunk",
      input: concat(ordinary.map((vector) => vector.input)),
      messages: ordinary.flatMap((vector) => vector.messages)
    }
    expect(all.name, () => feed(make(), [[all.input]], { end: "announced" }), all)
    expect(`${all.name}, a message at a time`, () => feed(make(), [[all.input]], { room: 1, end: "announced" }), all)
  }
}

/** Where bytes are cut in two: everywhere; if there are many, where they begin and end, and here and there between. */
function* cutsOf(length: number): Iterable<number> {
  const near = 64
  const step = length <= 512 ? 1 : Math.floor(length / near)
  for (let at = 1; at < length; at += at < near || at >= length - near ? 1 : step) yield at
}

/** A machine above messages makes of every vector what it must, in one batch or several, with room or without. */
export const verifyMessages = <LIn, LOut, In, Out>(
  make: () => Machine<LIn, LOut, In, Out>,
  vectors: ReadonlyArray<Vector<ReadonlyArray<LIn>, In>>
): void => {
  for (const vector of vectors) {
    const { input, name } = vector
    for (const room of [undefined, 1, 2]) {
      const options = { room, end: "announced" } as const
      const what = room === undefined ? name : `${name}, with room for ${room}`
      expect(what, () => feed(make(), [input], options), vector)
      expect(`${what}, one at a time`, () => feed(make(), input.map((message) => [message]), options), vector)
    }
  }
}

/** What is encoded by one machine is decoded by another, in order; returns what went over the wire. */
export const verifyRoundTrip = <Wire, A, B>(
  sender: Machine<any, Wire, any, A>,
  receiver: Machine<Wire, any, B, any>,
  messages: ReadonlyArray<A>,
  expected: ReadonlyArray<B>
): ReadonlyArray<Wire> => {
  const written = encode(sender, messages)
  expect("round trip", () => feed(receiver, [written], { end: "announced" }), { messages: expected })
  return written
}

/** What a machine writes for the messages. */
export const encode = <LOut, Out>(
  machine: Machine<any, LOut, any, Out>,
  messages: ReadonlyArray<Out>
): ReadonlyArray<LOut> => {
  const io = new Probe<any, LOut>()
  const copies = messages.map(copy)
  machine.start?.(io, io)
  for (const message of messages) named("encode", () => machine.encode(message, io))
  io.settle()
  equal("what was given to encode, later", messages, copies)
  return io.written
}

/** A machine refuses to encode a message, with a reason of this tag, and writes nothing of it; returns the reason. */
export const verifyRefusal = <Out>(
  machine: Machine<any, any, any, Out>,
  message: Out,
  tag: ConnectionReason["_tag"]
): ConnectionReason => {
  const io = new Probe<any, any>()
  let reason: ConnectionReason | undefined
  try {
    machine.encode(message, io)
  } catch (thrown) {
    reason = thrown as ConnectionReason
  }
  io.settle()
  equal("why it refuses", reason?._tag, tag)
  equal("what it wrote nevertheless", io.written, [])
  return reason!
}

/** Bytes in one piece. */
export const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const chunk of chunks) length += chunk.length
  const all = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

/** Bytes cut at random, the same way for the same seed. */
export const randomSplit = (bytes: Uint8Array, seed: number): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  const roll = dice(seed)
  let at = 0
  while (at < bytes.length) {
    const size = 1 + roll(seed % 2 === 0 ? 8 : bytes.length)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

const expect = <In>(
  what: string,
  fed: () => Probe<In, any>,
  vector: { readonly messages: ReadonlyArray<In>; readonly ending?: Ending }
): void => {
  const io = named(what, fed)
  equal(`${what}: messages`, io.emitted, vector.messages)
  equal(`${what}: ending`, io.ending, vector.ending ?? "announced")
  io.verify(what)
}

/** Cut short, a vector gives the first of its messages, and an end that doesn't depend on how it was cut. */
const truncate = <In>(
  make: () => Machine<Uint8Array, any, In, any>,
  vector: Vector<Uint8Array, In>,
  at: number
): void => {
  const what = `${vector.name}, truncated at ${at}`
  const input = vector.input.subarray(0, at)
  const fed = (pieces: ReadonlyArray<ReadonlyArray<Uint8Array>>) =>
    named(what, () => feed(make(), pieces, { end: "announced" }))
  const io = fed([[input]])
  const again = fed(Array.from(input, (byte) => [new Uint8Array([byte])]))
  equal(`${what}, byte by byte: messages`, again.emitted, io.emitted)
  equal(`${what}, byte by byte: ending`, again.ending, io.ending)
  equal(`${what}: messages`, io.emitted, vector.messages.slice(0, io.emitted.length))
  if (vector.boundaries !== undefined && io.ending !== vector.ending) {
    equal(`${what}: ending`, io.ending, vector.boundaries.includes(at) ? "announced" : "Truncated")
  }
  io.verify(what)
}

/** A message of one's own: bytes, also as fields, may be written to by others. */
const copy = <A>(message: A): A => {
  if (message instanceof Uint8Array) return message.slice() as A
  if (typeof message !== "object" || message === null || Object.getPrototypeOf(message) !== Object.prototype) {
    return message
  }
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, copy(value)])) as A
}
