import { assert, describe, it } from "@effect/vitest"
import type { Transport } from "@wirestack/protocol"
import { random } from "@wirestack/test-support"
import type { Clock } from "effect"
import { Deadlines } from "../../src/internal/Deadlines.ts"
import type { Boarding } from "../../src/internal/resilience/Leg.ts"
import * as Frame from "../../src/internal/resume/Frame.ts"
import { Ledger } from "../../src/internal/resume/Ledger.ts"
import { SessionWire } from "../../src/internal/resume/SessionWire.ts"

type Message = Transport.Message

const clock = { monotonicTimeNanosUnsafe: () => 0n, sleep: () => undefined } as unknown as Clock.Clock

const limits = { maxMessages: 8, maxBytes: 64, everyMessages: 3, everyBytes: 1_000, within: 1e6, automatic: true }

/** One side of a session, which takes what it receives at once. */
class Side {
  readonly received: Array<Message> = []
  readonly wire: SessionWire
  sent = 0

  constructor() {
    this.wire = new SessionWire("", new Ledger(), limits, Deadlines.of(clock), {
      outlives: () => false,
      detached: () => {},
      ended: () => {}
    })
    this.wire.attach({
      receive: (batch) => void this.received.push(...batch),
      drained: () => {},
      ended: () => {},
      goodbye: () => {},
      failed: (error) => {
        throw error
      }
    })
    this.wire.resume()
  }

  send(): void {
    if (this.wire.writable) this.wire.write(this.sent % 2 === 0 ? `${this.sent++}` : Uint8Array.of(this.sent++))
    this.wire.flush()
  }
}

/** What is on its way to a side, on one connection. */
class Line implements Boarding<Message> {
  readonly lends = false
  readonly isLaden = false
  readonly isBroken = false
  readonly frames: Array<Message> = []
  private readonly room: () => number

  constructor(room: () => number) {
    this.room = room
  }

  get writable(): boolean {
    return this.frames.length < this.room()
  }

  write(frame: Message): void {
    this.frames.push(frame)
  }

  begin(): void {}
  flush(): void {}
  pause(): void {}
  resume(): void {}
  leave(): void {}
  cut(): void {}
}

/** Both sides, cut at random with frames on their way, and what each has received at the end. */
const run = (seed: number) => {
  const next = random(seed)
  const [left, right] = [new Side(), new Side()]
  const connect = () => {
    const [toRight, toLeft] = [new Line(() => 1 + next() * 4), new Line(() => 1 + next() * 4)]
    const [ofLeft, ofRight] = [left.wire.greet(), right.wire.greet()]
    left.wire.resumed(ofRight)
    right.wire.resumed(ofLeft)
    left.wire.board(toRight)
    right.wire.board(toLeft)
    return { toLeft, toRight }
  }
  let lines = connect()
  const arrive = (line: Line, from: Side, to: Side, back: Line, count: number) => {
    const frames = line.frames.splice(0, count)
    if (frames.length > 0) to.wire.receive(frames, 0, back)
    from.wire.drained(line)
  }
  for (let step = 0; step < 200; step++) {
    const chance = next()
    if (chance < 0.3) left.send()
    else if (chance < 0.6) right.send()
    else if (chance < 0.75) arrive(lines.toRight, left, right, lines.toLeft, 1 + Math.floor(next() * 3))
    else if (chance < 0.9) arrive(lines.toLeft, right, left, lines.toRight, 1 + Math.floor(next() * 3))
    else {
      left.wire.lost(lines.toRight)
      right.wire.lost(lines.toLeft)
      lines = connect()
    }
  }
  // Enough for all that is kept, one frame at a time.
  for (let round = 0; round < 2 * limits.maxMessages; round++) {
    arrive(lines.toRight, left, right, lines.toLeft, 9)
    arrive(lines.toLeft, right, left, lines.toRight, 9)
  }
  return { left, right }
}

const sequence = (count: number): Array<Message> =>
  Array.from({ length: count }, (_, n) => n % 2 === 0 ? `${n}` : Uint8Array.of(n))

describe("a session, sans-IO", () => {
  it("loses nothing, repeats nothing and keeps the order, wherever it is cut", () => {
    for (let seed = 0; seed < 500; seed++) {
      const { left, right } = run(seed)
      assert.deepStrictEqual(right.received, sequence(left.sent), `seed ${seed}`)
      assert.deepStrictEqual(left.received, sequence(right.sent), `seed ${seed}`)
    }
  })

  it("acknowledges no more than was sent, and not less than before", () => {
    const ledger = new Ledger()
    ledger.keep(Uint8Array.of(1))
    assert.throws(() => ledger.acknowledge(2), "2 is acknowledged, where 1 was sent last")
    ledger.acknowledge(1)
    assert.throws(() => ledger.acknowledge(0), "0 is acknowledged, after 1")
    assert.deepStrictEqual(ledger.lacking(0), { first: 1, last: 1 })
    assert.isUndefined(ledger.lacking(1))
  })

  it("is not restored with more to say again than was said", () => {
    assert.throws(() => new Ledger(0, 0, [Uint8Array.of(1)]), "1 messages are kept, where 0 were sent")
    for (const wrong of [-1, 0.5, NaN]) assert.throws(() => new Ledger(wrong), "is no number of a message")
  })
})

describe("the frames of a session", () => {
  const ticket = { session: new Uint8Array(16).fill(0xab), secret: new Uint8Array(16).fill(0xcd) }
  const progress = { done: 3, received: 2 ** 53 - 1 }
  const frames: ReadonlyArray<readonly [Uint8Array, Frame.Frame]> = [
    [Frame.hello(), { type: 1, resumes: undefined }],
    [Frame.helloAgain(ticket, progress), { type: 1, resumes: { ...ticket, ...progress } }],
    [Frame.welcome(ticket, progress), { type: 2, ticket, progress }],
    [Frame.refused(Frame.Code.Gap, 4, 5), { type: 3, code: 1, first: 4, last: 5 }],
    [Frame.data(Uint8Array.of(7)), { type: 4, message: Uint8Array.of(7) }],
    [Frame.data("é"), { type: 5, message: "é" }],
    [Frame.ack(9), { type: 6, done: 9 }],
    [Frame.goodbye(2, 9), { type: 7, code: 2, done: 9 }],
    [Frame.reset(), { type: 8 }]
  ]

  it("are read as they were written", () => {
    for (const [bytes, frame] of frames) assert.deepStrictEqual(Frame.read(bytes), frame)
    assert.deepStrictEqual([...Frame.ack(258)], [6, 0, 0, 0, 0, 0, 0, 1, 2])
  })

  it("that are cut short or too long are told as such", () => {
    for (const [bytes, { type }] of frames) {
      if (type === 4 || type === 5 || type === 8) continue
      for (let length = 1; length < bytes.length; length++) {
        if (type === 1 && length === 2) continue
        assert.throws(() => Frame.read(bytes.subarray(0, length)))
      }
      assert.throws(() => Frame.read(new Uint8Array([...bytes, 0])))
    }
  })

  it("that make no sense are told as such", () => {
    const wrong: ReadonlyArray<readonly [Message, RegExp]> = [
      ["HELLO", /a text, where frames are binary/],
      [new Uint8Array(0), /a frame of type none/],
      [Uint8Array.of(99), /a frame of type 99/],
      [Uint8Array.of(1, 2), /HELLO of version 2, where this is 1/],
      [Uint8Array.of(5, 0xff), /TEXT that is not UTF-8/],
      [new Uint8Array(9).fill(0xff, 1).fill(6, 0, 1), /beyond 2\^53-1/],
      [Frame.welcome(ticket, { done: 2, received: 1 }), /more is done with than received/]
    ]
    for (const [bytes, message] of wrong) assert.throws(() => Frame.read(bytes), message)
  })
})
