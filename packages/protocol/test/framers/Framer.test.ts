import { assert, describe, it } from "@effect/vitest"
import {
  Cobs,
  Codec,
  ContentLength,
  Delimited,
  FixedLength,
  Framer,
  LengthPrefixed,
  Lines,
  type Machine,
  MemoryTransport,
  Netstring,
  Subprotocol,
  Tlv,
  Transport,
  VarintPrefixed
} from "@wirestack/protocol"
import type { TooLarge } from "@wirestack/protocol/Reason"
import { concat, encode, feed, Probe } from "@wirestack/protocol/testing/machineSuite"
import { Effect, Exit, Layer, Schema } from "effect"
import { hex, pattern, text, utf8 } from "../support/bytes.ts"
import { failureOf } from "../support/failure.ts"

const written = (framer: Framer.Framer<any, any>, ...messages: ReadonlyArray<unknown>): Uint8Array =>
  concat(encode(framer.machine(), messages))

describe("on the wire", () => {
  it("a varint has as few bytes as it needs", () => {
    const head = (size: number) => written(VarintPrefixed.make(), pattern(size)).subarray(0, 3)
    assert.deepStrictEqual(head(127), Uint8Array.of(0x7f, 0, 7))
    assert.deepStrictEqual(head(128), Uint8Array.of(0x80, 0x01, 0))
    assert.deepStrictEqual(head(70_000), Uint8Array.of(0xf0, 0xa2, 0x04))
  })

  it("a netstring has its digits, a colon and a comma", () => {
    assert.strictEqual(text(written(Netstring.make(), "", "hello world!")), "0:,12:hello world!,")
    assert.strictEqual(text(written(Netstring.make(), "x".repeat(1000)).subarray(0, 5)), "1000:")
  })

  it("a content has its length, and its type if it is told", () => {
    assert.strictEqual(text(written(ContentLength.make(), "é")), "Content-Length: 2\r\n\r\né")
    assert.strictEqual(
      text(written(ContentLength.make({ contentType: "application/json" }), "{}", "[]")),
      "Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}" +
        "Content-Length: 2\r\nContent-Type: application/json\r\n\r\n[]"
    )
  })

  it("a record has its type and its length, each of its width", () => {
    const record = { type: 0x0102, value: hex("aabb") }
    assert.deepStrictEqual(written(Tlv.make({ typeBytes: 2, lengthBytes: 1 }), record), hex("0102 02 aabb"))
    assert.deepStrictEqual(
      written(Tlv.make({ typeBytes: 3, lengthBytes: 2, endian: "little" }), record),
      hex("020100 0200 aabb")
    )
    assert.deepStrictEqual(written(Tlv.make(), record), hex("00000102 00000002 aabb"))
  })

  it("a length is where the options say, and counts what they say", () => {
    const options = { lengthBytes: 2, lengthOffset: 1, lengthAdjustment: -3 } as const
    assert.deepStrictEqual(written(LengthPrefixed.make(options), hex("aa")), hex("00 0004 aa"))
    assert.deepStrictEqual(
      written(LengthPrefixed.make({ ...options, strip: 0 }), hex("07 ffff aa bb")),
      hex("07 0005 aa bb")
    )
    assert.deepStrictEqual(written(LengthPrefixed.make({ lengthBytes: 8 }), "a"), hex("0000000000000001 61"))
  })

  it("a large payload is not copied", () => {
    const large = pattern(4097)
    for (
      const framer of [VarintPrefixed.make(), Netstring.make(), ContentLength.make(), FixedLength.make({ size: 4097 })]
    ) {
      assert.include(encode(framer.machine(), [large]), large)
    }
  })
})

describe("options that can't be", () => {
  it("are refused when the framer is made", () => {
    for (const delimiter of ["", new Uint8Array(0), "x".repeat(257)]) {
      assert.throws(() => Delimited.make({ delimiter }), RangeError)
    }
    for (const size of [0, -1, 1.5, NaN]) assert.throws(() => FixedLength.make({ size }), RangeError)
    for (const maxLengthBytes of [0, 8, 1.5]) assert.throws(() => VarintPrefixed.make({ maxLengthBytes }), RangeError)
    for (const options of [{ lengthOffset: -1 }, { lengthOffset: 65 }, { strip: 1.5 }, { lengthAdjustment: NaN }]) {
      assert.throws(() => LengthPrefixed.make(options), RangeError)
    }
    for (const limit of [NaN, -1]) {
      assert.throws(() => LengthPrefixed.make({ maxFrameSize: limit }), RangeError)
      assert.throws(() => VarintPrefixed.make({ maxFrameSize: limit }), RangeError)
      assert.throws(() => Netstring.make({ maxFrameSize: limit }), RangeError)
      assert.throws(() => Cobs.make({ maxFrameSize: limit }), RangeError)
      assert.throws(() => Delimited.make({ delimiter: "x", maxFrameSize: limit }), RangeError)
      assert.throws(() => Lines.make({ maxLineSize: limit }), RangeError)
      assert.throws(() => Tlv.make({ maxValueSize: limit }), RangeError)
      assert.throws(() => ContentLength.make({ maxContentSize: limit }), RangeError)
      assert.throws(() => ContentLength.make({ maxHeadSize: limit }), RangeError)
    }
    for (const contentType of ["", "a\r\nb", "é"]) assert.throws(() => ContentLength.make({ contentType }), RangeError)
  })
})

describe("memory", () => {
  it("is offered for what is large, and grows with what has arrived", () => {
    const machine = LengthPrefixed.make().machine()
    const io = feed(machine, [[hex("000f4240")], [pattern(1_000)]])
    const first = machine.memory!()!
    assert.isAtMost(first.length, 64 * 1_004)
    machine.receive([first.fill(1)], io)
    assert.isUndefined(machine.memory!())
    machine.receive([pattern(1_000)], io)
    const second = machine.memory!()!
    assert.strictEqual(first.length + second.length + 2_000, 1_000_000)
    machine.receive([second.fill(2)], io)
    assert.isUndefined(machine.memory!())
    const [message] = io.emitted as ReadonlyArray<Uint8Array>
    assert.strictEqual(message.length, 1_000_000)
    assert.strictEqual(message.buffer, second.buffer)
    assert.deepStrictEqual([...message.subarray(998, 1_002)], [...pattern(1_000).subarray(998), 1, 1])
  })

  it("is not offered for a line, of which nobody knows how long it gets", () => {
    const machine = Lines.make({ maxLineSize: 1e6 }).machine()
    feed(machine, [[new Uint8Array(100_000).fill(97)]])
    assert.isUndefined(machine.memory!())
  })
})

describe("a framer of one's own", () => {
  const framing = {
    layer: "own",
    decode: (bytes: Uint8Array, from: number, to: number) => bytes.subarray(from, to),
    encode: (message: Uint8Array) => message
  }

  it("that finds frames of no bytes is a bug, which is told", () => {
    for (const size of [0, -1, NaN, 1.5]) {
      const framer = Framer.make<Uint8Array>({ ...framing, measure: () => size })
      assert.throws(() => feed(framer.machine(), [[hex("61")]]), /own: a frame can't have/)
    }
    const idle = Framer.program<number, Uint8Array>({
      ...framing,
      decode: function*() {
        return (yield* Framer.peek(1))[0]
      }
    })
    assert.throws(() => feed(idle.machine(), [[hex("61")]]), /own: a frame can't have 0 bytes/)
  })

  it("that asks for a length of the peer's that is none fails at once", () => {
    const framer = Framer.program<string, Uint8Array>({
      ...framing,
      decode: function*() {
        const size = Number(text(yield* Framer.takeUntil(":", 10)))
        return text(yield* Framer.take(size))
      }
    })
    for (const size of ["-2", "x", "1.5"]) {
      assert.throws(() => feed(framer.machine(), [[utf8(`1:a${size}:bcd1:e`)]]), RangeError, "can't take")
    }
    assert.strictEqual(feed(framer.machine(), [[utf8("1e99:a")]]).ending, "TooLarge")
    assert.throws(() => Framer.takeUntil("", 10), RangeError)
    assert.throws(() => Framer.takeUntil("x", NaN), RangeError)
    assert.throws(() => Framer.peek(-1), RangeError)
  })

  it("is refused a frame over its limit as soon as it says so", () => {
    for (
      const framer of [
        Framer.make<Uint8Array>({ ...framing, maxFrameSize: 10, measure: () => 11 }),
        Framer.program<Uint8Array>({
          ...framing,
          maxFrameSize: 10,
          decode: function*() {
            return yield* Framer.take(11)
          }
        })
      ]
    ) {
      const { reason } = feed(framer.machine(), [[hex("61")]])
      assert.deepInclude(reason as TooLarge, { _tag: "TooLarge", size: 11, limit: 10 })
      assert.throws(() => encode(framer.machine(), [pattern(11)]))
    }
  })

  it("remembers what it likes, a connection at a time", () => {
    const numbered = Framer.make<string>({
      layer: "numbered",
      format: () => {
        let count = 0
        return {
          measure: () => 1,
          decode: (bytes, from) => `${++count}${String.fromCharCode(bytes[from])}`,
          encode: utf8
        }
      }
    })
    for (let i = 0; i < 2; i++) {
      assert.deepStrictEqual(feed(numbered.machine(), [[utf8("ab")]], { room: 1 }).emitted, ["1a", "2b"])
    }
  })

  it("reads a frame once, also if there is no room for it", () => {
    let frames = 0
    const framer = Framer.program<number, Uint8Array>({
      ...framing,
      decode: function*() {
        yield* Framer.take(2)
        return ++frames
      }
    })
    const pieces = [[hex("0102")], [hex("01")], [hex("02010201")], [hex("02")]]
    assert.deepStrictEqual(feed(framer.machine(), pieces, { room: 1 }).emitted, [1, 2, 3, 4])
  })
})

describe("a nested framer", () => {
  it("stops when its frames have failed, whatever the outer one has", () => {
    const framer = Framer.nest(LengthPrefixed.make({ lengthBytes: 1 }), Netstring.make())
    const { emitted, ending } = feed(framer.machine(), [[hex("04 313a612c 01 78 04 313a622c")]], { end: "announced" })
    assert.deepStrictEqual(emitted, [utf8("a")])
    assert.strictEqual(ending, "Violation")
  })

  it("is truncated inside either", () => {
    const framer = Framer.nest(LengthPrefixed.make({ lengthBytes: 1 }), Netstring.make())
    const { reason } = feed(framer.machine(), [[hex("03 313a61")]], { end: "announced" })
    assert.strictEqual(reason?.message, "the input ended inside a netstring")
    assert.strictEqual(feed(framer.machine(), [[hex("03 31")]], { end: "announced" }).ending, "Truncated")
  })
})

describe("a nested framer, about which nothing is lost", () => {
  const short = LengthPrefixed.make({ lengthBytes: 1, maxFrameSize: 50 })
  const nested = Framer.nest(short, short)
  const three = [utf8("a"), utf8("b"), utf8("c")]

  it("tells what came before a bad frame of the outer one, with room or without", () => {
    for (const room of [Infinity, 1, 2]) {
      const { emitted, ending } = feed(nested.machine(), [[hex("06 0161 0162 0163 ff")]], { room })
      assert.deepStrictEqual(emitted, three)
      assert.strictEqual(ending, "TooLarge")
    }
  })

  it("tells what came in a last frame of the outer one without its end", () => {
    const outer = Delimited.make({ delimiter: "|", unterminated: "deliver" })
    for (const room of [Infinity, 1]) {
      const { emitted, ending } = feed(Framer.nest(outer, short).machine(), [[hex("0161 0162 0163")]], {
        room,
        end: "announced"
      })
      assert.deepStrictEqual(emitted, three)
      assert.strictEqual(ending, "announced")
    }
  })

  it("keeps what is shown to it while it has no room", () => {
    const machine = nested.machine()
    const io = new Probe<Uint8Array, Uint8Array>()
    io.capacity = 1
    machine.receive([hex("04 0161 0162")], io)
    machine.receive([hex("02 0163")], io)
    for (io.capacity = 1; !machine.receive([], io);) io.capacity = 1
    assert.deepStrictEqual(io.emitted, three)
    io.verify("nested")
  })

  it("writes no frame over another one", () => {
    const outer = relayed<Uint8Array, Uint8Array>(short, () => ({
      encode: (payload, io) => {
        io.write(Uint8Array.of(payload.length))
        io.write(payload)
      }
    }))
    const machine = Framer.nest(outer, short).machine()
    const wire = encode(machine, three)
    assert.deepStrictEqual(feed(nested.machine(), [wire]).emitted, three)
  })
})

/** A framer whose machine does something of its own. */
const relayed = <In, Out>(
  { layer, machine }: Framer.Framer<In, Out>,
  by: (own: Machine.Machine<Uint8Array, Uint8Array, In, Out>) => Partial<
    Machine.Machine<Uint8Array, Uint8Array, In, Out>
  >
): Framer.Framer<In, Out> => ({
  layer,
  machine: () => {
    const own = machine()
    const relaying: Machine.Machine<Uint8Array, Uint8Array, In, Out> = {
      receive: (input, io) => own.receive(input, io),
      encode: (message, io) => own.encode(message, io),
      ended: (endOfInput, io) => own.ended(endOfInput, io)
    }
    return Object.defineProperties(relaying, Object.getOwnPropertyDescriptors(by(own)))
  }
})

describe("a framer that does more than framing", () => {
  /** Says "hi" when it begins and when it is woken, "ok" to what it receives, sends what waits, and "bye" at the end. */
  const polite = relayed<string, Transport.Message>(Lines.make(), (lines) => {
    let queue: ReadonlyArray<Transport.Message> = []
    return {
      start: (io, timer) => {
        lines.encode("hi", io)
        timer.wake(10)
      },
      wakeup: (io) => {
        lines.encode("hi", io)
        return true
      },
      receive: (input, io) => {
        lines.encode("ok", io)
        return lines.receive(input, io)
      },
      encode: (message) => {
        queue = [...queue, message]
      },
      get busy() {
        return queue.length > 0
      },
      unsent: () => ({ messages: queue.length, bytes: 0 }),
      proceed: (io) => {
        const [next, ...rest] = queue
        queue = rest
        if (next !== undefined) lines.encode(next, io)
        return next !== undefined
      },
      close: (_why, io) => {
        lines.encode("bye", io)
        io.closed({ first: "local", unanswered: true })
      }
    }
  })
  const short = LengthPrefixed.make({ lengthBytes: 1 })

  for (
    const [name, framer, from] of [
      ["mapped", Framer.map(polite, { decode: (line) => line, encode: (line: string) => line }), Lines.make()],
      ["filtered", Framer.filter(polite, () => true), Lines.make()],
      ["nested", Framer.nest(short, polite), Framer.nest(short, Lines.make())]
    ] as const
  ) {
    it(`does so, ${name}`, () => {
      const machine = framer.machine()
      const io = new Probe<string, Uint8Array>()
      machine.start!(io, io)
      io.advance(machine, 10)
      machine.receive([written(from, "you")], io)
      assert.deepStrictEqual(io.emitted, ["you"])
      machine.encode("one", io)
      machine.encode("two", io)
      assert.deepStrictEqual([machine.busy, machine.unsent!().messages], [true, 2])
      while (machine.proceed!(io));
      assert.isFalse(machine.busy)
      machine.close!("done", io)
      io.settle()
      assert.deepStrictEqual(feed(from.machine(), [io.written]).emitted, ["hi", "hi", "ok", "one", "two", "bye"])
      assert.strictEqual(io.ending, "closed")
      assert.isUndefined(machine.end)
    })
  }

  it("is no container of another one", () => {
    assert.throws(() => Framer.nest(relayed(short, () => ({ close: () => {} })), short).machine(), TypeError, /close/)
  })
})

describe("a choice of framers", () => {
  const server = (first: number) => first === 0x00 ? LengthPrefixed.make() : first > 0x20 ? Lines.make() : undefined
  const choosing = (client: Framer.Framer) => Framer.choose({ client, server })

  const serving = Effect.gen(function*() {
    const listener = yield* Transport.listen(Transport.Messages)("memory:choice")
    const incidents: Array<string> = []
    yield* Effect.forkScoped(listener.run((connection) => Effect.flatMap(connection.pull, connection.sendAll), {
      onIncident: (incident) =>
        Effect.sync(() =>
          void incidents.push(incident._tag === "HandshakeFailed" ? incident.error.message : incident._tag)
        )
    }))
    return incidents
  })

  for (
    const [name, client, received] of [
      ["Lines", Lines.make(), "hello"],
      ["LengthPrefixed", LengthPrefixed.make(), utf8("hello")]
    ] as const
  ) {
    it.effect(`follows the first byte of a client: ${name}`, () =>
      Effect.gen(function*() {
        yield* serving
        const connection = yield* Transport.connect(Transport.Messages)("memory:choice")
        yield* connection.send("hello")
        assert.deepStrictEqual(yield* connection.pull, [received])
        assert.strictEqual(failureOf(yield* Effect.exit(connection.send("\ud800")))?.layer, client.layer)
      }).pipe(Effect.provide(choosing(client)(MemoryTransport.layer()))))
  }

  it.effect("refuses a client that speaks none of them, and one that says nothing", () =>
    Effect.gen(function*() {
      const incidents = yield* serving
      const bytes = yield* Transport.connect(Transport.Bytes)("memory:choice")
      yield* bytes.send(hex("16"))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(bytes.pull)))
      const silent = yield* Transport.connect(Transport.Bytes)("memory:choice")
      yield* silent.end
      assert.isTrue(Exit.isFailure(yield* Effect.exit(silent.pull)))
      assert.deepStrictEqual(incidents, [
        "choice: no framer begins with the byte 22",
        "choice: the input ended inside a choice of framers"
      ])
    }).pipe(Effect.provide((() => {
      const bytes = MemoryTransport.layer()
      return Layer.merge(bytes, choosing(Lines.make())(bytes))
    })())))
})

describe("what stands on framers", () => {
  class Count extends Subprotocol.Service<Count>()("count", { client: Schema.String, server: Schema.Int }) {}

  it.effect("is JSON by the line, which needs nothing of its own", () =>
    Effect.gen(function*() {
      const listener = yield* Count.listen("memory:ndjson")
      yield* Effect.forkScoped(listener.run((connection) =>
        Effect.flatMap(connection.pull, (texts) => Effect.forEach(texts, ({ length }) => connection.send(length)))
      ))
      const connection = yield* Count.connect("memory:ndjson")
      yield* connection.sendAll(["a\nb", "\u2028"])
      assert.deepStrictEqual(yield* connection.pull, [3, 1])
    }).pipe(Effect.provide(MemoryTransport.layer().pipe(Lines.over(), Count.over(Codec.json())))))

  it.effect("is a program of records", () =>
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Records)("memory:records")
      yield* Effect.forkScoped(listener.run((connection) => Effect.flatMap(connection.pull, connection.sendAll)))
      const connection = yield* Transport.connect(Transport.Records)("memory:records")
      yield* connection.send({ type: 3, value: utf8("three") })
      assert.deepStrictEqual(yield* connection.pull, [{ type: 3, value: utf8("three") }])
      yield* connection.end
    }).pipe(Effect.provide(Tlv.over()(MemoryTransport.layer()))))
})
