import { assert, describe, it } from "@effect/vitest"
import { Codec, Connection, MemoryTransport } from "@wirestack/protocol"
import { encode, feed, verifyMessages, verifyRefusal, verifyRoundTrip } from "@wirestack/protocol/testing/machineSuite"
import type { Message } from "@wirestack/protocol/Transport"
import { Effect, Schema, SchemaGetter, SchemaIssue } from "effect"
import { hex, utf8 } from "../support/bytes.ts"
import { failureOf } from "../support/failure.ts"

const Point = Schema.Struct({ x: Schema.Int, label: Schema.optional(Schema.String) })

class Event extends Schema.TaggedClass<Event>()("Event", {
  at: Schema.Date,
  size: Schema.BigInt,
  body: Schema.Uint8Array,
  // @effect-diagnostics-next-line schemaNumber:off
  ratio: Schema.Number,
  maybe: Schema.UndefinedOr(Schema.String)
}) {}

const points = (options?: Codec.Options) => Codec.json(options).machine(Point, Point)()

describe("decoding", () => {
  it("takes text and bytes, a value a message", () => {
    verifyMessages(() => points(), [
      { name: "nothing", input: [], messages: [] },
      {
        name: "text and bytes",
        input: [`{"x":1}`, utf8(`{"x":2,"label":"é"}`), ` { "x" : 3 } `],
        messages: [{ x: 1 }, { x: 2, label: "é" }, { x: 3 }]
      },
      { name: "what is in excess is ignored", input: [`{"x":1,"y":2,"__proto__":{"x":3}}`], messages: [{ x: 1 }] }
    ])
    assert.deepStrictEqual(feed(points(), [[`{"x":1}`, utf8(`{"x":20}`)]]).sizes, [7, 8])
    assert.strictEqual(feed(points(), [[]], { end: "unannounced" }).ending, "unannounced")
  })

  it("keeps what it has no room for", () => {
    const machine = points()
    const io = feed(machine, [])
    io.capacity = 0
    const batch = [`{"x":1}`, `{"x":2}`]
    assert.isFalse(machine.receive(batch, io))
    io.capacity = 1
    assert.isFalse(machine.receive([], io))
    io.capacity = 9
    assert.isTrue(machine.receive([`{"x":3}`], io))
    assert.deepStrictEqual(io.emitted, [{ x: 1 }, { x: 2 }, { x: 3 }])
  })

  it("fails at a message that is no value, after delivering those before it", () => {
    const messages = [{ x: 1 }]
    verifyMessages(() => points(), [
      { name: "not JSON", input: [`{"x":1}`, "{", `{"x":2}`], messages, ending: "Undecodable" },
      { name: "empty", input: [`{"x":1}`, ""], messages, ending: "Undecodable" },
      { name: "not UTF-8", input: [`{"x":1}`, hex("22ff22")], messages, ending: "Undecodable" },
      { name: "a byte order mark", input: [`{"x":1}`, hex("efbbbf 7b7d")], messages, ending: "Undecodable" },
      { name: "another value", input: [`{"x":1}`, `{"x":"1"}`], messages, ending: "Undecodable" },
      { name: "nested too deep", input: [`{"x":1}`, "[".repeat(100_000)], messages, ending: "Undecodable" }
    ])
  })

  it("says where and why, as text and as data", () => {
    const { reason } = feed(points(), [[`{"x":0.5}`]])
    assert(reason?._tag === "Undecodable")
    assert.include(reason.detail, "integer")
    assert.include(reason.detail, `["x"]`)
    assert.isTrue(SchemaIssue.isIssue(reason.cause))
    const syntax = feed(points(), [["nonsense"]]).reason
    assert(syntax?._tag === "Undecodable")
    assert.strictEqual(syntax.message, "what the peer sent is not valid: not JSON")
    assert.instanceOf(syntax.cause, SyntaxError)
  })

  it("says no more than a log can hold, however much is wrong", () => {
    const Points = Schema.Array(Point)
    const machine = Codec.json({ parseOptions: { errors: "all" } }).machine(Points, Points)()
    const { reason } = feed(machine, [[JSON.stringify(Array.from({ length: 10_000 }, () => ({ x: "1" })))]])
    assert.include(reason?.message, `[0]["x"]`)
    assert.isBelow(reason!.message.length, 1_100)
  })

  it("says what a Schema's own function has thrown", () => {
    const Broken = Schema.String.pipe(Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transform((): string => {
        throw new Error("no such thing")
      }),
      encode: SchemaGetter.transform((text: string) => text)
    }))
    const { reason } = feed(Codec.json().machine(Broken, Broken)(), [[`"a"`]])
    assert.include(reason?.message, "no such thing")
  })

  it("is as strict as told", () => {
    const strict = points({ parseOptions: { onExcessProperty: "error", errors: "all" } })
    const { reason } = feed(strict, [[`{"x":"1","y":2}`]])
    assert.include(reason?.message, `["x"]`)
    assert.include(reason?.message, `["y"]`)
  })
})

describe("encoding", () => {
  it("writes text", () => {
    assert.deepStrictEqual(encode(points(), [{ x: 1, label: "é" }, { x: 2 }]), [`{"x":1,"label":"é"}`, `{"x":2}`])
  })

  it("refuses what the Schema or the format doesn't admit", () => {
    const reason = verifyRefusal(points(), { x: 0.5 }, "Unencodable")
    assert(reason._tag === "Unencodable")
    assert.include(reason.message, `["x"]`)
    assert.isTrue(SchemaIssue.isIssue(reason.cause))
    const anything = Codec.make({
      format: "plain JSON",
      parse: (m) => JSON.parse(String(m)),
      print: (v) => JSON.stringify(v)
    })
    const machine = anything.machine(Schema.Unknown, Schema.Unknown)()
    const circular: Record<string, unknown> = {}
    circular["self"] = circular
    for (const value of [circular, 1n, undefined, () => {}]) {
      assert.strictEqual(
        verifyRefusal(machine, value, "Unencodable").message,
        "this can't be sent: plain JSON can't express the value"
      )
    }
    const broken = Schema.String.pipe(Schema.decode({
      decode: { run: () => Effect.die("broken") } as any,
      encode: { run: () => Effect.die("broken") } as any
    }))
    verifyRefusal(Codec.json().machine(broken, broken)(), "x", "Unencodable")
  })
})

describe("text and bytes", () => {
  const bytes = Uint8Array.of(1, 2, 255)
  const Name = Schema.String.check(Schema.isMinLength(2)).pipe(Schema.brand("Name"))

  it("travel as they are", () => {
    const text = Codec.text().coder(Name)
    assert.strictEqual(text.encode(Name.make("né")), "né")
    assert.strictEqual(text.decode(utf8("né")), "né")
    assert.strictEqual(Codec.text().coder(Schema.FiniteFromString).encode(0.5), "0.5")
    const raw = Codec.bytes().coder(Schema.Uint8Array)
    assert.strictEqual(raw.encode(bytes), bytes)
    assert.strictEqual(raw.decode(bytes), bytes)
    assert.deepStrictEqual(raw.decode("né"), utf8("né"))
  })

  it("are refused by format or Schema", () => {
    const text = () => Codec.text().machine(Name, Name)()
    verifyMessages(text, [
      { name: "not UTF-8", input: [hex("ff")], messages: [], ending: "Undecodable" },
      { name: "too short", input: ["x"], messages: [], ending: "Undecodable" }
    ])
    assert.notProperty(feed(text(), [[hex("ff")]]).reason, "by")
    assert.propertyVal(feed(text(), [["x"]]).reason, "by", "schema")
    verifyRefusal(text(), "x" as typeof Name.Type, "Unencodable")
    const some = Schema.Uint8Array.check(Schema.isMinLength(1))
    verifyRefusal(Codec.bytes().machine(some, some)(), new Uint8Array(0), "Unencodable")
  })
})

describe("the binary form of Effect", () => {
  it("is smaller than JSON, and smallest with a fingerprint's positions", () => {
    const Points = Schema.Array(Schema.Struct({ longitude: Schema.Finite, latitude: Schema.Finite }))
    const points = Array.from({ length: 20 }, (_, n) => ({ longitude: n / 3, latitude: n / 7 }))
    const [text, numbered, positional] = [Codec.json(), Codec.binary(), Codec.binary({ fingerprint: true })].map(
      (codec) => encode(codec.machine(Points, Points)(), [points])[0].length
    )
    assert.isBelow(numbered, text / 2)
    assert.isBelow(positional, numbered + 9)
  })

  it("understands a Schema that has grown, unless it has a fingerprint", () => {
    const Grown = Schema.Struct({ ...Point.fields, y: Schema.optional(Schema.Int) })
    const sent = Codec.binary().coder(Point).encode({ x: 1 })
    assert.deepStrictEqual(Codec.binary().coder(Grown).decode(sent), { x: 1 })
    const strict = Codec.binary({ fingerprint: true })
    assert.throws(() => strict.coder(Grown).decode(strict.coder(Point).encode({ x: 1 })))
  })

  it("refuses a text with a lone surrogate, and no other", () => {
    const coder = Codec.binary().coder(Schema.Struct({ x: Schema.String, body: Schema.Uint8Array }))
    const body = hex("efbfbd eda080 ef")
    for (const x of ["\ufffd", "\ud7ff", "😀"]) {
      assert.deepStrictEqual(coder.decode(coder.encode({ x, body })), { x, body })
    }
    assert.throws(() => coder.encode({ x: "\ud800", body }), /surrogate/)
  })

  it("looks through no value that has no JSON form", () => {
    const coder = Codec.binary().coder(Schema.Struct({ x: Schema.Unknown }))
    const at = new Date(0)
    assert.deepStrictEqual(coder.decode(coder.encode({ x: ["\ufffd", at] })), { x: ["\ufffd", at.toJSON()] })
  })

  it("refuses text", () => {
    assert.strictEqual(feed(Codec.binary().machine(Point, Point)(), [["nonsense"]]).ending, "Undecodable")
  })
})

it.prop("round trips every value of a Schema", [Schema.Array(Schema.Union([Event, Point]))], ([values]) => {
  const codec = Codec.json().machine(Schema.Union([Event, Point]), Schema.Union([Event, Point]))
  verifyRoundTrip(codec(), codec(), values, values)
})

it("a format of one's own is two functions", () => {
  const codec = Codec.make({
    format: "hex",
    parse: (message) => JSON.parse(Buffer.from(String(message), "hex").toString()),
    print: (value) => Buffer.from(JSON.stringify(value)).toString("hex")
  })
  const machine = codec.machine(Point, Point)
  assert.deepStrictEqual(verifyRoundTrip(machine(), machine(), [{ x: 1 }], [{ x: 1 }]), ["7b2278223a317d"])
})

it.effect("a refused value leaves the wire untouched and the connection usable", () =>
  Effect.gen(function*() {
    const [near, far] = MemoryTransport.pair<Message>()
    const connection = yield* Connection.fuse(yield* Connection.make(near), points(), { layer: "points" })
    const bare = yield* Connection.make(far)
    const refused = failureOf(yield* Effect.exit(connection.send({ x: 0.5 })))
    assert.deepInclude(refused, { layer: "points", tag: "Unencodable" })
    yield* connection.send({ x: 1 })
    assert.deepStrictEqual(yield* bare.pull, [`{"x":1}`])
    yield* bare.sendAll([`{"x":2}`, "nonsense"])
    assert.deepStrictEqual(yield* connection.pull, [{ x: 2 }])
    assert.deepInclude(failureOf(yield* Effect.exit(connection.pull)), { layer: "points", tag: "Undecodable" })
    yield* bare.abort
  }))
