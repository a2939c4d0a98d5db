import { assert, describe, it } from "@effect/vitest"
import { Closed, Closing, Unencodable } from "@wirestack/protocol/ConnectionError"
import { TooLarge, Truncated, Violation } from "@wirestack/protocol/Reason"
import { MachineSuite } from "@wirestack/protocol/testing"
import { Meter } from "../../src/internal/Meter.ts"
import { type Options, type OutgoingPart, type Part, StreamedMachine } from "../../src/machines/StreamedMachine.ts"
import { RateExceeded } from "../../src/WebSocketReason.ts"
import { invertingChain } from "../extensions/inverting.ts"
import { concat, cuts, frame, framesOf, hex, text, utf8 } from "../support.ts"

type Role = "client" | "server"
type Message = string | Uint8Array

const roles: ReadonlyArray<Role> = ["client", "server"]
const close = (code: number, reason = ""): Uint8Array => concat(Uint8Array.of(code >> 8, code & 255), utf8(reason))

/** What arrives at a machine from its peer; every test says so of both roles. */
interface Setup {
  readonly make: (options?: Partial<Options>) => StreamedMachine
  readonly frame: (opcode: number, payload: Uint8Array | string, fin?: boolean, rsv?: number) => Uint8Array
  /** The frames in what it has written. */
  readonly frames: (written: ReadonlyArray<Uint8Array>) => ReturnType<typeof framesOf>
}

const setup = (role: Role): Setup => ({
  make: (options) => new StreamedMachine({ role, ...options }),
  frame: (opcode, payload, fin = true, rsv = 0) => frame(opcode, payload, { fin, rsv, mask: role === "server" }),
  frames: (written) => framesOf(concat(...written), role === "client")
})

/** Shows it the input in these pieces, with room for so many parts at a time, and holds it to its contract. */
const feed = (machine: StreamedMachine, pieces: ReadonlyArray<Uint8Array>, room?: number) => {
  const io = MachineSuite.feed(machine, pieces.map((piece) => [piece]), { room })
  io.verify("streamed")
  return io
}

/** The messages that the parts make, and what there is of one that is not complete. */
const joined = (parts: ReadonlyArray<Part>) => {
  const messages: Array<Message> = []
  let open: Array<Part> = []
  const join = (): Message =>
    open[0].type === "text"
      ? open.map(({ data }) => data as string).join("")
      : concat(...open.map(({ data }) => data as Uint8Array))
  for (const part of parts) {
    if (open.length > 0) assert.strictEqual(part.type, open[0].type, "parts of one message have its type")
    open.push(part)
    if (!part.last) {
      assert.isAbove(part.data.length, 0, "a part in the middle says something")
      continue
    }
    messages.push(join())
    open = []
  }
  return { messages, rest: open.length === 0 ? undefined : join() }
}

/** What the machine makes of the input, which is the same however it is cut and however much room there is. */
const all = (make: () => StreamedMachine, input: Uint8Array) => {
  const seen = [undefined, 1, 2].flatMap((room) =>
    cuts(input).map((pieces) => {
      const io = feed(make(), pieces, room)
      return { ...joined(io.emitted), ending: io.ending, reason: io.reason, written: io.written }
    })
  )
  for (const { ending, messages, reason } of seen) {
    assert.deepStrictEqual([messages, ending, reason], [seen[0].messages, seen[0].ending, seen[0].reason])
  }
  return { ...seen[0], seen }
}

const text1 = (data: string, last = true): OutgoingPart => ({ type: "text", data, last })
const binary1 = (data: Uint8Array, last = true): OutgoingPart => ({ type: "binary", data, last })

/** Has it send, and everything that waits with it. */
const sending = (machine: StreamedMachine, parts: ReadonlyArray<OutgoingPart>) => {
  const io = new MachineSuite.Probe<Part, Uint8Array>()
  for (const part of parts) machine.encode(part, io)
  for (io.settle(); machine.proceed(io); io.settle());
  return io
}

const thrown = (f: () => void): unknown => {
  try {
    f()
  } catch (reason) {
    return reason
  }
  return undefined
}

for (const role of roles) {
  const { frame, frames, make } = setup(role)

  describe(`receiving as a ${role}`, () => {
    it("5.6: gives text and binary messages in parts, wherever they are cut", () => {
      const random = Uint8Array.from({ length: 300 }, (_, i) => i * 7)
      const input = concat(
        frame(1, "Grüße, 世界 😀!"),
        frame(2, random),
        frame(1, "é", false),
        frame(0, "😀", false),
        frame(0, "x"),
        frame(2, random.subarray(0, 100), false),
        frame(0, random.subarray(100))
      )
      assert.deepStrictEqual(all(make, input).messages, ["Grüße, 世界 😀!", random, "é😀x", random])
    })

    it("5.4: gives what has arrived of a frame that has not", () => {
      const whole = frame(2, new Uint8Array(1_000).fill(7))
      const io = feed(make(), [whole.subarray(0, whole.length - 1)])
      assert.deepStrictEqual(joined(io.emitted), { messages: [], rest: new Uint8Array(999).fill(7) })
      assert.isFalse(io.emitted[0].last)
    })

    it("3.5 of RFC 3629: never gives a part of a character, wherever a text is cut", () => {
      const said = "a\u00e9\u20ac\ud83d\ude00\u{10ffff}\ufeff"
      const bytes = utf8(said)
      for (let at = 0; at <= bytes.length; at++) {
        const input = concat(frame(1, bytes.slice(0, at), false), frame(9, "?"), frame(0, bytes.slice(at)))
        const { messages, seen } = all(make, input)
        assert.deepStrictEqual(messages, [said])
        for (const { rest } of seen) assert.isUndefined(rest)
      }
      for (const pieces of cuts(frame(1, bytes))) {
        for (const { data } of feed(make(), pieces).emitted) {
          assert.notMatch(data as string, /[\ud800-\udbff]$|^[\udc00-\udfff]/)
          assert.include(said, data as string)
        }
      }
    })

    it("5.6: an empty message is one empty part, and the type is the first frame's", () => {
      const input = concat(
        frame(1, ""),
        frame(2, ""),
        frame(1, "", false),
        frame(0, ""),
        frame(2, "", false),
        frame(0, "", false),
        frame(0, "")
      )
      const io = feed(make(), [input])
      const none = new Uint8Array(0)
      assert.deepStrictEqual(io.emitted, [
        { type: "text", data: "", last: true },
        { type: "binary", data: none, last: true },
        { type: "text", data: "", last: true },
        { type: "binary", data: none, last: true }
      ])
      assert.deepStrictEqual(all(make, input).messages, ["", none, "", none])
    })

    it("5.4: fragments with nothing in them give no parts, however many there are", () => {
      const empty = Array.from({ length: 200_000 }, () => frame(0, "", false))
      const io = feed(make(), [frame(2, "a", false), ...empty, frame(0, "b")], 1)
      assert.deepStrictEqual(io.emitted, [
        { type: "binary", data: utf8("a"), last: false },
        { type: "binary", data: utf8("b"), last: true }
      ])
    })

    it("5.4: control frames come between fragments, and inside no message", () => {
      const machine = make()
      const pongs: Array<string> = []
      machine.onPong = (payload) => pongs.push(text(payload))
      const io = feed(machine, [
        concat(frame(9, "1"), frame(1, "a", false), frame(9, "2"), frame(10, "x"), frame(0, "b"), frame(9, "3"))
      ])
      assert.deepStrictEqual(joined(io.emitted).messages, ["ab"])
      const answers = sending(machine, []).written
      assert.deepStrictEqual(frames(answers).map(({ first, payload }) => [first, text(payload)]), [
        [0x8a, "1"],
        [0x8a, "2"],
        [0x8a, "3"]
      ])
      assert.deepStrictEqual(pongs, ["x"])
    })

    it("takes one part at a time when there is room for one, and keeps the rest", () => {
      const machine = make()
      const io = new MachineSuite.Probe<Part, Uint8Array>()
      io.capacity = 1
      assert.isFalse(machine.receive([concat(frame(1, "a", false), frame(0, "b", false)), frame(0, "c")], io))
      assert.deepStrictEqual(io.emitted.map(({ data }) => data), ["a"])
      assert.isFalse(machine.receive([], io))
      io.capacity = 1
      assert.isFalse(machine.receive([], io))
      assert.deepStrictEqual(io.emitted.map(({ data }) => data), ["a", "b"])
      io.capacity = 1
      assert.isTrue(machine.receive([], io))
      assert.deepStrictEqual(io.emitted.map(({ data, last }) => [data, last]), [["a", false], ["b", false], [
        "c",
        true
      ]])
    })

    it("reads into no memory of its own: what arrives is given at once", () => {
      const machine = make()
      const whole = frame(2, new Uint8Array(100_000))
      feed(machine, [whole.subarray(0, 70_000)])
      assert.isUndefined(machine.memory())
    })

    it("8.1: refuses a text at the first byte that can't be", () => {
      const bad = ["ff", "c0", "c1bf", "eda0", "f08f", "f490", "e282ff", "80", "f5"]
      for (const bytes of bad) {
        for (const before of ["", "x", "é"]) {
          for (const fin of [true, false]) {
            const payload = concat(utf8(before), hex(bytes))
            const input = frame(1, concat(payload, utf8("never looked at")), fin)
            const upToIt = input.subarray(0, input.length - 15)
            for (const cut of [upToIt.length, upToIt.length - 1]) {
              const io = feed(make(), [input.slice(0, cut), input.slice(cut, upToIt.length)])
              assert.strictEqual(io.ending, "Violation", `${before} ${bytes} cut at ${cut}`)
              const [{ first, payload }] = frames(io.written)
              assert.strictEqual(first, 0x88)
              assert.deepStrictEqual(payload.slice(0, 2), close(1007))
              assert.strictEqual(joined(io.emitted).rest ?? "", before.slice(0, joined(io.emitted).rest?.length ?? 0))
            }
          }
        }
      }
    })

    it("8.1: refuses a text that ends inside a character", () => {
      for (const cut of [hex("c3"), hex("e282"), hex("f09f98")]) {
        for (const parts of [[frame(1, cut)], [frame(1, cut, false), frame(0, "")]]) {
          const { messages, reason, written } = all(make, concat(...parts))
          assert.deepStrictEqual(messages, [])
          assert.instanceOf(reason, Violation)
          assert.deepStrictEqual(frames(written)[0].payload.slice(0, 2), close(1007))
        }
      }
    })

    it("8.1: binary messages may be anything", () => {
      assert.deepStrictEqual(all(make, concat(frame(2, hex("ff"), false), frame(0, hex("fe")))).messages, [hex("fffe")])
    })

    it("delivers what came before a failure, or a Close, before it says so", () => {
      const ends: ReadonlyArray<readonly [Uint8Array, string]> = [
        [frame(1, hex("ff")), "Violation"],
        [frame(3, ""), "Violation"],
        [frame(2, new Uint8Array(11)), "TooLarge"],
        [frame(8, close(1000)), "closed"]
      ]
      for (const [end, ending] of ends) {
        const machine = make({ maxMessageSize: 10 })
        const io = new MachineSuite.Probe<Part, Uint8Array>()
        assert.isFalse(machine.receive([concat(frame(1, "before"), end, frame(1, "after"))], io))
        assert.deepStrictEqual(io.emitted.map(({ data }) => data), ["before"])
        assert.strictEqual(io.ending, "open")
        machine.encode(text1("echo"), io)
        assert.isTrue(machine.receive([], io))
        io.settle()
        assert.strictEqual(io.ending, ending)
        assert.deepStrictEqual(frames(io.written).map(({ first }) => first), [0x81, 0x88])
        assert.lengthOf(io.emitted, 1)
      }
    })

    it("10.4: there is no limit on a message but the one that is given", () => {
      const part = new Uint8Array(1_048_576)
      const machine = make()
      const io = new MachineSuite.Probe<Part, Uint8Array>()
      machine.receive([frame(2, part, false)], io)
      for (let i = 0; i < 16; i++) machine.receive([frame(0, part, false)], io)
      machine.receive([frame(0, part)], io)
      assert.strictEqual(io.ending, "open")
      assert.strictEqual(io.sizes.reduce((sum, size) => sum + size), 18 * 1_048_576)
      const fragments = [frame(2, "a", false), ...Array.from({ length: 140_000 }, () => frame(0, "a", false))]
      assert.strictEqual(MachineSuite.feed(make(), [fragments]).ending, "open")
    })

    it("10.4: bounds the size of a message and its fragments, if told to", () => {
      const fine = concat(frame(2, "12345", false), frame(0, "67890"), frame(1, "1234567890"))
      assert.strictEqual(all(() => make({ maxMessageSize: 10 }), fine).ending, "open")
      for (const input of [concat(frame(2, "12345", false), frame(0, "678901")), frame(1, "12345678901")]) {
        const { messages, reason, written } = all(() => make({ maxMessageSize: 10 }), input)
        assert.deepStrictEqual(messages, [])
        assert.deepStrictEqual(reason, new TooLarge({ what: "a message", size: 11, limit: 10 }))
        assert.deepStrictEqual(frames(written)[0].payload.slice(0, 2), close(1009))
      }
      const fragments = concat(frame(2, "a", false), frame(0, "b", false), frame(0, "c"))
      assert.strictEqual(all(() => make({ maxFragments: 3 }), fragments).ending, "open")
      assert.instanceOf(all(() => make({ maxFragments: 2 }), fragments).reason, TooLarge)
    })

    it("7.4.1: more in a time than is allowed is a violation of policy", () => {
      let now = 0
      const limited = (rates: { readonly messages?: number; readonly bytes?: number }) =>
        make({
          meter: new Meter({
            maxMessagesPerSecond: rates.messages ?? Infinity,
            maxBytesPerSecond: rates.bytes ?? Infinity
          }, () => now)
        })
      const three = concat(frame(1, "a", false), frame(0, "b"), frame(1, "c"), frame(1, "d"))
      const io = feed(limited({ messages: 2 }), [three])
      assert.deepStrictEqual(joined(io.emitted).messages, ["ab", "c"])
      assert.deepStrictEqual(io.reason, new RateExceeded({ what: "messages", limit: 2 }))
      assert.deepStrictEqual(frames(io.written)[0].payload.slice(0, 2), close(1008))
      const bytes = feed(limited({ bytes: 10 }), [concat(frame(2, new Uint8Array(10), false)), frame(0, "x")])
      assert.deepStrictEqual(bytes.reason, new RateExceeded({ what: "bytes", limit: 10 }))
      const machine = limited({ bytes: 10 })
      feed(machine, [frame(2, new Uint8Array(15), false)])
      now += 1_000
      assert.strictEqual(feed(machine, [frame(0, "x", false)]).ending, "open")
    })

    it("7.1.5: fails when the layer below ends, inside a message or not", () => {
      const endings: ReadonlyArray<readonly [Uint8Array, string]> = [
        [hex(""), "the connection, before a Close frame"],
        [frame(1, "abc").slice(0, -1), "a frame"],
        [frame(1, "abc", false), "a fragmented message"]
      ]
      for (const [input, inside] of endings) {
        const io = MachineSuite.feed(make(), [[input]], { end: "announced" })
        assert.deepStrictEqual(io.reason, new Truncated({ inside }))
      }
    })

    it("5.5.1: a Close in the middle of a message is answered", () => {
      const { ending, messages, written } = all(make, concat(frame(1, "a", false), frame(8, close(1001))))
      assert.strictEqual(ending, "closed")
      assert.deepStrictEqual(messages, [])
      assert.deepStrictEqual(frames(written)[0].payload, close(1001))
    })

    describe("what an extension has transformed", () => {
      const invert = (bytes: Uint8Array | string) =>
        (typeof bytes === "string" ? utf8(bytes) : bytes).map((byte) => ~byte)
      const transforming = (options?: Partial<Options>) => make({ extensions: invertingChain(), ...options })

      it("is given in parts like any other, and others in between", () => {
        const input = concat(
          frame(1, invert("Grüße, 世界 😀!"), true, 2),
          frame(1, "plain"),
          frame(2, invert(hex("00ff00ff00")), false, 2),
          frame(9, "?"),
          frame(0, invert(hex("0102030405")), false),
          frame(0, invert(hex("06"))),
          frame(2, "", true, 2),
          frame(2, "x", false),
          frame(0, "y")
        )
        assert.deepStrictEqual(all(transforming, input).messages, [
          "Grüße, 世界 😀!",
          "plain",
          hex("00ff00ff00010203040506"),
          hex(""),
          utf8("xy")
        ])
      })

      it("waits in the extension while there is no room", () => {
        const machine = transforming()
        const io = new MachineSuite.Probe<Part, Uint8Array>()
        io.capacity = 1
        assert.isFalse(machine.receive([frame(1, invert("123456789"), true, 2), frame(1, "next")], io))
        for (const expected of ["123", "123456"]) {
          assert.strictEqual(io.emitted.map(({ data }) => data).join(""), expected)
          io.capacity = 1
          assert.isFalse(machine.receive([], io))
        }
        io.capacity = 1
        assert.isTrue(machine.receive([], io))
        assert.deepStrictEqual(joined(io.emitted).messages, ["123456789", "next"])
        assert.deepStrictEqual(io.emitted.map(({ last }) => last), [false, false, true, true])
        io.verify("what was lent is copied")
      })

      it("8.1: is text, or refused after what came before", () => {
        const machine = transforming()
        const io = feed(machine, [
          concat(frame(1, "before"), frame(1, invert(hex("616263ff")), true, 2), frame(1, "after"))
        ])
        assert.deepStrictEqual(joined(io.emitted), { messages: ["before"], rest: "abc" })
        assert.instanceOf(io.reason, Violation)
        assert.deepStrictEqual(frames(io.written)[0].payload.slice(0, 2), close(1007))
      })

      it("is bounded by what it becomes", () => {
        const { reason } = all(() => transforming({ maxMessageSize: 5 }), frame(2, invert("123456"), true, 2))
        assert.instanceOf(reason, TooLarge)
        const ten = frame(2, invert("12345"), true, 2)
        assert.strictEqual(all(() => transforming({ maxMessageSize: 5 }), concat(ten, ten)).ending, "open")
      })

      it("fails with the reason of the extension", () => {
        const refusing = () => make({ extensions: invertingChain({ refuses: 0x21 }) })
        const { messages, reason } = all(refusing, concat(frame(1, "a"), frame(1, invert("1234!"), true, 2)))
        assert.deepStrictEqual(messages, ["a"])
        assert.deepStrictEqual(reason, new Violation({ rule: "a byte is accepted", section: "inverting" }))
      })

      it("RFC 6455 5.2: has bits an extension owns, on its first frame", () => {
        assert.instanceOf(feed(make(), [frame(1, "x", true, 2)]).reason, Violation)
        assert.instanceOf(feed(transforming(), [frame(1, "x", true, 4)]).reason, Violation)
        const later = concat(frame(1, "x", false, 2), frame(0, "x", true, 2))
        assert.instanceOf(feed(transforming(), [later]).reason, Violation)
      })
    })
  })

  describe(`sending as a ${role}`, () => {
    const peer = setup(role === "client" ? "server" : "client")

    it("5.4: makes one message of the parts", () => {
      const { written } = sending(make(), [
        text1("a", false),
        text1("b", false),
        text1("c"),
        binary1(hex("00")),
        text1("")
      ])
      assert.deepStrictEqual(frames(written).map(({ first, payload }) => [first, text(payload)]), [
        [0x01, "a"],
        [0x00, "b"],
        [0x80, "c"],
        [0x82, "\0"],
        [0x81, ""]
      ])
    })

    it("5.4: parts with nothing in them make no frames, but for the last", () => {
      const { written } = sending(make(), [
        text1("", false),
        text1("", false),
        text1("x", false),
        text1("", false),
        text1("")
      ])
      assert.deepStrictEqual(frames(written).map(({ first, payload }) => [first, text(payload)]), [[0x01, "x"], [
        0x80,
        ""
      ]])
      assert.deepStrictEqual(frames(sending(make(), [binary1(hex(""), false), binary1(hex(""))]).written), [
        { first: 0x82, payload: hex("") }
      ])
    })

    it("refuses a part of another type in the middle of a message, and goes on", () => {
      for (
        const [begun, wrong] of [[text1, binary1(hex("00"))], [
          (data: string, last?: boolean) => binary1(utf8(data), last),
          text1("x")
        ]] as const
      ) {
        const machine = make()
        const before = sending(machine, [begun("a", false)]).written
        const refused = new MachineSuite.Probe<Part, Uint8Array>()
        assert.instanceOf(thrown(() => machine.encode(wrong, refused)), Unencodable)
        refused.settle()
        assert.deepStrictEqual(refused.written, [])
        const after = sending(machine, [begun("b"), wrong]).written
        assert.lengthOf(frames([...before, ...after]), 3)
      }
    })

    it("RFC 3629: a character whose halves are in two parts stays whole", () => {
      const said = "a😀b😀"
      for (let at = 0; at <= said.length; at++) {
        const parts = [text1(said.slice(0, at), false), text1("", false), text1(said.slice(at))]
        const { written } = sending(make(), parts)
        assert.deepStrictEqual(joined(feed(peer.make(), written as Array<Uint8Array>).emitted).messages, [said])
      }
      const units = [...said.split("").map((unit) => text1(unit, false)), text1("")]
      const { written } = sending(make(), units)
      assert.deepStrictEqual(joined(feed(peer.make(), written as Array<Uint8Array>).emitted).messages, [said])
    })

    it("RFC 3629: half a character becomes U+FFFD, and stays in its message", () => {
      const { written } = sending(make(), [text1("a\ud83d", false), text1("b"), text1("c\ud83d"), text1("\ude00d")])
      const { messages } = joined(feed(peer.make(), written as Array<Uint8Array>).emitted)
      assert.deepStrictEqual(messages, ["a\ufffdb", "c\ufffd", "\ufffdd"])
    })

    it("5.5.1: sends nothing after a Close", () => {
      const machine = make()
      const io = new MachineSuite.Probe<Part, Uint8Array>()
      machine.close("done", io)
      assert.instanceOf(thrown(() => machine.encode(text1("x"), io)), Closing)
      const other = make()
      feed(other, [frame(8, "")])
      assert.instanceOf(thrown(() => other.encode(text1("x"), io)), Closed)
    })

    it("what extensions transform arrives, with the bits on the first frame alone, and `plain` is left alone", () => {
      const extended = () => make({ extensions: invertingChain(), maxFrameSize: 4 })
      const said = "Grüße, 世界 😀!"
      const plain = { ...text1("as it is"), plain: true }
      const { written } = sending(extended(), [
        text1("", false),
        text1(said, false),
        text1("."),
        plain,
        text1(""),
        text1("z")
      ])
      const firsts = frames(written).map(({ first }) => first)
      assert.strictEqual(firsts[0], 0x21)
      assert.isTrue(firsts.slice(1, 6).every((first) => first === 0x00))
      assert.deepStrictEqual(firsts.filter((first) => (first & 0x0f) === 1), [0x21, 0x01, 0x81, 0xa1])
      const there = peer.make({ extensions: invertingChain() })
      assert.deepStrictEqual(joined(feed(there, written as Array<Uint8Array>).emitted).messages, [
        `${said}.`,
        "as it is",
        "",
        "z"
      ])
    })

    it("any parts arrive as the messages they are, with extensions or without", () => {
      let state = 7
      const random = (below: number) => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
        return state % below
      }
      for (let round = 0; round < 60; round++) {
        const extensions = () => round % 2 === 0 ? undefined : invertingChain({ pieces: 1 + random(5_000) })
        const parts: Array<OutgoingPart> = []
        const expected: Array<Message> = []
        for (let n = 0; n < 6; n++) {
          const type = random(2) === 0 ? "text" as const : "binary" as const
          const sizes = Array.from({ length: 1 + random(4) }, () => random(4) === 0 ? 0 : random(3_000))
          const data = sizes.map((size) =>
            type === "text" ? "aé😀".repeat(size).slice(0, size) : new Uint8Array(size).fill(n)
          )
          for (const [i, part] of data.entries()) {
            parts.push({ type, data: part, last: i === data.length - 1 } as OutgoingPart)
          }
          const well = type === "text"
            ? text(utf8((data as Array<string>).join("")))
            : concat(...data as Array<Uint8Array>)
          expected.push(well)
        }
        const from = make({ extensions: extensions(), maxFrameSize: 1 + random(2_000) })
        const { written } = sending(from, parts)
        const input = concat(...written)
        const to = peer.make({ extensions: extensions() })
        const at = random(input.length)
        const { messages } = joined(feed(to, [input.slice(0, at), input.slice(at)], 1 + random(3)).emitted)
        assert.deepStrictEqual(messages, expected)
      }
    })
  })
}

it("releases its extensions once", () => {
  let released = 0
  const machine = new StreamedMachine({ role: "client", extensions: invertingChain({ onRelease: () => released++ }) })
  machine.release()
  assert.strictEqual(released, 1)
})
