/**
 * What every framer must keep, as cases any test framework can run:
 *
 *     for (const { name, run } of framerSuite(subject)) it(name, run)
 *
 * A subject says what the framer's frames look like (`vectors`), what can be sent (`sample`), and what can't. From that follow the
 * cuts at every byte, the truncations, the noise, the lack of room and the rest, which are the same for all framers.
 */

import type { ConnectionReason } from "../ConnectionError.ts"
import type { Framer } from "../Framer.ts"
import type { Machine } from "../Machine.ts"
import type { EndOfInput } from "../Outcome.ts"
import { equal, holds } from "./check.ts"
import {
  concat,
  encode,
  feed,
  type FeedOptions,
  Probe,
  randomSplit,
  type Vector,
  verifyBytes,
  verifyRefusal
} from "./machineSuite.ts"

/** A framer, and what it is to be tested with. */
export interface FramerSubject<In, Out> {
  readonly framer: Framer<In, Out>
  /** Bytes, and what must come of them. Malformed frames are among them. */
  readonly vectors: ReadonlyArray<Vector<Uint8Array, NoInfer<In>>>
  /** The n-th message of about `size` bytes. */
  readonly sample: (n: number, size: number) => NoInfer<Out>
  /** What a message is when it is received. */
  readonly received: (message: NoInfer<Out>) => NoInfer<In>
  /** How large the samples are; by default up to 40,000 bytes. */
  readonly sizes?: ReadonlyArray<number>
  /** Bytes that pass the limit, each by its own, whatever comes behind them. */
  readonly tooLarge?: ReadonlyArray<Uint8Array>
  /** Bytes that end no frame however often they come: before `within` bytes of them the framer fails with `TooLarge`. */
  readonly endless?: { readonly bytes: Uint8Array; readonly within: number }
  /** What can't be sent, and the tag of the reason. */
  readonly refused?: ReadonlyArray<readonly [message: NoInfer<Out>, tag: ConnectionReason["_tag"]]>
  /** What becomes of an input that ends inside a frame; false if a rest may be a frame. `Truncated` by default. */
  readonly truncates?: boolean
}

/** A case: it throws what was seen and what was wanted. */
export interface FramerCase {
  readonly name: string
  readonly run: () => void
}

const defaultSizes = [0, 1, 2, 3, 63, 64, 127, 128, 129, 253, 254, 255, 256, 1_000, 4_096, 4_097, 40_000]

const smallSize = 130

const ends: ReadonlyArray<EndOfInput> = ["announced", "unannounced", "unknown"]

/** The cases every framer must pass. */
export const framerSuite = <In, Out>(subject: FramerSubject<In, Out>): ReadonlyArray<FramerCase> => {
  const { endless, framer, received, refused = [], sizes = defaultSizes, tooLarge = [], vectors } = subject
  const make = (): Machine<Uint8Array, Uint8Array, In, Out> => framer.machine()
  const samples = sizes.map((size, n) => subject.sample(n, size))
  const small = samples.filter((_, n) => sizes[n] <= smallSize)
  const truncates = subject.truncates !== false
  const wireOf = (messages: ReadonlyArray<Out>): Uint8Array => concat(encode(make(), messages))
  const cases: Array<FramerCase> = []
  const add = (name: string, run: () => void): void => void cases.push({ name, run })

  add("makes of every vector what it must, however the bytes are cut", () => verifyBytes(make, vectors))

  add("receives what it sends, however the bytes are cut", () => {
    const whole = wireOf(samples)
    const messages = samples.map(received)
    for (const { how, io } of ways(make, whole)) {
      equal(`${how}: messages`, io.emitted, messages)
      equal(`${how}: ending`, io.ending, "announced")
      io.verify(how)
    }
  })

  add("gives each message as soon as it is there", () => {
    const sender = make()
    const machine = make()
    const io = new Probe<In, Uint8Array>()
    const out = new Probe<In, Uint8Array>()
    samples.forEach((message, n) => {
      sender.encode(message, out)
      out.settle()
      for (const chunk of out.written.splice(0)) machine.receive([chunk], io)
      equal(`messages after ${n + 1}`, io.emitted.length, n + 1)
    })
  })

  add("does not count on the memory it has offered", () => {
    const machine = make()
    const io = new Probe<In, Uint8Array>()
    for (const piece of randomSplit(wireOf(samples), 9)) {
      machine.memory?.()?.fill(0xa5)
      machine.receive([piece], io)
    }
    equal("messages", io.emitted, samples.map(received))
  })

  add("counts what it carries", () => {
    const sender = make()
    const io = feed(make(), [encode(sender, samples)])
    if (sender.encoded !== undefined) equal("bytes, sent and received", sender.encoded, sum(io.sizes))
  })

  add("ends between two frames, and is truncated inside one", () => {
    const frames = small.map((one) => wireOf([one]))
    const wire = concat(frames)
    const boundaries = boundariesOf(frames)
    for (const end of ends) {
      for (let at = 0; at <= wire.length; at++) {
        const cut = wire.subarray(0, at)
        const pieces = at % 2 === 0 ? [cut] : randomSplit(cut, at)
        const { emitted, ending } = feed(make(), pieces.map((piece) => [piece]), { end })
        if (boundaries.includes(at)) equal(`${end} after ${at} bytes`, ending, end)
        else if (truncates) equal(`${end} after ${at} bytes`, ending, "Truncated")
        if (truncates) {
          equal(
            "messages",
            emitted,
            small.slice(0, boundaries.findLastIndex((end) => end <= at)).map(received)
          )
        }
      }
    }
  })

  add("makes the same of noise, however it is cut", () => {
    const wire = wireOf(small)
    for (let seed = 1; seed <= 24; seed++) {
      const noise = seed % 4 === 0 ? bytesOf(seed, 200) : mutated(wire, seed)
      const [first, ...others] = ways(make, noise)
      for (const { how, io } of [first, ...others]) {
        const what = `noise ${seed}, ${how}`
        equal(`${what}: messages`, io.emitted, first.io.emitted)
        equal(`${what}: ending`, io.ending, first.io.ending)
        equal(`${what}: why`, io.reason?.message, first.io.reason?.message)
        io.verify(what)
      }
    }
  })

  add("refuses what is over its limit, and tells what came before", () => {
    const before = wireOf(samples.slice(0, 2))
    for (const bytes of tooLarge) {
      for (const { how, io } of ways(make, concat([before, bytes, bytesOf(1, 50)]))) {
        equal(`${how}: ending`, io.ending, "TooLarge")
        equal(`${how}: messages`, io.emitted, samples.slice(0, 2).map(received))
      }
      equal("at once: ending", feed(make(), [[bytes]]).ending, "TooLarge")
    }
    if (endless !== undefined) {
      const machine = make()
      const io = new Probe<In, Uint8Array>()
      let shown = 0
      while (io.ending === "open" && shown < endless.within) {
        machine.receive([endless.bytes.slice()], io)
        shown += endless.bytes.length
      }
      equal(`after ${shown} bytes without an end`, io.ending, "TooLarge")
    }
  })

  add("stops without room, also if more comes meanwhile", () => {
    const frames = samples.map((one) => wireOf([one]))
    for (const room of [1, 2, 5]) {
      const machine = make()
      const io = new Probe<In, Uint8Array>()
      for (const frame of frames) {
        io.capacity = 0
        machine.receive([frame], io)
        io.capacity = room
        machine.receive([], io)
      }
      for (io.capacity = room; !machine.receive([], io);) io.capacity = room
      equal(`with room for ${room}`, io.emitted, samples.map(received))
      io.verify(`with room for ${room}`)
    }
  })

  add("refuses what it can't send, and the wire stays clean", () => {
    const [good] = samples
    const clean = wireOf([good, good])
    for (const [message, tag] of refused) {
      verifyRefusal(make(), message, tag)
      const machine = make()
      const io = new Probe<In, Uint8Array>()
      machine.encode(good, io)
      holds("it refuses", refuses(() => machine.encode(message, io)))
      machine.encode(good, io)
      io.settle()
      equal("what was written around it", concat(io.written), clean)
    }
  })

  add("half-closes: it writes nothing more, and goes on to receive", () => {
    const machine = make()
    if (machine.end === undefined) return
    const io = new Probe<In, Uint8Array>()
    machine.end(io)
    machine.receive([wireOf(small)], io)
    machine.ended("announced", io)
    io.settle()
    equal("what was written", io.written, [])
    equal("messages", io.emitted, small.map(received))
    equal("ending", io.ending, "announced")
  })

  return cases
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((a, b) => a + b, 0)

/** Where frames begin and end that lie one behind the other. */
const boundariesOf = (frames: ReadonlyArray<Uint8Array>): ReadonlyArray<number> => {
  let at = 0
  return [0, ...frames.map(({ length }) => at += length)]
}

const refuses = (step: () => void): boolean => {
  try {
    step()
    return false
  } catch {
    return true
  }
}

/** Shows a machine the same bytes in many ways. */
const ways = <In>(make: () => Machine<Uint8Array, Uint8Array, In, any>, bytes: Uint8Array) => {
  const untouched = bytes.slice()
  const end = "announced"
  const way = (how: string, pieces: ReadonlyArray<Uint8Array>, options?: FeedOptions) => {
    const io = feed(make(), pieces.map((piece) => [piece]), { end, ...options })
    equal(`${how}: the input, later`, bytes, untouched)
    return { how, io }
  }
  const few = bytes.length <= 20_000 ? [way("byte by byte", Array.from(bytes, (byte) => Uint8Array.of(byte)))] : []
  return [
    way("whole", [bytes]),
    ...few,
    way("a message at a time", [bytes], { room: 1 }),
    way("lent", [bytes], { lent: true }),
    way("lent, two messages at a time", randomSplit(bytes, 11), { lent: true, room: 2 }),
    way("read into its place", randomSplit(bytes, 5), { placed: true }),
    way("read into its place, a message at a time", randomSplit(bytes, 7), { placed: true, room: 1 }),
    ...[1, 2, 3, 4].map((seed) => way(`random split ${seed}`, randomSplit(bytes, seed))),
    ...[1, 3].map((seed) => way(`random split ${seed}, with room for 1`, randomSplit(bytes, seed), { room: 1 }))
  ]
}

/** Numbers that look random, the same for the same seed. */
const randomly = (seed: number): (most: number) => number => {
  let state = Math.imul(seed, 0x9e3779b9) >>> 0
  return (most) => {
    state ^= state << 13
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return state % most
  }
}

const bytesOf = (seed: number, size: number): Uint8Array => {
  const next = randomly(seed)
  return Uint8Array.from({ length: size }, () => next(256))
}

/** Good bytes with one place spoiled: changed, left out, or doubled. */
const mutated = (bytes: Uint8Array, seed: number): Uint8Array => {
  const next = randomly(seed)
  const at = next(bytes.length)
  const head = bytes.slice(0, at)
  const tail = bytes.slice(at)
  if (seed % 4 === 1) return concat([head, tail.subarray(1)])
  if (seed % 4 === 2) return concat([head, tail.subarray(0, 1), tail])
  tail[0] ^= 1 << next(8)
  return concat([head, tail])
}
