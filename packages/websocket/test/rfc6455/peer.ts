/** What the tests of RFC 6455 have in common: a machine of each role, the frames of its peer, and what must come of them. */
import { assert, it } from "@effect/vitest"
import { TooLarge, Truncated, Violation } from "@wirestack/protocol/Reason"
import { type Message, type Options, WebSocketMachine } from "../../src/machines/WebSocketMachine.ts"
import {
  closeBody,
  concat,
  cuts,
  drain,
  FakeIo,
  frame,
  type FrameOptions,
  hex,
  proceed,
  type Read,
  receive,
  text,
  toHex,
  unframe
} from "../support.ts"

export type Role = Options["role"]

/** A machine, its Io, and a peer that frames as it must: a client with a mask, a server without. */
export const setup = (role: Role, options?: Omit<Options, "role">) => {
  const machine = new WebSocketMachine({ role, ...options })
  const io = new FakeIo<Message>()
  const pongs: Array<Uint8Array> = []
  machine.onPong = (payload) => pongs.push(payload)
  return {
    machine,
    io,
    pongs,
    /** The frames that were sent since the last time, but for what waits. */
    sent: () => unframe(io.sent()),
    /** The next frame of what waits; each goes on its own, so that there is room between any two. */
    next: () => {
      let bytes = proceed(machine)
      // A compressor may keep what it was given.
      while (bytes?.length === 0) bytes = proceed(machine)
      const frames = unframe(bytes ?? new Uint8Array(0))
      assert.lengthOf(frames, bytes === undefined ? 0 : 1)
      return frames.at(0)
    },
    /** All frames that wait. */
    waiting: () => unframe(concat(...drain(machine)))
  }
}

export type Framing = (opcode: number, payload: Uint8Array | string, options?: FrameOptions) => Uint8Array

/** How the peer of this role frames. */
export const framing = (role: Role): Framing => (opcode, payload, options) =>
  frame(opcode, payload, { mask: role === "server", ...options })

const roles = ["client", "server"] as const

/** A test for both roles. */
export const both = (name: string, test: (role: Role, peer: Framing) => void): void => {
  for (const role of roles) it(`RFC 6455 ${name} (as a ${role})`, () => test(role, framing(role)))
}

export const only = (role: Role, name: string, test: (peer: Framing) => void): void =>
  it(`RFC 6455 ${name}`, () => test(framing(role)))

export const thrown = (f: () => void): unknown => {
  try {
    f()
    return undefined
  } catch (reason) {
    return reason
  }
}

export const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7)

export const limits = { maxMessageSize: 100_000, maxFragments: 8 }

interface Heard {
  readonly messages: ReadonlyArray<Message>
  readonly pongs?: ReadonlyArray<Uint8Array>
  /** The payloads of the pongs that are sent at the end. */
  readonly answers?: ReadonlyArray<Uint8Array>
}

/** The input is taken, whole, byte by byte and in random splits, and leaves nothing incomplete. */
export const accepts = (role: Role, input: Uint8Array, { answers = [], messages, pongs = [] }: Heard): void => {
  for (const parts of cuts(input)) {
    const { io, machine, pongs: heard, waiting } = setup(role, limits)
    for (const part of parts) receive(machine, [part], io)
    assert.deepStrictEqual(io.emitted, messages)
    assert.deepStrictEqual(heard, pongs)
    assert.deepStrictEqual(waiting().map(({ opcode, payload }) => [opcode, payload]), answers.map((ping) => [10, ping]))
    machine.ended("announced", io)
    assert.deepStrictEqual(io.reason, new Truncated({ inside: "the connection, before a Close frame" }))
  }
}

/**
 * The byte at `at` breaks a rule: not before, but then at once, and however the input is cut, the machine fails, says so
 * in one Close frame with this code, and goes no further. The messages are what the input has before that.
 */
export const refuses = (
  role: Role,
  input: Uint8Array,
  code: number,
  at = input.length - 1,
  messages: ReadonlyArray<Message> = []
): void => {
  const before = framing(role)(1, "before")
  const bytewise = (end: number) =>
    Array.from(concat(before, input).subarray(0, before.length + end), (b) => Uint8Array.of(b))
  const early = setup(role, limits)
  receive(early.machine, bytewise(at), early.io)
  assert.deepStrictEqual(early.io.events, [], `byte ${at} is not the first wrong one`)
  const after = concat(framing(role)(1, "after"), framing(role)(9, "after"), framing(role)(8, closeBody(1000)))
  for (const parts of [bytewise(at + 1), ...cuts(concat(before, input, after))]) {
    const { io, machine, sent, waiting } = setup(role, limits)
    receive(machine, parts, io)
    assert.deepStrictEqual(io.events, ["fail"])
    assert.deepStrictEqual(io.emitted, ["before", ...messages])
    assert.isTrue(io.reason instanceof (code === 1009 ? TooLarge : Violation))
    const [close, ...rest] = sent()
    assert.deepStrictEqual([close.fin, close.rsv, close.opcode], [true, 0, 8])
    assert.strictEqual(toHex(close.payload.subarray(0, 2)), toHex(closeBody(code)))
    assert.deepInclude(io.goodbye, { first: "local" })
    assert.strictEqual(io.goodbye?.sent?.code, code)
    assert.isUndefined(io.goodbye?.received)
    assert.deepStrictEqual([rest, waiting()], [[], []])
  }
}

/**
 * The messages in frames that were sent, text as a string: fragments are put together as 5.4 has it, the type in the first and
 * FIN in the last. Control frames may be anywhere.
 */
export const assembled = (frames: ReadonlyArray<Read>): ReadonlyArray<Message> => {
  const messages: Array<Message> = []
  let type = 0
  let parts: Array<Uint8Array> = []
  for (const { fin, opcode, payload, rsv } of frames.filter(({ opcode }) => opcode < 8)) {
    assert.strictEqual(opcode === 0, parts.length > 0, "a continuation continues a message, and nothing else does")
    assert.strictEqual(rsv, 0)
    if (opcode !== 0) type = opcode
    parts.push(payload)
    if (!fin) continue
    const whole = concat(...parts)
    messages.push(type === 1 ? text(whole) : whole)
    parts = []
  }
  assert.lengthOf(parts, 0, "a message has an end")
  return messages
}

/** Frames of all kinds that a machine of this role sends, each in bytes. */
export const everything = (role: Role): ReadonlyArray<Uint8Array> => {
  const peer = framing(role)
  const all: Array<Uint8Array> = []
  const { io, machine } = setup(role)
  for (const size of [0, 1, 12, 13, 125, 126, 127, 32_767, 32_768, 65_535, 65_536]) {
    for (const message of ["x".repeat(size), "é".repeat(size), bytes(size)]) {
      machine.encode(message, io)
      const sent = io.sent()
      all.push(...sent.length > 0 ? [sent] : drain(machine))
    }
  }
  for (const size of [0, 1, 125]) {
    machine.ping(bytes(size))
    all.push(proceed(machine)!)
    receive(machine, [peer(9, bytes(size))], io)
    all.push(proceed(machine)!)
  }
  const ends: ReadonlyArray<(machine: WebSocketMachine, io: FakeIo<Message>) => void> = [
    (machine, io) => machine.close("done", io),
    (machine, io) => {
      machine.closeWith(1012, "é".repeat(100))
      machine.close("done", io)
    },
    (machine, io) => receive(machine, [peer(8, "")], io),
    (machine, io) => receive(machine, [peer(8, closeBody(1001, "bye"))], io),
    (machine, io) => receive(machine, [hex("ff")], io)
  ]
  for (const end of ends) {
    const { io, machine } = setup(role)
    end(machine, io)
    all.push(io.sent())
  }
  const { io: behind, machine: parting } = setup(role)
  parting.encode(bytes(65_537), behind)
  parting.close("done", behind)
  all.push(...drain(parting))
  for (const sent of all) assert.lengthOf(unframe(sent), 1)
  return all
}
