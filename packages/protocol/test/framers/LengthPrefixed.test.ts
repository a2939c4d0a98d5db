import { assert, describe, it } from "@effect/vitest"
import { Connection, Framer, LengthPrefixed, type Machine, MemoryTransport, Transport } from "@wirestack/protocol"
import type { TooLarge } from "@wirestack/protocol/Reason"
import { type Cut, random, rechunk, Samples, transportSuite } from "@wirestack/protocol/testing"
import {
  concat,
  encode,
  feed,
  verifyBytes,
  verifyRefusal,
  verifyRoundTrip
} from "@wirestack/protocol/testing/machineSuite"
import { Effect, Exit, Schema } from "effect"
import { hex, pattern, text as asText, utf8 } from "../support/bytes.ts"
import { failureOf } from "../support/failure.ts"

const machine = (options?: LengthPrefixed.Options) =>
  LengthPrefixed.make(options).machine() as Machine.Machine<Uint8Array, Uint8Array, Uint8Array, Transport.Message>

const layouts = ([1, 2, 3, 4] as const).flatMap((lengthBytes) =>
  (["big", "little"] as const).map((endian) => ({ lengthBytes, endian }))
)

describe("decoding", () => {
  it("finds the frames, however the bytes are cut", () => {
    verifyBytes(() => machine({ lengthBytes: 2 }), [
      { name: "nothing", input: hex(""), messages: [] },
      { name: "one frame", input: hex("0003 616263"), messages: [utf8("abc")], boundaries: [] },
      { name: "an empty frame", input: hex("0000"), messages: [hex("")], boundaries: [] },
      {
        name: "empty frames between others",
        input: hex("0000 0000 0002 6465 0000"),
        messages: [hex(""), hex(""), utf8("de"), hex("")],
        boundaries: [2, 4, 8]
      },
      {
        name: "several frames",
        input: hex("0001 61 0002 6262 0003 636363"),
        messages: [utf8("a"), utf8("bb"), utf8("ccc")],
        boundaries: [3, 7]
      },
      { name: "a long frame", input: concat([hex("0400"), pattern(1024)]), messages: [pattern(1024)], boundaries: [] }
    ])
  })

  for (const layout of layouts) {
    it(`reads a length of ${layout.lengthBytes} bytes, ${layout.endian} endian`, () => {
      const length = new Uint8Array(layout.lengthBytes)
      length[layout.endian === "big" ? layout.lengthBytes - 1 : 0] = 5
      const input = concat([length, utf8("hello"), new Uint8Array(layout.lengthBytes)])
      verifyBytes(() => machine(layout), [{ name: "hello", input, messages: [utf8("hello"), hex("")] }])
    })
  }

  it("refuses a length over the limit before any payload", () => {
    verifyBytes(() => machine({ lengthBytes: 2, maxFrameSize: 3 }), [
      { name: "at once", input: hex("0004"), messages: [], ending: "TooLarge" },
      { name: "after a good frame", input: hex("0003 616263 ffff 00"), messages: [utf8("abc")], ending: "TooLarge" }
    ])
    const { reason } = feed(machine(), [[hex("ffffffff")]])
    assert.deepInclude(reason as TooLarge, { _tag: "TooLarge", size: 0xffffffff, limit: 1_048_576 })
  })

  it("fails if the input ends inside a frame", () => {
    for (const input of ["00", "00000001", "00000002 61"]) {
      assert.strictEqual(feed(machine(), [[hex(input)]], { end: "announced" }).ending, "Truncated")
    }
    assert.strictEqual(feed(machine(), [[hex("00000001 61")]], { end: "unknown" }).ending, "unknown")
  })

  it("gives views of a chunk, and joins only what lies in several", () => {
    const chunk = hex("00000003 616263")
    assert.strictEqual(feed(machine(), [[chunk]]).emitted[0].buffer, chunk.buffer)
    const payload = pattern(1000)
    const apart = feed(machine(), [[hex("000003e8")], [payload]])
    assert.deepStrictEqual(apart.emitted[0], payload)
  })

  it("allocates for what has arrived, not for what was announced", () => {
    const framer = machine({ maxFrameSize: 2 ** 32 - 1 })
    const before = process.memoryUsage().arrayBuffers
    feed(framer, [[hex("ffffffff"), new Uint8Array(100)], [new Uint8Array(100)]])
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 1_000_000)
  })

  it("joins a frame of many small chunks in linear time", () => {
    const size = 1_000_000
    const pieces = [concat([hex("000f4240")]), ...Array.from({ length: size }, () => new Uint8Array([7]))]
    const io = feed(machine(), [pieces])
    assert.strictEqual(io.emitted[0].length, size)
    assert.strictEqual(io.emitted[0].buffer.byteLength, 4 + size)
  })

  it("goes on with what it had no room for, also if more comes", () => {
    const framer = machine({ lengthBytes: 1 })
    const io = feed(framer, [])
    io.capacity = 1
    assert.isFalse(framer.receive([hex("01 61 01 62")], io))
    io.capacity = 2
    assert.isTrue(framer.receive([hex("01 63")].slice(0, 0), io))
    io.capacity = 0
    assert.isFalse(framer.receive([hex("01 64")], io))
    io.capacity = 2
    assert.isTrue(framer.receive([hex("01 65")], io))
    assert.deepStrictEqual(io.emitted.map((frame) => frame[0]), [0x61, 0x62, 0x64, 0x65])
  })
})

describe("encoding", () => {
  it("writes the length in front", () => {
    assert.deepStrictEqual(
      concat(encode(machine(), ["abc", hex(""), hex("0102")])),
      hex("00000003 616263 00000000 00000002 0102")
    )
    assert.deepStrictEqual(concat(encode(machine({ lengthBytes: 3, endian: "little" }), ["é"])), hex("020000 c3a9"))
    assert.deepStrictEqual(
      concat(encode(machine({ lengthBytes: 1 }), [pattern(255)])),
      concat([hex("ff"), pattern(255)])
    )
  })

  it("copies small payloads next to their length, and large ones not at all", () => {
    const small = encode(machine(), [pattern(4096)])
    assert.strictEqual(small.length, 1)
    const large = pattern(4097)
    const written = encode(machine(), [large])
    assert.strictEqual(written.length, 2)
    assert.strictEqual(written[1], large)
  })

  it("refuses what it can't carry, and writes nothing of it", () => {
    verifyRefusal(machine({ maxFrameSize: 3 }), "abcd", "TooLarge")
    verifyRefusal(machine({ maxFrameSize: 3 }), hex("01020304"), "TooLarge")
    verifyRefusal(machine({ maxFrameSize: 3 }), "éé", "TooLarge")
    verifyRefusal(machine({ lengthBytes: 1 }), pattern(256), "TooLarge")
    verifyRefusal(machine(), "a\ud800", "Unencodable")
  })
})

const byte = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
const sizes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9000 })))

it.prop(
  "round trips bytes of any size in any layout",
  [sizes, Schema.Literals([0, 1, 2, 3, 4, 5])],
  ([lengths, layout]) => {
    const options = layouts[2 + layout]
    const frames = lengths.map(pattern)
    verifyRoundTrip(machine(options), machine(options), frames, frames)
  }
)

it.prop("round trips text as UTF-8", [Schema.Array(Schema.String), Schema.Literals([1, 1000])], ([texts, times]) => {
  const all = texts.map((text) => asText(utf8(text)).repeat(times))
  verifyRoundTrip(machine(), machine(), all, all.map(utf8))
})

it.prop("any bytes are frames, or fail", [Schema.Array(byte)], ([bytes]) => {
  const input = Uint8Array.from(bytes)
  const whole = feed(machine({ lengthBytes: 1 }), [[input]], { end: "announced" })
  assert.include(["announced", "Truncated"], whole.ending)
})

describe("on a stack", () => {
  it.effect("carries messages with their boundaries, and half-closes", () =>
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("memory:frames")
      yield* Effect.forkScoped(listener.run((connection) =>
        Effect.gen(function*() {
          const got: Array<Transport.Message> = []
          const last = yield* Effect.exit(Effect.forever(Effect.map(connection.pull, (batch) => got.push(...batch))))
          assert.isTrue(Exit.isFailure(last))
          yield* connection.sendAll([`${got.length}`, ...got])
        })
      ))
      const connection = yield* Transport.connect(Transport.Messages)("memory:frames")
      yield* connection.sendAll(["one", pattern(100_000), ""])
      yield* connection.end
      const got: Array<Transport.Message> = []
      yield* Effect.exit(Effect.forever(Effect.map(connection.pull, (batch) => got.push(...batch))))
      assert.deepStrictEqual(got, [utf8("3"), utf8("one"), pattern(100_000), hex("")])
    }).pipe(Effect.provide(LengthPrefixed.over()(MemoryTransport.layer()))))

  it.effect("a refused message leaves the connection usable", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Uint8Array>()
      const connection = yield* Connection.fuse(
        yield* Connection.make(near),
        LengthPrefixed.make({ maxFrameSize: 3 }).machine(),
        { layer: "length-prefixed" }
      )
      const bare = yield* Connection.make(far)
      const reason = failureOf(yield* Effect.exit(connection.send("four")))
      assert.deepInclude(reason, { layer: "length-prefixed", tag: "TooLarge" })
      yield* connection.send("ok")
      assert.deepStrictEqual(concat(yield* bare.pull), hex("00000002 6f6b"))
      yield* connection.abort
    }))

  it.effect("one value on two stacks is two stacks", () =>
    Effect.gen(function*() {
      const framing = LengthPrefixed.over()
      const serve = (layer: ReturnType<typeof MemoryTransport.layer>, name: string) =>
        Effect.gen(function*() {
          const listener = yield* Transport.listen(Transport.Messages)("memory:same")
          yield* Effect.forkScoped(listener.run((connection) => connection.send(name)))
          const connection = yield* Transport.connect(Transport.Messages)("memory:same")
          return (yield* connection.pull)[0]
        }).pipe(Effect.provide(framing(layer)))
      const both = yield* Effect.all([
        serve(MemoryTransport.layer(), "first"),
        serve(MemoryTransport.layer(), "second")
      ], { concurrency: 2 })
      assert.deepStrictEqual(both, [utf8("first"), utf8("second")])
    }))
})

describe("frames keep the rules of a message transport", () => {
  const suite = (cut?: Cut) =>
    transportSuite({
      shape: Transport.Messages,
      layer: () => {
        const bytes = MemoryTransport.layer()
        return LengthPrefixed.over()(cut === undefined ? bytes : rechunk(() => cut)(bytes))
      },
      endpoint: () => "memory:here",
      nobody: "memory:nobody",
      samples: Samples.messages({ text: false }),
      capabilities: { halfClose: true, statuses: "a length carries no reason", abortIsSeen: true }
    })
  for (const { name, run } of suite()) it.live(name, () => run)
  for (const { name, run } of suite(random(7, 3000))) it.live(`${name}, cut at random`, () => run)
})

describe("a framer of one's own", () => {
  it.effect("is a machine and a name", () =>
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("memory:own")
      yield* Effect.forkScoped(listener.run((connection) => connection.send("x")))
      const connection = yield* Transport.connect(Transport.Messages)("memory:own")
      assert.deepStrictEqual(yield* connection.pull, [hex("0178")])
    }).pipe(Effect.provide(
      Framer.over({
        layer: "chunks",
        machine: () => ({
          receive: (input, io) => {
            for (const chunk of input) io.emit(chunk, chunk.length)
            return true
          },
          encode: (message, io) => machine({ lengthBytes: 1 }).encode(message, io as any),
          ended: (endOfInput, io) => io.end(endOfInput)
        })
      })(MemoryTransport.layer())
    )))
})
