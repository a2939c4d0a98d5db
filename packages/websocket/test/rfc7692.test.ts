/**
 * Every MUST of RFC 7692 as a machine keeps it: after a handshake with permessage-deflate, as a client and as a server, in frames.
 * What each end offers and answers (5.1, 7.1) is in `PerMessageDeflate.test.ts`, and how far back repetitions go in the tests of
 * `NodeZlib`.
 *
 * Not here: what is asked of those who define extensions (4, 5.2), and of intermediaries.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { NodeZlib } from "@wirestack/node"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import * as NativeZlib from "node:zlib"
import * as Extension from "../src/extensions/Extension.ts"
import { ExtensionChain } from "../src/extensions/ExtensionChain.ts"
import * as PerMessageDeflate from "../src/extensions/PerMessageDeflate.ts"
import type { WindowBits } from "../src/extensions/Zlib.ts"
import type { Message, Options } from "../src/machines/WebSocketMachine.ts"
import { framing, type Role, setup, thrown } from "./rfc6455/peer.ts"
import { closeBody, concat, cuts, hex, notUtf8, random, type Read, receive, text, toHex, utf8 } from "./support.ts"

const runtime = ManagedRuntime.make(NodeZlib.layer)
afterAll(() => runtime.dispose())

const make = (options: PerMessageDeflate.Options = {}): Extension.Extension =>
  runtime.runSync(PerMessageDeflate.make({ threshold: 0, ...options }))

const none: PerMessageDeflate.Options = {}
const keeps: PerMessageDeflate.Options = { serverNoContextTakeover: false, clientNoContextTakeover: false }

type More = Omit<Options, "role" | "extensions">

/** A machine of each role after a handshake. */
const pair = (client = none, server = none, more?: More) => {
  const offerer = [make(client)]
  const { agreed, header } = Result.getOrThrow(Extension.answer([make(server)], Extension.offer(offerer)))
  const accepted = Result.getOrThrow(Extension.agree(offerer, [header!]))
  return {
    client: setup("client", { ...more, extensions: new ExtensionChain(accepted) }),
    server: setup("server", { ...more, extensions: new ExtensionChain(agreed) })
  }
}

type End = ReturnType<typeof setup>

const of = (role: Role, options = none, more?: More): End => pair(options, options, more)[role]

const roles = ["client", "server"] as const

/** A test for both roles; `peer` frames as the other one. */
const both = (name: string, test: (role: Role, peer: ReturnType<typeof framing>) => void): void => {
  for (const role of roles) it(`RFC 7692 ${name} (as a ${role})`, () => test(role, framing(role)))
}

/** All frames of some messages. */
const frames = ({ io, machine, sent, waiting }: End, ...messages: ReadonlyArray<Message>): ReadonlyArray<Read> => {
  for (const message of messages) machine.encode(message, io)
  return [...sent(), ...waiting()]
}

const payloadOf = (frames: ReadonlyArray<Read>): Uint8Array => concat(...frames.map(({ payload }) => payload))

const tail = hex("0000ffff")

const inflated = (payload: Uint8Array, windowBits = 15): Uint8Array =>
  new Uint8Array(NativeZlib.inflateRawSync(concat(payload, tail), {
    windowBits,
    // So little at a time that a repetition must be in the window.
    chunkSize: NativeZlib.constants.Z_MIN_CHUNK,
    finishFlush: NativeZlib.constants.Z_SYNC_FLUSH
  }))

/** Text that compresses to about half of it. */
const prose = (length: number): string => {
  const next = random(7)
  let all = ""
  while (all.length < length) all += `${Math.floor(next() * 900).toString(30)} `
  return all.slice(0, length)
}

const compressed = hex("f248cdc9c90700")

/** The input is taken, in whatever pieces it comes. */
const accepts = (role: Role, input: Uint8Array, messages: ReadonlyArray<Message>, options = none): void => {
  for (const parts of cuts(input)) {
    const { io, machine } = of(role, options)
    for (const part of parts) receive(machine, [part], io)
    assert.deepStrictEqual([io.emitted, io.events], [messages, []])
    assert.deepStrictEqual(
      io.sizes,
      messages.map((message) => (typeof message === "string" ? utf8(message) : message).length)
    )
    machine.release()
  }
}

/** It is refused with this code, and nothing behind it is heard; with the byte at `at`, if that is known. */
const refuses = (role: Role, input: Uint8Array, code: number, at?: number, more?: More): void => {
  const peer = framing(role)
  const whole = concat(peer(1, compressed, { rsv: 4 }), input)
  const ways = cuts(concat(whole, peer(1, "after"), peer(8, closeBody(1000))))
  if (at !== undefined) {
    const end = whole.length - input.length + at
    const early = of(role, none, more)
    receive(early.machine, [whole.slice(0, end)], early.io)
    assert.deepStrictEqual(early.io.events, [])
  }
  for (const parts of at === undefined ? ways : [...ways, [whole.slice(0, whole.length - input.length + at + 1)]]) {
    const { io, machine, sent, waiting } = of(role, none, more)
    receive(machine, parts, io)
    assert.deepStrictEqual([io.emitted, io.events], [["Hello"], ["fail"]])
    assert.isTrue(io.reason instanceof (code === 1009 ? TooLarge : Violation))
    const closes = [...sent(), ...waiting()]
    assert.deepStrictEqual(closes.map(({ opcode, rsv }) => [opcode, rsv]), [[8, 0]])
    assert.strictEqual(toHex(closes[0].payload.subarray(0, 2)), toHex(closeBody(code)))
    machine.release()
  }
}

describe("5: negotiation", () => {
  const other: Extension.Extension = { ...make(), name: "permessage-other" }

  it("RFC 7692 5: a server accepts it with no other extension that uses RSV1", () => {
    const { agreed, header } = Result.getOrThrow(
      Extension.answer([other, make()], ["permessage-deflate, permessage-other, permessage-deflate"])
    )
    assert.deepStrictEqual(agreed.map(({ name }) => name), ["permessage-deflate"])
    assert.notInclude(header, "other")
  })

  it("RFC 7692 5: a client fails on an answer that accepts both", () => {
    const answer = "permessage-deflate; server_no_context_takeover, permessage-other; server_no_context_takeover"
    const agreed = Extension.agree([make(), other], [answer])
    if (Result.isSuccess(agreed)) assert.fail("agreed")
    assert.include(agreed.failure.rule, "different reserved bits")
  })
})

describe("6: framing", () => {
  both("6: RSV1 is set on the first frame of a compressed message, and on no other frame", (role, peer) => {
    const message = prose(200_000)
    const end = of(role, none, { maxFrameSize: 20_000 })
    const { io, machine, next } = end
    machine.encode(message, io)
    const all = [next()!]
    machine.ping(utf8("ping"))
    receive(machine, [peer(9, "pinged")], io)
    for (let frame = next(); frame !== undefined; frame = next()) all.push(frame)
    machine.close("done", io)
    all.push(...end.sent())
    const data = all.filter(({ opcode }) => opcode < 8)
    assert.isAbove(data.length, 3)
    assert.deepStrictEqual(data.map(({ opcode, rsv }) => [opcode, rsv]), data.map((_, i) => i === 0 ? [1, 4] : [0, 0]))
    assert.deepStrictEqual(data.map(({ fin }) => fin), data.map((_, i) => i === data.length - 1))
    assert.deepStrictEqual(all.filter(({ opcode }) => opcode >= 8).map(({ opcode, rsv }) => [opcode, rsv]), [
      [10, 0],
      [9, 0],
      [8, 0]
    ])
    assert.strictEqual(text(inflated(payloadOf(data))), message)
  })

  both("6: fails on RSV1 in a control frame or a continuation, with its first byte", (role, peer) => {
    for (const opcode of [8, 9, 10]) refuses(role, peer(opcode, "", { rsv: 4 }), 1002, 0)
    for (const rsv of [0, 4]) {
      const begun = peer(1, rsv === 0 ? "a" : hex("f248"), { rsv, fin: false })
      for (const opcode of [0, 8, 9, 10]) {
        refuses(role, concat(begun, peer(opcode, "", { rsv: 4 })), 1002, begun.length)
      }
    }
  })

  both("6: fails on RSV2 and RSV3 all the same", (role, peer) => {
    for (const rsv of [1, 2, 3, 5, 6, 7]) refuses(role, peer(1, compressed, { rsv }), 1002, 0)
  })

  both("6: fails on RSV1 if nothing was agreed on", (role, peer) => {
    const { io, machine, sent } = setup(role)
    receive(machine, [peer(1, compressed, { rsv: 4 })], io)
    assert.deepStrictEqual(sent().map(({ payload }) => toHex(payload.subarray(0, 2))), ["03ea"])
  })

  both("6.1: a message keeps its type", (role) => {
    const end = of(role)
    for (const [message, opcode] of [["Hello", 1], [utf8("Hello"), 2], ["", 1], [hex(""), 2]] as const) {
      assert.deepStrictEqual(frames(end, message).map(({ fin, opcode, rsv }) => [fin, rsv, opcode]), [[
        true,
        4,
        opcode
      ]])
    }
  })

  both("6.1: a message that is not compressed has RSV1 clear, and is sent as it is", (role) => {
    const short = of(role, { threshold: 6 })
    assert.deepStrictEqual(frames(short, "Hello", "Hello!").map(({ payload, rsv }) => [rsv, payload.length]), [
      [0, 5],
      [4, 8]
    ])
    const chosen = of(role, none, { transforms: (message) => typeof message === "string", maxFrameSize: 10 })
    const [first, ...rest] = frames(chosen, utf8("Hello"), utf8(prose(30)), "Hello")
    assert.deepStrictEqual([first.rsv, first.payload], [0, utf8("Hello")])
    assert.deepStrictEqual(rest.map(({ opcode, rsv }) => [opcode, rsv]), [[2, 0], [0, 0], [0, 0], [1, 4]])
    assert.deepStrictEqual(payloadOf(rest.slice(0, 3)), utf8(prose(30)))
    assert.deepStrictEqual(rest[3].payload, compressed)
  })

  both("6.1: a message is compressed as a whole, however it is cut into frames", (role) => {
    for (const message of [prose(3_000), utf8(prose(150_000)), "", "x".repeat(100)]) {
      for (const maxFrameSize of [1, 7, 100, 65_536]) {
        if (message.length > 10_000 && maxFrameSize < 100) continue
        const { client, server } = pair(keeps, keeps, { maxFrameSize })
        const [from, to] = role === "client" ? [client, server] : [server, client]
        for (let i = 0; i < 2; i++) {
          const all = frames(from, message)
          const peer = framing(role === "client" ? "server" : "client")
          for (const { fin, opcode, payload, rsv } of all) {
            receive(to.machine, [peer(opcode, payload, { fin, rsv })], to.io)
          }
        }
        assert.deepStrictEqual(to.io.emitted, [message, message])
      }
    }
  })

  both("6.2: takes compressed messages in fragments, empty ones too, with control frames between", (role, peer) => {
    for (let at = 0; at <= compressed.length; at++) {
      const [first, second] = [compressed.subarray(0, at), compressed.subarray(at)]
      const begun = peer(1, first, { rsv: 4, fin: false })
      accepts(role, concat(begun, peer(0, second)), ["Hello"])
      accepts(
        role,
        concat(begun, peer(9, "?"), peer(0, "", { fin: false }), peer(0, second, { fin: false }), peer(0, "")),
        [
          "Hello"
        ]
      )
    }
  })

  both("6.2: takes messages that are compressed and others in turn", (role, peer) => {
    const is = peer(1, compressed, { rsv: 4 })
    const isNot = concat(peer(1, "a", { fin: false }), peer(0, "b"), peer(2, compressed))
    for (const options of [none, keeps]) {
      accepts(role, concat(is, isNot, is, isNot), ["Hello", "ab", compressed, "Hello", "ab", compressed], options)
    }
  })

  both("6.2: text is UTF-8 once it is inflated", (role, peer) => {
    const message = (bytes: Uint8Array) => new Uint8Array(NativeZlib.deflateRawSync(bytes)).slice()
    for (const [, wrong] of notUtf8) {
      const payload = message(hex(wrong))
      refuses(role, peer(1, payload, { rsv: 4 }), 1007)
      accepts(role, peer(2, payload, { rsv: 4 }), [hex(wrong)])
    }
    refuses(role, peer(1, message(utf8("é").subarray(0, 1)), { rsv: 4 }), 1007)
    // A block without compression: the third byte can't follow, of five.
    const begun = peer(1, hex("000500faff c3a9ff6161"), { rsv: 4, fin: false })
    refuses(role, begun, 1007, begun.length - 3)
  })
})

describe("7.1: parameters", () => {
  for (const server of [true, false]) {
    for (const client of [true, false]) {
      for (const asker of ["client", "server"] as const) {
        const wish = { serverNoContextTakeover: server, clientNoContextTakeover: client }
        const name = `${server ? "no takeover" : "takeover"} by the server, ${client ? "none" : "one"} by the client`
        it(`RFC 7692 7.1.1.1, 7.1.1.2: ${name}, as the ${asker} wants it`, () => {
          const ends = asker === "client" ? pair(wish, keeps) : pair(keeps, wish)
          for (const role of roles) {
            const from = ends[role]
            const to = ends[role === "client" ? "server" : "client"]
            const peer = framing(role === "client" ? "server" : "client")
            const forgets = role === "client" ? client : server
            const sent = frames(from, "Hello", "Hello", "")
            assert.deepStrictEqual(sent.map(({ payload }) => toHex(payload)), [
              "f248cdc9c90700",
              forgets ? "f248cdc9c90700" : "f200110000",
              "00"
            ])
            for (const { opcode, payload, rsv } of sent) receive(to.machine, [peer(opcode, payload, { rsv })], to.io)
            assert.deepStrictEqual(to.io.emitted, ["Hello", "Hello", ""])
          }
          // Beyond what was agreed on, a context is not there.
          for (const role of roles) {
            const { io, machine } = ends[role]
            receive(machine, [framing(role)(1, hex("f200110000"), { rsv: 4 })], io)
            assert.deepStrictEqual(io.events, (role === "client" ? server : client) ? ["fail"] : [])
          }
        })
      }
    }
  }

  for (const bits of [8, 9, 10, 11, 12, 13, 14, 15] as ReadonlyArray<WindowBits>) {
    it(`RFC 7692 7.1.2.1, 7.1.2.2: an end that is told ${bits} bits sends what such a window inflates`, () => {
      const far = `${prose(2 ** bits)}${prose(2 ** bits)}`
      for (const asker of ["client", "server"] as const) {
        const wish = { ...keeps, serverMaxWindowBits: bits, clientMaxWindowBits: bits }
        const ends = asker === "client" ? pair(wish, keeps) : pair(keeps, wish)
        for (const role of roles) assert.strictEqual(text(inflated(payloadOf(frames(ends[role], far)), bits)), far)
      }
    })
  }
})

describe("7.2: payload", () => {
  both("7.2.1: what is sent has no tail, and is DEFLATE with it", (role) => {
    for (const level of [0, 1, 6, 9] as const) {
      const end = of(role, { level })
      for (const size of [1, 2, 5, 100, 65_535, 65_536, 65_537, 200_000]) {
        const payload = payloadOf(frames(end, prose(size)))
        assert.strictEqual(text(inflated(payload)), prose(size))
        assert.notStrictEqual(toHex(payload.subarray(-4)), toHex(tail))
      }
    }
  })

  both("7.2.2: fails on what is not DEFLATE, with 1007", (role, peer) => {
    for (const wrong of ["ff", "f200110000", "0005000500", "f248cd", "f248cdc9c907", ""]) {
      refuses(role, peer(1, hex(wrong), { rsv: 4 }), 1007)
      refuses(role, concat(peer(2, hex(wrong), { rsv: 4, fin: false }), peer(0, "")), 1007)
    }
  })

  both("7.2.2: a message is held to the limit once it is inflated, and before it is whole", (role, peer) => {
    const zeros = new Uint8Array(NativeZlib.deflateRawSync(new Uint8Array(2_000_000)))
    refuses(role, peer(2, zeros, { rsv: 4 }), 1009)
    refuses(role, peer(2, zeros, { rsv: 4, fin: false }), 1009)
    const stored = (size: number) => NativeZlib.deflateRawSync(new Uint8Array(size), { level: 0 })
    const limits = { maxMessageSize: 1_000 }
    const { io, machine } = of(role, none, limits)
    receive(machine, [peer(2, stored(1_000), { rsv: 4 })], io)
    assert.deepStrictEqual([io.sizes, io.events], [[1_000], []])
    refuses(role, peer(2, stored(1_001), { rsv: 4 }), 1009, undefined, limits)
    // What can't become so little is not even inflated.
    const length = role === "server" ? "fe0bd1" : "7e0bd1"
    refuses(role, hex(`c2${length}`), 1009, 3, limits)
  })

  both("7.2.2: a message is held to the ratio that is allowed, also within the limit", (role, peer) => {
    const zeros = NativeZlib.deflateRawSync(new Uint8Array(PerMessageDeflate.suspectSize + 1))
    const { io, machine, sent } = of(role, { maxRatio: 10 }, { maxMessageSize: 100_000_000 })
    receive(machine, [peer(2, zeros, { rsv: 4 })], io)
    assert.deepStrictEqual(
      io.reason,
      new TooLarge({
        what: "an inflated message",
        size: PerMessageDeflate.suspectSize + 1,
        limit: zeros.length * 10
      })
    )
    assert.deepStrictEqual(sent().map(({ payload }) => toHex(payload.subarray(0, 2))), ["03f1"])
  })

  both("7.2.2: an engine that fails is not the fault of the peer", (role, peer) => {
    const cause = new Error("no memory")
    const { name, rsv, session } = Result.getOrThrow(Extension.answer([make()], ["permessage-deflate"])).agreed[0]
    const failing = (): Extension.Session => ({
      ...session(),
      incoming: {
        feed: () => {},
        next: () => {
          throw cause
        }
      }
    })
    const { io, machine, sent } = setup(role, {
      extensions: new ExtensionChain([{ name, params: [], rsv, session: failing }])
    })
    assert.strictEqual(thrown(() => receive(machine, [peer(1, compressed, { rsv: 4 })], io)), cause)
    assert.deepStrictEqual([io.events, sent()], [[], []])
  })

  /** Each is a message of a server in frames, and how one is made to send it. */
  const examples: ReadonlyArray<readonly [string, ReadonlyArray<string>, Message, PerMessageDeflate.Options?]> = [
    ["7.2.3.1: one compressed block", ["c107f248cdc9c90700"], "Hello", none],
    ["7.2.3.1: the same in fragments", ["4103f248cd 8004c9c90700"], "Hello"],
    ["7.2.3.2: the window is shared", ["c107f248cdc9c90700", "c105f200110000"], "Hello", keeps],
    ["7.2.3.2: the window is not shared", ["c107f248cdc9c90700", "c107f248cdc9c90700"], "Hello", none],
    ["7.2.3.3: a block without compression", ["c10b000500faff48656c6c6f00"], "Hello", { level: 0 }],
    ["7.2.3.4: a block with BFINAL", ["c108f348cdc9c9070000"], "Hello"],
    ["7.2.3.5: two blocks", ["c10df248050000 00ffffcac9c90700"], "Hello"],
    ["7.2.3.6: an empty message", ["c10100"], "", none]
  ]
  for (const [name, vectors, message, sends] of examples) {
    it(`RFC 7692 ${name}`, () => {
      const input = concat(...vectors.map(hex))
      accepts("client", input, vectors.map(() => message), sends ?? none)
      if (sends === undefined) return
      const { io, machine } = of("server", sends)
      for (const vector of vectors) {
        machine.encode(message, io)
        assert.strictEqual(toHex(io.sent()), toHex(hex(vector)))
      }
    })
  }

  it("RFC 7692 7.2.3.1: a message is compressed as a whole, however small its frames are to be", () => {
    const { io, machine, waiting } = of("server", none, { maxFrameSize: 3 })
    machine.encode("Hello", io)
    assert.deepStrictEqual(payloadOf(waiting()), compressed)
  })
})
