/**
 * Every MUST of RFC 6455 after the opening handshake but those on frames: sending, receiving, closing, status codes, UTF-8
 * and security (sections 6 to 8 and 10), on the machine as a client and as a server. What needs a connection below is in
 * `layer.test.ts`; TLS (10.6) is another layer.
 */
import { assert, describe, it } from "@effect/vitest"
import { Closed, Closing } from "@wirestack/protocol/ConnectionError"
import { TooLarge, Truncated } from "@wirestack/protocol/Reason"
import { isCloseCode, privateUse } from "../../src/frames/CloseCode.ts"
import type { Message, WebSocketMachine } from "../../src/machines/WebSocketMachine.ts"
import {
  closeBody,
  concat,
  cuts,
  type FakeIo,
  hex,
  notUtf8,
  random,
  receive,
  toHex,
  unframe,
  utf8
} from "../support.ts"
import { accepts, assembled, both, bytes, limits, only, refuses, setup, thrown } from "./peer.ts"

describe("6.1: sending data", () => {
  both("6.1, 1: nothing is sent unless the connection is open", (role, peer) => {
    const ends: ReadonlyArray<(machine: WebSocketMachine, io: FakeIo<Message>) => void> = [
      (machine, io) => machine.close("away", io),
      (machine, io) => receive(machine, [peer(8, closeBody(1000))], io),
      (machine, io) => receive(machine, [hex("ff")], io),
      (machine, io) => machine.ended("announced", io),
      (machine, io) => machine.ended("unannounced", io)
    ]
    for (const end of ends) {
      const { io, machine, sent, waiting } = setup(role)
      end(machine, io)
      sent()
      for (const message of ["", "x", bytes(1), bytes(40_000)]) {
        const reason = thrown(() => machine.encode(message, io))
        assert.isTrue(reason instanceof Closing || reason instanceof Closed)
      }
      machine.close("done", io)
      assert.isFalse(machine.ping())
      assert.deepStrictEqual([sent(), waiting()], [[], []])
    }
  })

  both("6.1, 2 to 5: a message is one frame with FIN, the opcode of its type, and the client's mask", (role) => {
    for (const [opcode, message] of [[1, "Hello"], [2, utf8("Hello")], [1, ""], [2, hex("")]] as const) {
      const { io, machine, sent } = setup(role)
      machine.encode(message, io)
      const [{ key, ...written }, ...more] = sent()
      const payload = typeof message === "string" ? utf8(message) : message
      assert.deepStrictEqual(written, { fin: true, rsv: 0, opcode, lengthBytes: 0, payload })
      assert.strictEqual(key !== undefined, role === "client")
      assert.lengthOf(more, 0)
    }
  })

  both("6.1, 7: what was formed is transmitted, all of it and in order", (role) => {
    const { io, machine, sent, waiting } = setup(role)
    const messages = [bytes(40_000), "a", bytes(0), "€".repeat(40_000), bytes(3), "b", bytes(200_000), "c", ""]
    for (const message of messages) machine.encode(message, io)
    assert.deepStrictEqual(assembled([...sent(), ...waiting()]), messages)
    assert.isFalse(machine.busy)
    machine.encode("d", io)
    assert.deepStrictEqual(assembled(sent()), ["d"])
  })
})

describe("6.2: receiving data", () => {
  both(
    "6.2: a message has the type of its first frame and the data of all, and the next frame begins another",
    (role, peer) => {
      const input = concat(
        peer(1, "é"),
        peer(2, "é"),
        peer(1, "a", { fin: false }),
        peer(0, "b"),
        peer(2, "a", { fin: false }),
        peer(0, "b"),
        peer(1, "")
      )
      for (const parts of cuts(input)) {
        const { io, machine } = setup(role)
        receive(machine, parts, io)
        assert.deepStrictEqual(io.emitted, ["é", utf8("é"), "ab", utf8("ab"), ""])
        assert.deepStrictEqual(io.sizes, [2, 2, 2, 2, 0])
      }
    }
  )

  only("server", "6.2: a server removes the mask, of every fragment its own", () => {
    const masked = (key: string, payload: Uint8Array) => payload.map((byte, i) => byte ^ hex(key)[i % 4])
    const input = concat(
      hex("0287 01020304"),
      masked("01020304", bytes(7)),
      hex("8085 fffefdfc"),
      masked("fffefdfc", bytes(5)),
      hex("8203 0b0c0d0e").with(1, 0x83),
      masked("0b0c0d0e", hex("00ff7f"))
    )
    accepts("server", input, { messages: [concat(bytes(7), bytes(5)), hex("00ff7f")] })
  })
})

describe("7.1: closing", () => {
  it("RFC 6455 7.1.1: the server ends the connection below first, the client waits for it", () => {
    assert.isTrue(setup("client").machine.awaitsLowerEnd)
    assert.isFalse(setup("server").machine.awaitsLowerEnd)
  })

  both("7.1.2: the closing handshake begins with a Close frame that has the code and the reason", (role) => {
    for (const [why, code] of [["done", 1000], ["failed", 1011], ["away", 1001]] as const) {
      const { io, machine, sent } = setup(role)
      machine.close(why, io)
      machine.close("done", io)
      assert.deepStrictEqual(sent().map(({ opcode, payload }) => [opcode, payload]), [[8, closeBody(code)]])
    }
    const { io, machine, sent } = setup(role)
    machine.closeWith(privateUse(4001), "bye €")
    machine.close("failed", io)
    assert.deepStrictEqual(sent().map(({ payload }) => payload), [closeBody(4001, "bye €")])
  })

  both("7.1.2: a reason is sent as UTF-8, whatever it is made of", (role) => {
    const { io, machine, sent } = setup(role)
    machine.closeWith(1000, "a\ud800")
    machine.close("done", io)
    assert.deepStrictEqual(sent().map(({ payload }) => payload), [closeBody(1000, "a\ufffd")])
  })

  both(
    "7.1.5, 7.1.6: code and reason are those of the peer's Close frame, 1005 and nothing if it has none",
    (role, peer) => {
      for (
        const [body, code, reason] of [
          [hex(""), 1005, ""],
          [closeBody(1000), 1000, ""],
          [closeBody(4999, "\ufeff€"), 4999, "\ufeff€"]
        ] as const
      ) {
        const { io, machine } = setup(role)
        receive(machine, [peer(8, body)], io)
        assert.deepStrictEqual(io.goodbye?.received, { code, reason })
      }
    }
  )

  both("7.1.5: there is no code, which means 1006, if no Close frame was received", (role, peer) => {
    const { io, machine } = setup(role)
    receive(machine, [peer(1, "a")], io)
    machine.ended("announced", io)
    assert.deepStrictEqual(io.events, ["fail"])
    assert.isUndefined(io.goodbye)
    const unanswered = setup(role)
    unanswered.machine.close("away", unanswered.io)
    unanswered.machine.ended("announced", unanswered.io)
    assert.deepStrictEqual(unanswered.io.events, ["fail"])
    assert.deepStrictEqual(unanswered.io.goodbye, { first: "local", sent: { code: 1001, reason: "" } })
  })

  both(
    "7.1.7: a failure sends one Close frame, and nothing is processed after it, not even a Close frame",
    (role, peer) => {
      const { io, machine, sent, waiting } = setup(role)
      receive(machine, [concat(peer(9, "?"), peer(1, hex("ff")), peer(1, "b"), peer(8, closeBody(1000)))], io)
      receive(machine, [concat(peer(1, "c"), peer(9, "?"), peer(8, closeBody(1000)), hex("ff"))], io)
      machine.close("done", io)
      machine.ended("announced", io)
      assert.deepStrictEqual([io.emitted, io.events], [[], ["fail"]])
      assert.deepStrictEqual(sent().map(({ opcode, payload }) => [opcode, toHex(payload.subarray(0, 2))]), [[
        8,
        "03ef"
      ]])
      assert.deepStrictEqual(waiting(), [])
      assert.isUndefined(io.goodbye?.received)
    }
  )

  both("7.1.7: a failure after our own Close frame sends no second one", (role) => {
    const { io, machine, sent } = setup(role)
    machine.close("done", io)
    receive(machine, [hex("ff")], io)
    assert.deepStrictEqual(io.events, ["fail"])
    assert.deepStrictEqual(io.goodbye, { first: "local", sent: { code: 1000, reason: "" } })
    assert.lengthOf(sent(), 1)
  })
})

describe("7.2: abnormal closures", () => {
  both("7.2.1: fails if the connection below is lost, wherever that is", (role, peer) => {
    const frames = [
      peer(1, "abc"),
      peer(1, "é", { fin: false }),
      peer(9, "?"),
      peer(0, "", { fin: false }),
      peer(0, ""),
      peer(2, bytes(130)),
      peer(8, closeBody(1000))
    ]
    const input = concat(...frames)
    /** What the input is inside of after each frame. */
    const between = new Map([[0, "the connection, before a Close frame"]])
    frames.reduce((end, { length }, i) => {
      between.set(end + length, i > 0 && i < 4 ? "a fragmented message" : "the connection, before a Close frame")
      return end + length
    }, 0)
    for (let at = 0; at < input.length; at++) {
      for (const endOfInput of ["announced", "unannounced", "unknown"] as const) {
        const { io, machine, sent } = setup(role)
        receive(machine, [input.slice(0, at)], io)
        machine.ended(endOfInput, io)
        assert.deepStrictEqual(io.events, ["fail"])
        assert.deepStrictEqual(io.reason, new Truncated({ inside: between.get(at) ?? "a frame" }), `cut at ${at}`)
        machine.ended(endOfInput, io)
        machine.close("done", io)
        assert.deepStrictEqual([io.events, sent()], [["fail"], []])
      }
    }
  })
})

describe("7.4: status codes", () => {
  both("7.4: a code that has a meaning or a range is taken, all others fail", (role, peer) => {
    const legal = new Set([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014])
    for (let code = 0; code <= 0xffff; code++) {
      const { io, machine } = setup(role)
      receive(machine, [peer(8, closeBody(code))], io)
      const isLegal = legal.has(code) || (code >= 3000 && code <= 4999)
      assert.strictEqual(isCloseCode(code), isLegal)
      if (io.events[0] !== (isLegal ? "closed" : "fail")) assert.fail(`${code}: ${io.events[0]}`)
      if (io.goodbye?.sent?.code !== (isLegal ? code : 1002)) {
        assert.fail(`${code} is answered with ${io.goodbye?.sent?.code}`)
      }
    }
  })

  both("7.4.1: 1005, 1006 and 1015, and all that have no meaning, fail with 1002", (role, peer) => {
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535]) {
      refuses(role, peer(8, closeBody(code)), 1002)
      refuses(role, peer(8, closeBody(code, "why")), 1002)
    }
  })

  both("7.4.1: 1005 is not sent in answer to a Close frame without code", (role, peer) => {
    const { io, machine, sent } = setup(role)
    receive(machine, [peer(8, "")], io)
    assert.deepStrictEqual(sent().map(({ payload }) => payload), [hex("")])
  })
})

describe("8.1: handling errors in UTF-8-encoded data", () => {
  both("8.1: fails on text that is not UTF-8, with the first byte that can't be there", (role, peer) => {
    const head = role === "server" ? 6 : 2
    for (const [, wrong, at] of notUtf8) {
      const text = concat(utf8("é"), hex(wrong), utf8("and more of it, to be longer than a few bytes"))
      refuses(role, peer(1, text), 1007, head + 2 + at)
    }
  })

  both("8.1: fails on it across fragments, as early", (role, peer) => {
    const head = role === "server" ? 6 : 2
    for (const [, wrong, at] of notUtf8) {
      const all = hex(wrong)
      for (let cut = 0; cut <= at; cut++) {
        const first = peer(1, all.subarray(0, cut), { fin: false })
        const input = concat(first, peer(0, all.subarray(cut)))
        refuses(role, input, 1007, first.length + head + at - cut)
      }
    }
  })

  both("8.1: fails on text that ends inside of a character", (role, peer) => {
    for (const begun of ["c3", "e2", "e282", "f0", "f09f", "f09f98"]) {
      const text = concat(utf8("a"), hex(begun))
      refuses(role, peer(1, text), 1007)
      refuses(role, concat(peer(1, text, { fin: false }), peer(0, "")), 1007)
      const middle = peer(1, text, { fin: false })
      refuses(role, concat(middle, peer(0, "a")), 1007)
    }
  })

  both("8.1: fails on a reason that is not UTF-8", (role, peer) => {
    for (const [, wrong] of notUtf8) refuses(role, peer(8, concat(closeBody(1000, "é"), hex(wrong))), 1007)
    for (const begun of ["c3", "e282", "f09f98"]) refuses(role, peer(8, concat(closeBody(1000), hex(begun))), 1007)
  })

  both("8.1: asks it of text only", (role, peer) => {
    const messages = notUtf8.map(([, wrong]) => hex(wrong))
    accepts(role, concat(...messages.map((message) => peer(2, message))), { messages })
    for (const message of messages) {
      accepts(role, concat(peer(9, message), peer(10, message)), { messages: [], pongs: [message], answers: [message] })
    }
  })
})

describe("10: security", () => {
  it("RFC 6455 10.3: what a client has sent can't be changed by the application", () => {
    for (const size of [1, 5, 12, 13, 125, 1_000, 32_768, 65_536]) {
      const payload = bytes(size)
      const { io, machine, waiting } = setup("client")
      machine.encode(payload, io)
      if (size <= 125) machine.ping(payload)
      payload.fill(0)
      assert.deepStrictEqual(unframe(io.sent())[0].payload, bytes(size))
      if (size <= 125) assert.deepStrictEqual(waiting().map(({ payload }) => payload), [bytes(size)])
    }
    const large = bytes(70_000)
    const { io, machine, next } = setup("client", { maxFrameSize: 65_536 })
    machine.encode(large, io)
    assert.deepStrictEqual(next()?.payload, bytes(65_536))
    large.fill(0, 0, 65_536)
    assert.deepStrictEqual(next()?.payload, bytes(70_000).subarray(65_536))
  })

  both(
    "10.4: a message of the limit is taken, one of a byte more is 1009 as soon as its head says so",
    (role, peer) => {
      const { maxFragments, maxMessageSize } = limits
      accepts(role, peer(2, bytes(maxMessageSize)), { messages: [bytes(maxMessageSize)] })
      refuses(role, peer(2, bytes(maxMessageSize + 1)), 1009, 9)
      const half = peer(1, "x".repeat(maxMessageSize / 2), { fin: false })
      const whole = "x".repeat(maxMessageSize)
      accepts(role, concat(half, peer(9, bytes(125)), peer(0, "x".repeat(maxMessageSize / 2))), {
        messages: [whole],
        answers: [bytes(125)]
      })
      refuses(role, concat(half, peer(0, "x".repeat(maxMessageSize / 2 + 1))), 1009, half.length + 3)
      const begun = Array.from({ length: maxFragments - 1 }, (_, i) => peer(i === 0 ? 2 : 0, "", { fin: false }))
      accepts(role, concat(...begun, peer(0, "")), { messages: [hex("")] })
      const full = concat(...begun, peer(0, "", { fin: false }))
      refuses(role, concat(full, peer(0, "")), 1009, full.length)
    }
  )

  both("10.4: a frame of 2^60 bytes, or of any number that is too large, is 1009 with its length", (role) => {
    const second = role === "server" ? "ff" : "7f"
    for (const length of ["1000000000000000", "7fffffffffffffff", "0020000000000000", "0000000100000000"]) {
      refuses(role, hex(`82${second}${length}`), 1009, 9)
    }
  })

  both("10.4: the limits are 1 MiB and 131,072 fragments by default", (role, peer) => {
    const largest = setup(role)
    receive(largest.machine, [peer(2, bytes(1_048_576))], largest.io)
    assert.deepStrictEqual(largest.io.sizes, [1_048_576])
    receive(largest.machine, [peer(2, bytes(1_048_577))], largest.io)
    assert.deepStrictEqual(largest.io.reason, new TooLarge({ what: "a message", size: 1_048_577, limit: 1_048_576 }))
    const most = setup(role)
    const fragment = peer(0, "", { fin: false })
    receive(most.machine, [peer(2, "", { fin: false })], most.io)
    receive(most.machine, Array.from({ length: 131_071 }, () => fragment.slice()), most.io)
    assert.deepStrictEqual(most.io.events, [])
    receive(most.machine, [fragment], most.io)
    assert.deepStrictEqual(most.io.events, ["fail"])
  })

  both("10.7: whatever comes is validated: it is taken, or fails with a code that says why", (role) => {
    for (let seed = 1; seed <= 3_000; seed++) {
      const next = random(seed)
      const input = Uint8Array.from({ length: 1 + Math.floor(next() * 60) }, () => next() * 256)
      const { io, machine, sent } = setup(role, limits)
      assert.isTrue(receive(machine, [input], io))
      const codes = sent().map(({ payload }) => payload.length === 0 ? 1005 : payload[0] << 8 | payload[1])
      if (io.events[0] === "fail") assert.include([1002, 1007, 1009], codes[0])
      else if (io.events[0] === "closed") assert.isTrue(codes[0] === 1005 || isCloseCode(codes[0]))
      assert.strictEqual(codes.length, io.events.length)
    }
  })
})
