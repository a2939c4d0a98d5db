/**
 * Every MUST of RFC 6455 section 5, on frames and what is in them, on the machine as a client and as a server; the other
 * sections are in `rfc6455.closing.test.ts`.
 *
 * Not here: what is asked of intermediaries (5.4) and of those who define extensions (5.2, 5.8), and that a reason isn't
 * shown to end users (5.5.1).
 */
import { assert, describe, it, vi } from "@effect/vitest"
import { Closed, Closing, Unencodable } from "@wirestack/protocol/ConnectionError"
import type { Status } from "@wirestack/protocol/Outcome"
import { privateUse } from "../../src/frames/CloseCode.ts"
import { maxControls } from "../../src/machines/WebSocketMachine.ts"
import { closeBody, concat, cuts, frame, hex, proceed, receive, toHex, unframe, utf8 } from "../support.ts"
import { accepts, assembled, both, bytes, everything, limits, only, refuses, setup, thrown } from "./peer.ts"

describe("5.1: overview", () => {
  it("RFC 6455 5.1: a client masks every frame", () => {
    for (const sent of everything("client")) assert.isDefined(unframe(sent)[0].key)
  })

  it("RFC 6455 5.1: a server masks no frame", () => {
    for (const sent of everything("server")) assert.isUndefined(unframe(sent)[0].key)
  })

  only("server", "5.1: a server fails on a frame without a mask", () => {
    for (const opcode of [1, 2, 8, 9, 10]) refuses("server", frame(opcode, ""), 1002, 1)
    refuses("server", concat(frame(1, "a", { mask: true, fin: false }), frame(0, "b")), 1002, 8)
  })

  only("client", "5.1: a client fails on a frame with a mask", () => {
    for (const opcode of [1, 2, 8, 9, 10]) refuses("client", frame(opcode, "", { mask: true }), 1002, 1)
    refuses("client", concat(frame(1, "a", { fin: false }), frame(0, "b", { mask: true })), 1002, 4)
  })
})

describe("5.2: base framing protocol", () => {
  both("5.2: the reserved bits of what is sent are 0", (role) => {
    for (const sent of everything(role)) assert.strictEqual(unframe(sent)[0].rsv, 0)
  })

  both("5.2: fails on a reserved bit without an extension, with its byte", (role, peer) => {
    for (let rsv = 1; rsv <= 7; rsv++) {
      for (const opcode of [1, 2, 8, 9, 10]) refuses(role, peer(opcode, "", { rsv }), 1002, 0)
      const begun = peer(1, "a", { fin: false })
      refuses(role, concat(begun, peer(0, "", { rsv })), 1002, begun.length)
    }
  })

  both("5.2: fails on an unknown opcode, with its byte", (role, peer) => {
    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
      for (const fin of [true, false]) refuses(role, peer(opcode, "", { fin }), 1002, 0)
      const begun = peer(2, "a", { fin: false })
      refuses(role, concat(begun, peer(opcode, "")), 1002, begun.length)
    }
  })

  both("5.2: sends a length in its shortest form, in network byte order", (role) => {
    const { io, machine } = setup(role, { maxFrameSize: 100_000 })
    for (
      const [length, form] of [
        [0, "00"],
        [125, "7d"],
        [126, "7e007e"],
        [127, "7e007f"],
        [256, "7e0100"],
        [65_535, "7effff"],
        [65_536, "7f0000000000010000"],
        [65_537, "7f0000000000010001"]
      ] as const
    ) {
      machine.encode(bytes(length), io)
      const sent = io.sent()
      sent[1] &= 0x7f
      assert.strictEqual(toHex(sent.subarray(1, 1 + form.length / 2)), form)
      assert.strictEqual(sent.length, 1 + form.length / 2 + (role === "client" ? 4 : 0) + length)
    }
  })

  both("5.2: takes lengths of 7, 16 and 64 bits, in network byte order", (role, peer) => {
    const sizes = [0, 1, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 65_537, 70_000]
    accepts(role, concat(...sizes.map((size) => peer(2, bytes(size)))), { messages: sizes.map(bytes) })
  })

  both("5.2: fails on a length that isn't in its shortest form, with its last byte", (role, peer) => {
    for (const opcode of [1, 2]) {
      for (const length of [0, 1, 125]) {
        refuses(role, peer(opcode, bytes(length), { lengthBytes: 2 }), 1002, 3)
        refuses(role, peer(opcode, bytes(length), { lengthBytes: 8 }), 1002, 9)
      }
    }
    for (const length of [126, 65_535]) refuses(role, peer(2, bytes(length), { lengthBytes: 8 }), 1002, 9)
    refuses(role, concat(peer(2, "", { fin: false }), peer(0, "", { lengthBytes: 2 })), 1002, peer(2, "").length + 3)
  })

  both("5.2: fails on a length whose most significant bit is 1, with its byte", (role) => {
    const second = role === "server" ? "ff" : "7f"
    for (const length of ["8000000000000000", "8000000000010000", "ffffffffffffffff", "8000000000000001"]) {
      refuses(role, hex(`82${second}${length}`), 1002, 2)
    }
  })
})

describe("5.3: client-to-server masking", () => {
  it("RFC 6455 5.3: every frame of a client has a fresh key", () => {
    const { io, machine } = setup("client")
    const keys = new Set<string>()
    for (let i = 0; i < 5_000; i++) {
      machine.encode("Hello", io)
      keys.add(unframe(io.sent())[0].key!)
    }
    // Two of 5,000 are the same once in 344 times, three pairs never.
    assert.isAtLeast(keys.size, 4_997)
  })

  it("RFC 6455 5.3: a key comes from a strong source of entropy, and from nothing else", () => {
    let given = 0
    const source = vi.spyOn(globalThis.crypto, "getRandomValues").mockImplementation((array) => {
      const words = array as unknown as Int32Array
      for (let i = 0; i < words.length; i++) words[i] = 0x0f0e0000 | given++
      return array
    })
    const { io, machine } = setup("client")
    const keys = new Set<string>()
    for (let i = 0; i < 3_000; i++) {
      if (i % 2 === 0) machine.encode("Hello", io)
      else {
        machine.ping()
        io.write(proceed(machine)!)
      }
      keys.add(unframe(io.sent())[0].key!)
    }
    source.mockRestore()
    const known = [...keys].filter((key) => key.endsWith("0e0f"))
    assert.isAbove(known.length, 1_900, "keys from the source")
    assert.isAtMost(3_000 - known.length, 1_024, "keys it gave before")
    assert.strictEqual(keys.size, 3_000)
  })

  it("RFC 6455 5.3: octet i is combined with octet i modulo 4 of the key, over lengths of all kinds", () => {
    const { io, machine, sent, waiting } = setup("client")
    for (const size of [0, 1, 2, 3, 4, 5, 15, 16, 17, 125, 126, 500, 511, 512, 513, 1_000, 40_000, 65_536, 140_003]) {
      machine.encode(bytes(size), io)
      assert.deepStrictEqual(assembled([...sent(), ...waiting()]), [bytes(size)])
    }
  })

  only("server", "5.3: the length does not include the key, and a key of zeros is one", () => {
    const zeros = concat(hex("8185 00000000"), utf8("Hello"))
    accepts("server", concat(zeros, frame(1, "Hello", { mask: true }), zeros), {
      messages: ["Hello", "Hello", "Hello"]
    })
  })
})

describe("5.4: fragmentation", () => {
  both("5.4: takes messages in one frame and in fragments of any size", (role, peer) => {
    const text = "größer€😀".repeat(20)
    for (const size of [1, 2, 3, 50, 1_000]) {
      const all = utf8(text)
      const pieces = Array.from(
        { length: Math.min(limits.maxFragments, Math.ceil(all.length / size)) },
        (_, i) => all.subarray(i * size, i === limits.maxFragments - 1 ? all.length : (i + 1) * size)
      )
      const fragments = pieces.map((piece, i) => peer(i === 0 ? 1 : 0, piece, { fin: i === pieces.length - 1 }))
      accepts(role, concat(peer(1, text), ...fragments, peer(2, "end")), { messages: [text, text, utf8("end")] })
    }
    const empty = concat(peer(1, "", { fin: false }), peer(0, "", { fin: false }), peer(0, "a", { fin: false }))
    accepts(role, concat(empty, peer(0, "")), { messages: ["a"] })
    accepts(role, concat(peer(2, "", { fin: false }), peer(0, "")), { messages: [bytes(0)] })
  })

  both("5.4: fragments are put together in their order, with the type of the first", (role, peer) => {
    const abc = (opcode: number) =>
      concat(peer(opcode, "a", { fin: false }), peer(0, "b", { fin: false }), peer(0, "c"))
    accepts(role, concat(abc(1), abc(2), abc(1)), { messages: ["abc", utf8("abc"), "abc"] })
  })

  both("5.4: handles control frames in the middle of a message", (role, peer) => {
    const input = concat(
      peer(2, bytes(3), { fin: false }),
      peer(9, "1"),
      peer(0, "", { fin: false }),
      peer(10, bytes(125)),
      peer(9, "2"),
      peer(0, bytes(200), { fin: false }),
      peer(10, ""),
      peer(0, ""),
      peer(1, "next")
    )
    const messages = [concat(bytes(3), bytes(200)), "next"]
    accepts(role, input, { messages, pongs: [bytes(125), bytes(0)], answers: [utf8("1"), utf8("2")] })
    const parting = setup(role)
    receive(parting.machine, [concat(peer(1, "a", { fin: false }), peer(8, closeBody(1000)), peer(0, "b"))], parting.io)
    assert.deepStrictEqual([parting.io.emitted, parting.io.events], [[], ["closed"]])
  })

  both("5.4: fails on a continuation of nothing, with its first byte", (role, peer) => {
    for (const fin of [true, false]) {
      const wrong = peer(0, "", { fin })
      refuses(role, wrong, 1002, 0)
      const whole = peer(1, "a")
      refuses(role, concat(whole, wrong), 1002, whole.length, ["a"])
      const fragmented = concat(peer(2, "a", { fin: false }), peer(0, "b"))
      refuses(role, concat(fragmented, wrong), 1002, fragmented.length, [utf8("ab")])
      const ping = peer(9, "a")
      refuses(role, concat(ping, wrong), 1002, ping.length)
    }
  })

  both("5.4: fails on a message that begins inside of another, with its first byte", (role, peer) => {
    for (const [outer, inner] of [[1, 1], [1, 2], [2, 1], [2, 2]]) {
      const begun = concat(peer(outer, "a", { fin: false }), peer(9, ""), peer(0, "", { fin: false }))
      for (const fin of [true, false]) refuses(role, concat(begun, peer(inner, "b", { fin })), 1002, begun.length)
    }
  })

  both("5.4: fails on a control frame in fragments, with its first byte", (role, peer) => {
    for (const opcode of [8, 9, 10]) {
      refuses(role, peer(opcode, "", { fin: false }), 1002, 0)
      refuses(role, peer(opcode, closeBody(1000), { fin: false }), 1002, 0)
      const begun = peer(1, "a", { fin: false })
      refuses(role, concat(begun, peer(opcode, "", { fin: false })), 1002, begun.length)
    }
  })

  both("5.4: sends control frames in one piece", (role) => {
    const control = everything(role).flatMap(unframe).filter(({ opcode }) => opcode >= 8)
    assert.isAbove(control.length, 10)
    for (const { fin } of control) assert.isTrue(fin)
  })

  both("5.4: sends fragments in order, the type in the first and FIN in the last of them", (role) => {
    const text = "é".repeat(100_000)
    for (
      const [message, opcode, sizes] of [
        [bytes(65_536), 2, [65_536]],
        [bytes(65_537), 2, [65_536, 1]],
        [bytes(131_072), 2, [65_536, 65_536]],
        [bytes(200_000), 2, [65_536, 65_536, 65_536, 3_392]],
        [text, 1, [65_536, 65_536, 65_536, 3_392]],
        ["x".repeat(65_537), 1, [65_536, 1]]
      ] as const
    ) {
      const { io, machine, sent, waiting } = setup(role, { maxFrameSize: 65_536 })
      machine.encode(message, io)
      assert.strictEqual(machine.busy, sizes.length > 1)
      const frames = [...sent(), ...waiting()]
      assert.deepStrictEqual(
        frames.map(({ fin, opcode, payload, rsv }) => [fin, rsv, opcode, payload.length]),
        sizes.map((size, i) => [i === sizes.length - 1, 0, i === 0 ? opcode : 0, size])
      )
      if (role === "client") assert.isAbove(new Set(frames.map(({ key }) => key)).size, frames.length - 2)
      assert.deepStrictEqual(assembled(frames), [message])
    }
  })

  both("5.4: sends fragments as small as they are wanted", (role) => {
    for (const maxFrameSize of [1, 2, 3, 125, 126]) {
      const { io, machine, sent, waiting } = setup(role, { maxFrameSize })
      const messages = ["größer€😀".repeat(20), bytes(maxFrameSize), bytes(maxFrameSize + 1), "", bytes(0)]
      for (const message of messages) machine.encode(message, io)
      const frames = [...sent(), ...waiting()]
      assert.isAtMost(Math.max(...frames.map(({ payload }) => payload.length)), maxFrameSize)
      assert.isTrue(frames.every(({ fin, payload }) => fin || payload.length === maxFrameSize))
      assert.deepStrictEqual(assembled(frames), messages)
    }
  })

  both("5.4: no fragment of another message goes between the fragments of one", (role) => {
    const { io, machine, next, sent } = setup(role, { maxFrameSize: 10 })
    const messages = [bytes(35), "a", bytes(3), "b".repeat(11), "c"]
    machine.encode(messages[0], io)
    const frames = [next()!]
    for (const message of messages.slice(1)) {
      machine.encode(message, io)
      frames.push(next()!)
    }
    assert.deepStrictEqual(sent(), [])
    while (machine.busy) frames.push(next()!)
    assert.deepStrictEqual(frames.map(({ opcode }) => opcode), [2, 0, 0, 0, 1, 2, 1, 0, 1])
    assert.deepStrictEqual(assembled(frames), messages)
  })

  both("5.4: sends control frames between the fragments of a message, as soon as there is room", (role, peer) => {
    const { io, machine, next, sent } = setup(role, { maxFrameSize: 10 })
    machine.encode(bytes(35), io)
    const frames = [next()!]
    receive(machine, [peer(9, "1")], io)
    frames.push(next()!, next()!)
    machine.ping(utf8("2"))
    machine.pong(utf8("3"))
    receive(machine, [peer(9, "4")], io)
    for (let frame = next(); frame !== undefined; frame = next()) frames.push(frame)
    assert.deepStrictEqual(sent(), [])
    assert.deepStrictEqual(frames.map(({ fin, opcode, payload }) => [fin, opcode, payload]), [
      [false, 2, bytes(10)],
      [true, 10, utf8("1")],
      [false, 0, bytes(20).subarray(10)],
      [true, 10, utf8("4")],
      [true, 9, utf8("2")],
      [true, 10, utf8("3")],
      [false, 0, bytes(30).subarray(20)],
      [true, 0, bytes(35).subarray(30)]
    ])
  })
})

describe("5.5: control frames", () => {
  both("5.5: sends none with more than 125 bytes", (role) => {
    const control = everything(role).map((sent) => unframe(sent)[0]).filter(({ opcode }) => opcode >= 8)
    assert.deepStrictEqual(control.map(({ lengthBytes }) => lengthBytes), control.map(() => 0))
    assert.sameMembers([...new Set(control.map(({ opcode }) => opcode))], [8, 9, 10])
    const { io, machine, sent, waiting } = setup(role)
    assert.instanceOf(thrown(() => machine.ping(bytes(126))), Unencodable)
    assert.deepStrictEqual(waiting(), [])
    machine.closeWith(privateUse(4001), "x".repeat(122) + "é")
    machine.close("done", io)
    assert.deepStrictEqual(sent().map(({ payload }) => payload), [closeBody(4001, "x".repeat(122))])
  })

  both("5.5: takes 125 bytes, whatever the limit of messages", (role, peer) => {
    const { io, machine, pongs, waiting } = setup(role, { maxMessageSize: 10 })
    receive(machine, [concat(peer(9, bytes(125)), peer(10, bytes(125)))], io)
    assert.deepStrictEqual(pongs, [bytes(125)])
    assert.deepStrictEqual(waiting().map(({ payload }) => payload), [bytes(125)])
    receive(machine, [peer(8, closeBody(1000, "x".repeat(123)))], io)
    assert.deepStrictEqual(io.goodbye?.received, { code: 1000, reason: "x".repeat(123) })
  })

  both("5.5: fails on one with more than 125 bytes, with the byte that says so", (role, peer) => {
    for (const opcode of [8, 9, 10]) {
      for (const size of [126, 65_536]) refuses(role, peer(opcode, bytes(size)), 1002, 1)
      for (const lengthBytes of [2, 8] as const) refuses(role, peer(opcode, "", { lengthBytes }), 1002, 1)
    }
  })
})

describe("5.5.1: Close", () => {
  both("5.5.1: fails on a body of one byte", (role, peer) => {
    refuses(role, peer(8, hex("03")), 1002, 1)
    refuses(role, peer(8, hex("00")), 1002, 1)
  })

  both("5.5.1: after a Close frame was sent, no data frame is sent", (role, peer) => {
    const local = setup(role)
    local.machine.close("done", local.io)
    const remote = setup(role)
    receive(remote.machine, [peer(8, "")], remote.io)
    const failed = setup(role)
    receive(failed.machine, [hex("ff")], failed.io)
    for (const { io, machine, sent } of [local, remote, failed]) {
      assert.deepStrictEqual(sent().map(({ opcode }) => opcode), [8])
      for (const message of ["x", bytes(40_000)]) assert.isDefined(thrown(() => machine.encode(message, io)))
      assert.deepStrictEqual(sent(), [])
    }
    assert.instanceOf(thrown(() => local.machine.encode("x", local.io)), Closing)
    assert.instanceOf(thrown(() => remote.machine.encode("x", remote.io)), Closed)
  })

  both("5.5.1: what was sent before a Close frame goes before it", (role) => {
    const { io, machine, sent } = setup(role)
    machine.encode("last", io)
    machine.close("done", io)
    assert.deepStrictEqual(sent().map(({ opcode, payload }) => [opcode, payload]), [
      [1, utf8("last")],
      [8, closeBody(1000)]
    ])
  })

  both("5.5.1: a Close frame goes behind the data that waits, and nothing behind it", (role, peer) => {
    const { io, machine, next, sent } = setup(role, { maxFrameSize: 10 })
    machine.encode(bytes(25), io)
    machine.encode("b", io)
    const frames = [next()!]
    machine.close("done", io)
    assert.isTrue(machine.busy)
    assert.instanceOf(thrown(() => machine.encode("c", io)), Closing)
    receive(machine, [peer(9, "1")], io)
    assert.isTrue(machine.ping(utf8("2")))
    frames.push(...Array.from({ length: 5 }, () => next()!))
    assert.isTrue(machine.ping(utf8("3")))
    frames.push(next()!, next()!)
    assert.isFalse(machine.busy)
    assert.deepStrictEqual(frames.map(({ opcode, payload }) => [opcode, payload]), [
      [2, bytes(10)],
      [10, utf8("1")],
      [9, utf8("2")],
      [0, bytes(20).subarray(10)],
      [0, bytes(25).subarray(20)],
      [1, utf8("b")],
      [9, utf8("3")],
      [8, closeBody(1000)]
    ])
    receive(machine, [peer(9, "4")], io)
    assert.isFalse(machine.ping())
    assert.deepStrictEqual([next(), sent()], [undefined, []])
    receive(machine, [peer(8, closeBody(1000))], io)
    assert.deepStrictEqual([next(), sent(), io.events], [undefined, [], ["closed"]])
  })

  both("5.5.1: the answer to a Close frame may wait for the current message, not longer than that", (role, peer) => {
    const { io, machine, sent, waiting } = setup(role, { maxFrameSize: 10 })
    machine.encode(bytes(25), io)
    receive(machine, [concat(peer(8, closeBody(1001, "bye")), peer(9, "?"))], io)
    assert.deepStrictEqual([sent(), io.events], [[], ["closed"]])
    assert.instanceOf(thrown(() => machine.encode("c", io)), Closed)
    assert.isFalse(machine.ping())
    const frames = waiting()
    assert.deepStrictEqual(frames.map(({ opcode }) => opcode), [2, 0, 0, 8])
    assert.deepStrictEqual(assembled(frames), [bytes(25)])
    assert.deepStrictEqual(frames.at(-1)!.payload, closeBody(1001, "bye"))
    const status = { code: 1001, reason: "bye" }
    assert.deepStrictEqual(io.goodbye, { first: "remote", received: status })
    assert.deepStrictEqual(machine.goodbye(), { first: "remote", sent: status, received: status })
  })

  both("5.5.1: nothing is sent after a Close frame that a failure brings forward", (role, peer) => {
    for (const closes of [true, false]) {
      const { io, machine, next, sent, waiting } = setup(role, { maxFrameSize: 10 })
      machine.encode(bytes(25), io)
      machine.encode("b", io)
      assert.strictEqual(next()?.opcode, 2)
      if (closes) machine.close("done", io)
      receive(machine, [concat(peer(9, "?"), hex("ff"))], io)
      machine.ping()
      assert.deepStrictEqual(sent().map(({ opcode, payload }) => [opcode, toHex(payload.subarray(0, 2))]), [
        [8, closes ? "03e8" : "03ea"]
      ])
      assert.deepStrictEqual(waiting(), [])
      assert.isFalse(machine.busy)
      assert.deepStrictEqual(machine.unsent(), { messages: 2, bytes: 16 })
    }
  })

  both("5.5.1: what came before a Close frame, or before a failure, can be answered before it", (role, peer) => {
    for (const [end, code] of [[peer(8, closeBody(1000)), "03e8"], [hex("ff"), "03ea"]] as const) {
      const { io, machine, sent, waiting } = setup(role)
      const input = concat(peer(1, "question"), peer(9, "1"), end, peer(1, "late"))
      assert.isFalse(machine.receive([input], io))
      assert.deepStrictEqual([io.emitted, io.events, sent()], [["question"], [], []])
      machine.encode("answer", io)
      assert.deepStrictEqual(waiting().map(({ opcode, payload }) => [opcode, payload]), [[10, utf8("1")]])
      assert.isTrue(machine.receive([], io))
      assert.deepStrictEqual(sent().map(({ opcode, payload }) => [opcode, toHex(payload.subarray(0, 2))]), [
        [1, toHex(utf8("an"))],
        [8, code]
      ])
      assert.lengthOf(io.events, 1)
      assert.deepStrictEqual([io.emitted, waiting()], [["question"], []])
    }
  })

  both("5.5.1: a Close frame is answered with one that says the same", (role, peer) => {
    const longest = "x".repeat(123)
    const bodies: ReadonlyArray<readonly [Uint8Array, Status]> = [
      [closeBody(4001, "bye €"), { code: 4001, reason: "bye €" }],
      [closeBody(1011, longest), { code: 1011, reason: longest }],
      [hex(""), { code: 1005, reason: "" }]
    ]
    for (const [body, status] of bodies) {
      for (const parts of cuts(peer(8, body))) {
        const { io, machine, sent } = setup(role)
        receive(machine, parts, io)
        assert.deepStrictEqual(sent().map(({ opcode, payload }) => [opcode, payload]), [[8, body]])
        assert.deepStrictEqual(io.events, ["closed"])
        assert.deepStrictEqual(io.goodbye, { first: "remote", sent: status, received: status })
        machine.close("done", io)
        machine.ended("announced", io)
        assert.deepStrictEqual([io.events, sent()], [["closed"], []])
      }
    }
  })

  both("5.5.1: a Close frame that answers ours is not answered", (role, peer) => {
    const { io, machine, sent } = setup(role)
    machine.close("done", io)
    assert.lengthOf(sent(), 1)
    assert.deepStrictEqual(io.events, [])
    receive(machine, [peer(8, closeBody(1000))], io)
    const status = { code: 1000, reason: "" }
    assert.deepStrictEqual(io.events, ["closed"])
    assert.deepStrictEqual(io.goodbye, { first: "local", sent: status, received: status })
    machine.ended("announced", io)
    assert.deepStrictEqual([io.events, sent()], [["closed"], []])
  })

  both("5.5.1: what comes before the peer's Close frame is taken, also after our own", (role, peer) => {
    const { io, machine } = setup(role)
    receive(machine, [peer(1, "a", { fin: false })], io)
    machine.close("done", io)
    receive(machine, [concat(peer(0, "b"), peer(2, "c"), peer(8, closeBody(1000)))], io)
    assert.deepStrictEqual(io.emitted, ["ab", utf8("c")])
    assert.deepStrictEqual(io.events, ["closed"])
  })

  both("5.5.1: both sides may send it at the same time, and are closed with what they received", (role, peer) => {
    const { io, machine, sent } = setup(role)
    machine.close("away", io)
    receive(machine, [peer(8, closeBody(4000, "mine"))], io)
    assert.deepStrictEqual(sent().map(({ payload }) => payload), [closeBody(1001)])
    const received = { code: 4000, reason: "mine" }
    assert.deepStrictEqual(io.goodbye, { first: "local", sent: { code: 1001, reason: "" }, received })
  })

  both("5.5.1: what comes after the peer's Close frame is ignored, another one too (1.4)", (role, peer) => {
    const after = concat(peer(1, "b"), peer(8, closeBody(4000)), peer(9, "?"), hex("ffffff"))
    for (const parts of cuts(concat(peer(1, "a"), peer(8, closeBody(1000)), after))) {
      const { io, machine, sent, waiting } = setup(role)
      assert.isTrue(receive(machine, parts, io))
      assert.isTrue(receive(machine, [hex("ffffff")], io))
      assert.deepStrictEqual([io.emitted, io.events], [["a"], ["closed"]])
      assert.deepStrictEqual(sent().map(({ payload }) => payload), [closeBody(1000)])
      assert.deepStrictEqual(waiting(), [])
    }
  })
})

describe("5.5.2, 5.5.3: Ping and Pong", () => {
  both("5.5.2: a ping is answered with a pong", (role, peer) => {
    for (const parts of cuts(peer(9, "1"))) {
      const { io, machine, waiting } = setup(role)
      receive(machine, parts, io)
      assert.deepStrictEqual(waiting().map(({ opcode }) => opcode), [10])
      receive(machine, [peer(9, "2")], io)
      assert.lengthOf(waiting(), 1)
      assert.deepStrictEqual([io.emitted, io.events], [[], []])
    }
  })

  both("5.5.2: no ping is answered after a Close frame, in either direction", (role, peer) => {
    const remote = setup(role)
    receive(remote.machine, [concat(peer(9, "1"), peer(8, ""), peer(9, "2"))], remote.io)
    assert.deepStrictEqual(remote.waiting(), [])
    const local = setup(role)
    receive(local.machine, [peer(9, "1")], local.io)
    local.machine.close("done", local.io)
    receive(local.machine, [peer(9, "2")], local.io)
    assert.deepStrictEqual(local.waiting(), [])
  })

  both("5.5.2: sends pings until a Close frame was sent or received, and a pong goes before them", (role, peer) => {
    const { io, machine, waiting } = setup(role)
    assert.isTrue(machine.ping(utf8("a")))
    receive(machine, [peer(9, "!")], io)
    assert.isTrue(machine.ping())
    assert.deepStrictEqual(waiting().map(({ opcode, payload }) => [opcode, payload]), [
      [10, utf8("!")],
      [9, utf8("a")],
      [9, hex("")]
    ])
    for (let i = 0; i < maxControls; i++) assert.isTrue(machine.ping())
    assert.isFalse(machine.ping())
    machine.close("done", io)
    assert.deepStrictEqual(waiting(), [])
    assert.isFalse(machine.ping())
    const remote = setup(role)
    remote.machine.ping()
    receive(remote.machine, [peer(8, "")], remote.io)
    assert.isFalse(remote.machine.ping())
    assert.deepStrictEqual(remote.waiting(), [])
  })

  both("5.5.3: a pong has the payload of its ping", (role, peer) => {
    for (const payload of [hex(""), hex("ff"), utf8("Hello"), bytes(125)]) {
      const { io, machine, waiting } = setup(role)
      receive(machine, [peer(9, payload)], io)
      assert.deepStrictEqual(waiting().map(({ payload }) => payload), [payload])
    }
  })

  both("5.5.3: pings that wait are answered in their order", (role, peer) => {
    const { io, machine, waiting } = setup(role)
    receive(machine, [concat(peer(9, "1"), peer(1, "a"), peer(9, "2"))], io)
    receive(machine, [peer(9, "3")], io)
    assert.deepStrictEqual(waiting().map(({ opcode, payload }) => [opcode, payload]), [
      [10, utf8("1")],
      [10, utf8("2")],
      [10, utf8("3")]
    ])
    const pings = Array.from({ length: 64 }, (_, i) => utf8(`${i}`))
    receive(machine, pings.map((ping) => peer(9, ping)), io)
    assert.deepStrictEqual(waiting().map(({ payload }) => payload), pings)
  })

  both("5.5.3: of more pings than 64 that wait, the latest is answered in any case", (role, peer) => {
    const { io, machine, next, waiting } = setup(role)
    const ping = (n: number) => receive(machine, [peer(9, `${n}`)], io)
    for (let n = 0; n < 70; n++) ping(n)
    assert.deepStrictEqual(next()?.payload, utf8("0"))
    ping(70)
    ping(71)
    const first = Array.from({ length: 62 }, (_, i) => utf8(`${i + 1}`))
    assert.deepStrictEqual(waiting().map(({ payload }) => payload), [...first, utf8("69"), utf8("71")])
  })

  both("5.5.3: a pong nobody asked for is taken, and not answered", (role, peer) => {
    const { io, machine, pongs, sent, waiting } = setup(role)
    receive(machine, [concat(peer(10, "?"), peer(10, ""))], io)
    assert.deepStrictEqual(pongs, [utf8("?"), hex("")])
    assert.deepStrictEqual([io.events, sent(), waiting()], [[], [], []])
    machine.onPong = undefined
    receive(machine, [peer(10, "!")], io)
    assert.deepStrictEqual(io.events, [])
  })
})

describe("5.6: data frames", () => {
  both("5.6: text is UTF-8 as a whole, and may be cut inside of a character", (role, peer) => {
    const text = "a\0é€😀\ufeff\uffff\u{10ffff}"
    const all = utf8(text)
    for (let at = 0; at <= all.length; at++) {
      const pieces = [peer(1, all.subarray(0, at), { fin: false }), peer(9, hex("ff")), peer(0, all.subarray(at))]
      accepts(role, concat(...pieces), { messages: [text], answers: [hex("ff")] })
    }
    const eight = Array.from(
      { length: 8 },
      (_, i) => peer(i === 0 ? 1 : 0, utf8("😀😀").subarray(i, i + 1), { fin: i === 7 })
    )
    accepts(role, concat(...eight), { messages: ["😀😀"] })
  })

  both("5.6: sends text as UTF-8, without half of a character", (role) => {
    const { io, machine, sent, waiting } = setup(role)
    const halves = [["\ud800", "\ufffd"], ["a\udc00b", "a\ufffdb"], [
      `${"x".repeat(70_000)}\ud83d`,
      `${"x".repeat(70_000)}\ufffd`
    ]]
    for (const [text, said] of [["", ""], ["aé€😀", "aé€😀"], ...halves]) {
      machine.encode(text, io)
      assert.deepStrictEqual(assembled([...sent(), ...waiting()]), [said])
    }
  })

  both("5.6: binary data is arbitrary", (role, peer) => {
    const every = Uint8Array.from({ length: 256 }, (_, i) => i)
    accepts(role, concat(peer(2, every), peer(2, hex("ff")), peer(2, "")), { messages: [every, hex("ff"), hex("")] })
    const { io, machine, sent } = setup(role)
    machine.encode(every, io)
    assert.deepStrictEqual(sent().map(({ opcode, payload }) => [opcode, payload]), [[2, every]])
  })
})

/** The same frame with the key of the examples. */
const remasked = (sent: Uint8Array): string => {
  const [{ payload }] = unframe(sent)
  assert.isBelow(payload.length, 126)
  return toHex(concat(sent.subarray(0, 2), frame(0, payload, { mask: true }).subarray(2)))
}

describe("5.7: examples", () => {
  it("RFC 6455 5.7: a single-frame unmasked text message", () => {
    accepts("client", hex("810548656c6c6f"), { messages: ["Hello"] })
    const { io, machine } = setup("server")
    machine.encode("Hello", io)
    assert.strictEqual(toHex(io.sent()), "810548656c6c6f")
  })

  it("RFC 6455 5.7: a single-frame masked text message", () => {
    accepts("server", hex("818537fa213d7f9f4d5158"), { messages: ["Hello"] })
    const { io, machine } = setup("client")
    machine.encode("Hello", io)
    assert.strictEqual(remasked(io.sent()), "818537fa213d7f9f4d5158")
  })

  it("RFC 6455 5.7: a fragmented unmasked text message", () => {
    accepts("client", hex("010348656c 80026c6f"), { messages: ["Hello"] })
  })

  it("RFC 6455 5.7: unmasked ping request and masked ping response", () => {
    accepts("client", hex("890548656c6c6f"), { messages: [], answers: [utf8("Hello")] })
    accepts("server", hex("8a8537fa213d7f9f4d5158"), { messages: [], pongs: [utf8("Hello")] })
    const server = setup("server")
    server.machine.ping(utf8("Hello"))
    assert.strictEqual(toHex(proceed(server.machine)!), "890548656c6c6f")
    const client = setup("client")
    receive(client.machine, [hex("890548656c6c6f")], client.io)
    assert.strictEqual(remasked(proceed(client.machine)!), "8a8537fa213d7f9f4d5158")
  })

  for (
    const [name, size, head] of [["256 bytes", 256, "827e0100"], ["64KiB", 65_536, "827f0000000000010000"]] as const
  ) {
    it(`RFC 6455 5.7: ${name} binary message in a single unmasked frame`, () => {
      accepts("client", concat(hex(head), bytes(size)), { messages: [bytes(size)] })
      const { io, machine } = setup("server")
      machine.encode(bytes(size), io)
      assert.deepStrictEqual(io.sent(), concat(hex(head), bytes(size)))
    })
  }
})
