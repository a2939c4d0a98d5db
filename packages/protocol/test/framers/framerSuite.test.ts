/** The suite tells a framer that breaks a rule from one that keeps them. */
import { assert, describe, it } from "@effect/vitest"
import type { Framer, Machine } from "@wirestack/protocol"
import { FixedLength, LengthPrefixed } from "@wirestack/protocol"
import { type ConnectionReason, Unencodable } from "@wirestack/protocol/ConnectionError"
import { type FramerSubject, framerSuite } from "@wirestack/protocol/testing"
import { hex, pattern, utf8 } from "../support/bytes.ts"

type Bytes = Machine.Machine<Uint8Array, Uint8Array, Uint8Array, Uint8Array>

const good: Framer.Framer<Uint8Array, Uint8Array> = LengthPrefixed.make({ lengthBytes: 1, maxFrameSize: 200 })

const subject: FramerSubject<Uint8Array, Uint8Array> = {
  framer: good,
  vectors: [{ name: "two", input: hex("01 61 00"), messages: [utf8("a"), hex("")] }],
  sample: (_, size) => pattern(size),
  received: (message) => message,
  sizes: [0, 1, 64, 200],
  tooLarge: [hex("c9")],
  refused: [[pattern(201), "TooLarge"]]
}

/** The names of the cases that fail. */
const failing = (subject: FramerSubject<any, any>): ReadonlyArray<string> =>
  framerSuite(subject).filter(({ run }) => {
    try {
      run()
      return false
    } catch {
      return true
    }
  }).map(({ name }) => name)

const broken = (by: (machine: Bytes) => Partial<Bytes>): FramerSubject<Uint8Array, Uint8Array> => ({
  ...subject,
  framer: {
    layer: "broken",
    machine: () => {
      const machine = good.machine()
      const own: Bytes = {
        receive: (input, io) => machine.receive(input, io),
        encode: (message, io) => machine.encode(message, io),
        ended: (endOfInput, io) => machine.ended(endOfInput, io),
        end: () => {}
      }
      return Object.assign(own, by(machine))
    }
  }
})

const wrong: Record<string, readonly [caught: string, by: (machine: Bytes) => Partial<Bytes>]> = {
  "takes a chunk for a frame": [
    "receives what it sends",
    () => ({
      receive: (input, io) => {
        for (const chunk of input) io.emit(chunk.subarray(1), chunk.length - 1)
        return true
      }
    })
  ],
  "does not ask for room": [
    "stops without room",
    (machine) => ({
      receive: (input, io) => machine.receive(input, Object.assign(Object.create(io), { room: () => true }))
    })
  ],
  "emits what it was lent": [
    "receives what it sends",
    (machine) => ({
      borrow: (input, length, io) => machine.receive([input.subarray(0, length)], io)
    })
  ],
  "takes the end inside a frame for a good one": [
    "ends between two frames",
    () => ({ ended: (endOfInput, io) => io.end(endOfInput) })
  ],
  "writes before it refuses": [
    "refuses what it can't send",
    (machine) => ({
      encode: (message, io) => {
        if (message.length > 200) {
          io.write(hex("ff"))
          throw new Unencodable({ detail: "too late" })
        }
        machine.encode(message, io)
      }
    })
  ],
  "forgets its limit": [
    "refuses what is over its limit",
    () => {
      const machine = LengthPrefixed.make({ lengthBytes: 1 }).machine()
      return { receive: (input, io) => machine.receive(input, io), ended: (how, io) => machine.ended(how, io) }
    }
  ],
  "says goodbye at half-close": ["half-closes", () => ({ end: (io) => io.write(hex("00")) })],
  "writes to its input": [
    "receives what it sends",
    (machine) => ({
      receive: (input, io) => {
        const all = machine.receive(input.map((chunk) => chunk.slice()), io)
        for (const chunk of input) chunk.fill(0)
        return all
      }
    })
  ],
  "gives a message only with the next one, or at the end": [
    "gives each message as soon as it is there",
    (machine) => {
      const held: Array<Uint8Array> = []
      const give = (io: Machine.Io<Uint8Array, Uint8Array>, but: number) => {
        while (held.length > but && io.room()) io.emit(held[0], held.shift()!.length)
        return held.length <= but
      }
      const keeping = (io: Machine.Io<Uint8Array, Uint8Array>): Machine.Io<Uint8Array, Uint8Array> =>
        Object.assign(Object.create(io), {
          room: () => true,
          emit: (frame: Uint8Array) => void held.push(frame),
          fail: (reason: ConnectionReason) => {
            give(io, 0)
            io.fail(reason)
          }
        })
      return {
        receive: (input, io) => {
          machine.receive(input, keeping(io))
          return give(io, 1)
        },
        ended: (how, io) => {
          give(io, 0)
          machine.ended(how, io)
        }
      }
    }
  ],
  "takes it for granted that its memory is used": [
    "does not count on the memory it has offered",
    (machine) => {
      let offered: Uint8Array | undefined
      return {
        memory: () => offered = new Uint8Array(16_384),
        receive: (input, io) => {
          const memory = offered
          offered = undefined
          return machine.receive(memory === undefined ? input : [memory.slice(0, input[0]?.length ?? 0)], io)
        }
      }
    }
  ],
  "counts what it does not carry": ["counts what it carries", () => ({ encoded: 7 })]
}

describe("the framer suite", () => {
  it("finds nothing in a framer that keeps the rules", () => assert.deepStrictEqual(failing(subject), []))

  for (const [name, [caught, by]] of Object.entries(wrong)) {
    it(`finds one that ${name}`, () => {
      const names = failing(broken(by))
      assert.isTrue(names.some((name) => name.startsWith(caught)), names.join())
    })
  }

  it("finds messages that are not what was sent", () => {
    assert.include(failing({ ...subject, received: () => hex("00") }).join(), "receives what it sends")
    assert.isNotEmpty(failing({ ...subject, framer: FixedLength.make({ size: 2 }) }))
  })

  it("says which input made a framer throw", () => {
    const throwing = broken(() => ({
      receive: () => {
        throw new TypeError("not UTF-8")
      }
    }))
    const messages = framerSuite(throwing).map(({ run }) => {
      try {
        run()
        return ""
      } catch (error) {
        return (error as Error).message
      }
    })
    assert.include(messages, "two, whole: not UTF-8")
  })
})
