import { assert, describe, it } from "@effect/vitest"
import { Closed, Closing, Unencodable } from "@wirestack/protocol/ConnectionError"
import { TooLarge, Truncated, Violation } from "@wirestack/protocol/Reason"
import { privateUse } from "../src/CloseCode.ts"
import { FrameDecoder, needMore } from "../src/FrameDecoder.ts"
import { maxPings, type Message, type Options, WebSocketMachine } from "../src/WebSocketMachine.ts"
import { concat, cuts, FakeIo, frame, hex, toHex, utf8 } from "./support.ts"

const setup = (role: "client" | "server", options?: Omit<Options, "role">) => {
  const machine = new WebSocketMachine({ role, ...options })
  const io = new FakeIo<Message>()
  /** What the peer would find in the bytes that were sent. */
  const sent = () => read(io.sent(), role === "client")
  return { machine, io, sent }
}

const read = (bytes: Uint8Array, masked: boolean) => {
  const decoder = new FrameDecoder(masked, { maxMessageSize: 2 ** 30, maxFragments: 8 })
  const found: Array<readonly [number, Message]> = []
  decoder.feed(bytes.slice())
  for (let opcode = decoder.next(); opcode !== needMore; opcode = decoder.next()) {
    assert.isUndefined(decoder.failure)
    found.push([opcode, decoder.message])
  }
  assert.isUndefined(decoder.inside)
  return found
}

const thrown = (f: () => void): unknown => {
  try {
    f()
    return undefined
  } catch (reason) {
    return reason
  }
}

const roles = ["client", "server"] as const

const close = (code: number, reason = ""): Uint8Array => concat(Uint8Array.of(code >> 8, code & 255), utf8(reason))

describe("WebSocketMachine", () => {
  for (const role of roles) {
    const mask = role === "server"

    describe(`as a ${role}`, () => {
      it("5.6: gives text as strings and binary as bytes, with their sizes", () => {
        const input = concat(
          frame(1, "Grüße", { mask }),
          frame(2, hex("00ff"), { mask }),
          frame(1, "a", { mask, fin: false }),
          frame(9, "?", { mask }),
          frame(0, "b", { mask })
        )
        for (const parts of cuts(input)) {
          const { io, machine } = setup(role)
          assert.isTrue(machine.receive(parts, io))
          assert.deepStrictEqual(io.emitted, ["Grüße", hex("00ff"), "ab"])
          assert.deepStrictEqual(io.sizes, [7, 2, 2])
        }
      })

      it("sends every kind of message so that the peer reads the same", () => {
        const messages: ReadonlyArray<Message> = [
          "",
          "a",
          "Hello World!",
          "Hello World, long",
          "Grüße",
          "€".repeat(40),
          "x".repeat(125),
          "x".repeat(126),
          "é".repeat(20_000),
          "x".repeat(32_768),
          "x".repeat(70_000),
          "€".repeat(70_000),
          hex(""),
          hex("00"),
          new Uint8Array(12).fill(1),
          new Uint8Array(13).fill(2),
          new Uint8Array(125).fill(3),
          new Uint8Array(126).fill(4),
          new Uint8Array(32_767).fill(5),
          new Uint8Array(32_768).fill(6),
          new Uint8Array(65_536).fill(7)
        ]
        const { io, machine, sent } = setup(role)
        for (const message of messages) machine.encode(message, io)
        assert.deepStrictEqual(sent(), messages.map((message) => [typeof message === "string" ? 1 : 2, message]))
      })

      it("never writes into what it was given to send", () => {
        for (const size of [5, 100, 40_000]) {
          const payload = Uint8Array.from({ length: size }, (_, i) => i)
          const copy = payload.slice()
          const { io, machine } = setup(role)
          machine.encode(payload, io)
          assert.deepStrictEqual(payload, copy)
          machine.ping(payload.subarray(0, 5))
          machine.urgent()
          assert.deepStrictEqual(payload, copy)
        }
      })

      it("keeps the rest while there is no room, and goes on with an empty input", () => {
        const input = concat(...Array.from({ length: 5 }, (_, i) => frame(1, `${i}`, { mask })))
        for (const parts of cuts(input)) {
          const { io, machine } = setup(role)
          io.space = 2
          assert.isFalse(machine.receive(parts, io))
          assert.deepStrictEqual(io.emitted, ["0", "1"])
          assert.isFalse(machine.receive([], io))
          io.space = 2
          assert.isFalse(machine.receive([], io))
          assert.deepStrictEqual(io.emitted, ["0", "1", "2", "3"])
          io.space = 5
          assert.isTrue(machine.receive([], io))
          assert.deepStrictEqual(io.emitted, ["0", "1", "2", "3", "4"])
        }
      })

      it("takes nothing from an empty input", () => {
        const { io, machine } = setup(role)
        assert.isTrue(machine.receive([], io))
        assert.isTrue(machine.receive([new Uint8Array(0)], io))
        assert.deepStrictEqual(io.events, [])
      })

      it("5.5.3: answers the latest ping only", () => {
        const { io, machine } = setup(role)
        machine.receive([concat(frame(9, "1", { mask }), frame(9, "2", { mask }))], io)
        assert.deepStrictEqual(read(machine.urgent()!, !mask), [[10, utf8("2")]])
        assert.isUndefined(machine.urgent())
        assert.strictEqual(io.sent().length, 0)
      })

      it("5.5.3: takes a pong nobody asked for, and tells of every one", () => {
        const { io, machine } = setup(role)
        machine.receive([frame(10, "?", { mask })], io)
        const pongs: Array<Uint8Array> = []
        machine.onPong = (payload) => pongs.push(payload)
        machine.receive([frame(10, "!", { mask })], io)
        assert.deepStrictEqual(pongs, [utf8("!")])
        assert.deepStrictEqual(io.events, [])
      })

      it("5.5.2: sends its own pings behind the pong, a bounded number of them", () => {
        const { io, machine } = setup(role)
        for (let i = 0; i < maxPings; i++) assert.isTrue(machine.ping(utf8(`${i}`)))
        assert.isFalse(machine.ping())
        machine.receive([frame(9, "!", { mask })], io)
        assert.deepStrictEqual(read(machine.urgent()!, !mask), [[10, utf8("!")]])
        assert.deepStrictEqual(read(machine.urgent()!, !mask), [[9, utf8("0")]])
        assert.isTrue(machine.ping())
        assert.instanceOf(thrown(() => machine.ping(new Uint8Array(126))), Unencodable)
      })

      it("7.1.2: closes first, and is done when the peer's Close comes", () => {
        const { io, machine, sent } = setup(role)
        machine.encode("last", io)
        machine.close("done", io)
        assert.deepStrictEqual(sent(), [[1, "last"], [8, close(1000)]])
        assert.deepStrictEqual(io.events, [])
        machine.receive([frame(8, close(1000), { mask })], io)
        assert.deepStrictEqual(io.events, ["closed"])
        assert.deepStrictEqual(io.goodbye, {
          first: "local",
          sent: { code: 1000, reason: "" },
          received: { code: 1000, reason: "" }
        })
        assert.strictEqual(io.sent().length, 0)
        machine.ended("announced", io)
        assert.deepStrictEqual(io.events, ["closed"])
      })

      it("7.4.1: closes with the code for why, or the one it was told to", () => {
        for (const [why, code] of [["done", 1000], ["failed", 1011], ["away", 1001]] as const) {
          const { io, machine, sent } = setup(role)
          machine.close(why, io)
          machine.close("done", io)
          assert.deepStrictEqual(sent(), [[8, close(code)]])
        }
        const { io, machine, sent } = setup(role)
        machine.closeWith(privateUse(4001), "x".repeat(130))
        machine.close("done", io)
        assert.deepStrictEqual(sent(), [[8, close(4001, "x".repeat(123))]])
        machine.receive([frame(8, "", { mask })], io)
        assert.deepStrictEqual(io.goodbye, {
          first: "local",
          sent: { code: 4001, reason: "x".repeat(123) },
          received: { code: 1005, reason: "" }
        })
        const plain = setup(role)
        plain.machine.closeWith(1012)
        plain.machine.close("failed", plain.io)
        assert.deepStrictEqual(plain.sent(), [[8, close(1012)]])
      })

      it("5.5.1: echoes the peer's Close, then is done", () => {
        for (const parts of cuts(frame(8, close(4001, "bye €"), { mask }))) {
          const { io, machine, sent } = setup(role)
          machine.receive(parts, io)
          assert.deepStrictEqual(sent(), [[8, close(4001, "bye €")]])
          assert.deepStrictEqual(io.events, ["closed"])
          const status = { code: 4001, reason: "bye €" }
          assert.deepStrictEqual(io.goodbye, { first: "remote", sent: status, received: status })
          machine.close("done", io)
          machine.ended("announced", io)
          assert.deepStrictEqual(io.events, ["closed"])
          assert.strictEqual(io.sent().length, 0)
        }
      })

      it("7.1.5: answers an empty Close with an empty one, never with 1005", () => {
        const { io, machine, sent } = setup(role)
        machine.receive([frame(8, "", { mask })], io)
        assert.deepStrictEqual(sent(), [[8, hex("")]])
        const status = { code: 1005, reason: "" }
        assert.deepStrictEqual(io.goodbye, { first: "remote", sent: status, received: status })
      })

      it("1.4: ignores what comes after a Close", () => {
        const { io, machine } = setup(role)
        machine.receive([
          concat(frame(1, "a", { mask }), frame(8, "", { mask }), frame(1, "b", { mask }), hex("ff")),
          hex("ff")
        ], io)
        assert.isTrue(machine.receive([hex("ffffff")], io))
        assert.deepStrictEqual(io.emitted, ["a"])
        assert.deepStrictEqual(io.events, ["closed"])
      })

      it("5.5.1: after its own Close it still gives data, to be counted as undelivered, and answers no ping", () => {
        const { io, machine } = setup(role)
        machine.ping(utf8("never sent"))
        machine.receive([frame(9, "not answered", { mask })], io)
        machine.close("done", io)
        machine.receive([concat(frame(1, "a", { mask }), frame(9, "?", { mask }), frame(8, close(1000), { mask }))], io)
        assert.deepStrictEqual(io.emitted, ["a"])
        assert.deepStrictEqual(io.events, ["closed"])
        assert.isUndefined(machine.urgent())
        assert.isFalse(machine.ping())
      })

      it("5.5.1: sends no data after a Close", () => {
        const local = setup(role)
        local.machine.close("done", local.io)
        local.io.sent()
        assert.instanceOf(thrown(() => local.machine.encode("x", local.io)), Closing)
        const remote = setup(role)
        remote.machine.receive([frame(8, "", { mask })], remote.io)
        remote.io.sent()
        assert.instanceOf(thrown(() => remote.machine.encode("x", remote.io)), Closed)
        const cut = setup(role)
        cut.machine.ended("unknown", cut.io)
        assert.instanceOf(thrown(() => cut.machine.encode("x", cut.io)), Closing)
        for (const { io } of [local, remote, cut]) assert.strictEqual(io.sent().length, 0)
      })

      const violations: ReadonlyArray<readonly [string, Uint8Array, number, unknown]> = [
        ["5.1: masking in the wrong direction", frame(1, "x", { mask: !mask }), 1002, Violation],
        ["5.2: a reserved opcode", frame(3, "x", { mask }), 1002, Violation],
        ["5.5.1: a Close body of one byte", frame(8, "x", { mask }), 1002, Violation],
        ["7.4: a Close code that is not legal", frame(8, close(1006), { mask }), 1002, Violation],
        ["8.1: text that is not UTF-8", frame(1, hex("ff"), { mask }), 1007, Violation],
        ["8.1: a Close reason that is not UTF-8", frame(8, concat(close(1000), hex("ff")), { mask }), 1007, Violation],
        ["10.4: a message over the limit", frame(2, new Uint8Array(101), { mask }), 1009, TooLarge]
      ]

      for (const [name, broken, code, type] of violations) {
        it(`${name}: fails with ${code} after what came before`, () => {
          for (const parts of cuts(concat(frame(1, "before", { mask }), broken, frame(1, "after", { mask })))) {
            const { io, machine, sent } = setup(role, { maxMessageSize: 100 })
            machine.receive(parts, io)
            assert.deepStrictEqual(io.emitted, ["before"])
            assert.deepStrictEqual(io.events, ["fail"])
            assert.instanceOf(io.reason, type as never)
            const [[opcode, body], ...rest] = sent()
            assert.strictEqual(opcode, 8)
            assert.deepStrictEqual((body as Uint8Array).slice(0, 2), close(code))
            assert.lengthOf(rest, 0)
            assert.strictEqual(io.goodbye?.first, "local")
            assert.strictEqual(io.goodbye?.sent?.code, code)
            assert.isUndefined(io.goodbye?.received)
            machine.close("done", io)
            machine.ended("announced", io)
            assert.deepStrictEqual(io.events, ["fail"])
            assert.strictEqual(io.sent().length, 0)
          }
        })
      }

      it("7.1.7: sends no second Close when the peer errs after the first", () => {
        const { io, machine } = setup(role)
        machine.close("done", io)
        io.sent()
        machine.receive([hex("ff")], io)
        assert.deepStrictEqual(io.events, ["fail"])
        assert.deepStrictEqual(io.goodbye, { first: "local", sent: { code: 1000, reason: "" } })
        assert.strictEqual(io.sent().length, 0)
      })

      it("7.1.5: fails when the layer below ends without a Close frame", () => {
        for (
          const [input, inside] of [
            ["", "the connection, before a Close frame"],
            [toHex(frame(1, "abc", { mask })).slice(0, -2), "a frame"],
            [toHex(frame(1, "abc", { mask, fin: false })), "a fragmented message"]
          ] as const
        ) {
          const { io, machine } = setup(role)
          machine.receive([hex(input)], io)
          machine.ended("announced", io)
          assert.deepStrictEqual(io.events, ["fail"])
          assert.deepStrictEqual(io.reason, new Truncated({ inside }))
          assert.isUndefined(io.goodbye)
          machine.ended("announced", io)
          machine.close("done", io)
          assert.deepStrictEqual(io.events, ["fail"])
          assert.strictEqual(io.sent().length, 0)
        }
      })

      it("7.1.5: fails when the layer below ends without an answer to our Close", () => {
        const { io, machine } = setup(role)
        machine.close("away", io)
        machine.ended("announced", io)
        assert.deepStrictEqual(io.events, ["fail"])
        assert.deepStrictEqual(io.goodbye, { first: "local", sent: { code: 1001, reason: "" } })
      })

      it("10.4: bounds a message to 1 MiB and 131,072 fragments by default", () => {
        const largest = setup(role)
        largest.machine.receive([frame(2, new Uint8Array(1_048_576), { mask })], largest.io)
        assert.deepStrictEqual(largest.io.sizes, [1_048_576])
        largest.machine.receive([frame(2, new Uint8Array(1_048_577), { mask })], largest.io)
        assert.deepStrictEqual(
          largest.io.reason,
          new TooLarge({ what: "a message", size: 1_048_577, limit: 1_048_576 })
        )
        const most = setup(role)
        const fragment = frame(0, "", { mask, fin: false })
        most.machine.receive([
          frame(2, "", { mask, fin: false }),
          ...Array.from({ length: 131_071 }, () => fragment.slice())
        ], most.io)
        assert.deepStrictEqual(most.io.events, [])
        most.machine.receive([fragment], most.io)
        assert.deepStrictEqual(most.io.events, ["fail"])
        const two = setup(role, { maxFragments: 2 })
        two.machine.receive([frame(2, "", { mask, fin: false }), fragment, fragment], two.io)
        assert.deepStrictEqual(two.io.events, ["fail"])
      })
    })
  }

  it("5.1: only the client masks", () => {
    for (const role of roles) {
      const { io, machine } = setup(role)
      machine.encode("Hello", io)
      const bytes = io.sent()
      assert.strictEqual((bytes[1] & 0x80) !== 0, role === "client")
      if (role === "server") assert.strictEqual(toHex(bytes), "810548656c6c6f")
    }
  })

  it("5.3: every frame of a client has another key", () => {
    const { io, machine } = setup("client")
    const keys = new Set<string>()
    for (let i = 0; i < 1_000; i++) {
      machine.encode("Hello", io)
      keys.add(toHex(io.sent().subarray(2, 6)))
    }
    assert.isAtLeast(keys.size, 998)
  })

  it("7.1.1: the client waits for the server to end the connection below", () => {
    assert.isTrue(setup("client").machine.awaitsLowerEnd)
    assert.isFalse(setup("server").machine.awaitsLowerEnd)
  })

  it("a server passes large messages on without a copy, a client does not", () => {
    const payload = new Uint8Array(32_768)
    const server = setup("server")
    server.machine.encode(payload, server.io)
    assert.strictEqual(server.io.writes[0], payload)
    const client = setup("client")
    client.machine.encode(payload, client.io)
    assert.lengthOf(client.io.writes, 0)
  })
})
