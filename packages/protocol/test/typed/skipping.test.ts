/** What becomes of messages that can't be decoded: the connection fails, they are skipped, or they are handed out. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Codec, Connection, MemoryTransport, Subprotocol } from "@wirestack/protocol"
import { Undecodable } from "@wirestack/protocol/ConnectionError"
import { feed, verifyMessages } from "@wirestack/protocol/testing/machineSuite"
import type { Message } from "@wirestack/protocol/Transport"
import { Effect, Schema } from "effect"
import { failureOf } from "../support/failure.ts"

const Point = Schema.Struct({ x: Schema.Int })

const good = `{"x":1}`
const refused = `{"x":"1"}`

/** A machine that skips, and what it has reported. */
const skipping = (bounds?: { readonly inARow?: number | undefined; readonly inAll?: number | undefined }) => {
  const reports: Array<readonly [string | undefined, number]> = []
  const skip = { report: ({ by }: Undecodable, skipped: number) => reports.push([by, skipped]), ...bounds }
  const machines = Codec.json({ skip: skip as Codec.Skip })
    .machine(Point, Point)
  return { machines, reports }
}

describe("skipping", () => {
  it("goes on, and reports each", () => {
    const { machines, reports } = skipping()
    verifyMessages(machines, [
      { name: "between two", input: [good, refused, good], messages: [{ x: 1 }, { x: 1 }] },
      { name: "the last", input: [good, "nonsense"], messages: [{ x: 1 }] }
    ])
    reports.length = 0
    const machine = machines()
    feed(machine, [[good, refused, "nonsense", good]])
    assert.deepStrictEqual(reports, [["schema", 1], [undefined, 2]])
    assert.strictEqual((machine as { readonly skipped?: number }).skipped, 2)
  })

  it("stops after so many in a row", () => {
    const { machines } = skipping({ inARow: 2 })
    verifyMessages(machines, [
      {
        name: "two at a time",
        input: [refused, refused, good, refused, refused],
        messages: [{ x: 1 }]
      },
      { name: "three", input: [good, refused, refused, refused], messages: [{ x: 1 }], ending: "Undecodable" }
    ])
    const none = Array<string>(17).fill("nonsense")
    assert.strictEqual(feed(skipping().machines(), [none.slice(1)]).ending, "open")
    assert.strictEqual(feed(skipping().machines(), [none]).ending, "Undecodable")
  })

  it("a bound that is undefined is the default", () => {
    const { machines } = skipping({ inARow: undefined, inAll: undefined })
    assert.strictEqual(feed(machines(), [Array<string>(17).fill("nonsense")]).ending, "Undecodable")
    const turns = Array.from({ length: 1_025 }, () => [refused, good]).flat()
    assert.strictEqual(feed(machines(), [turns]).ending, "Undecodable")
  })

  it("stops after so many in all", () => {
    const { machines } = skipping({ inAll: 2 })
    const messages = [{ x: 1 }, { x: 1 }]
    const input = [refused, good, refused, good, refused]
    verifyMessages(machines, [{ name: "the third", input, messages, ending: "Undecodable" }])
    const turns = Array.from({ length: 1_024 }, () => [refused, good]).flat()
    assert.strictEqual(feed(skipping().machines(), [turns]).ending, "open")
    assert.strictEqual(feed(skipping().machines(), [[...turns, refused]]).ending, "Undecodable")
  })

  it.effect("is counted in the outcome", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const { machines } = skipping()
      const bare = yield* Connection.make(far)
      const outcome = yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* Connection.fuse(yield* Connection.make(near), machines(), { layer: "points" })
        yield* bare.sendAll([good, refused, good])
        assert.deepStrictEqual(yield* connection.pull, [{ x: 1 }, { x: 1 }])
        yield* connection.abort
        return yield* connection.closed
      }))
      assert.strictEqual(outcome.skipped, 1)
      assert.notProperty(yield* bare.closed, "skipped")
    }))

  it.effect("a report that throws fails the connection", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const codec = Codec.json({
        skip: {
          report: () => {
            throw new Error("broken")
          }
        }
      })
      const machine = codec.machine(Point, Point)()
      const connection = yield* Connection.fuse(yield* Connection.make(near), machine, { layer: "points" })
      const bare = yield* Connection.make(far)
      yield* bare.send(refused)
      assert.deepInclude(failureOf(yield* Effect.exit(connection.pull)), { layer: "points", tag: "Other" })
      yield* bare.abort
    }))
})

class Points extends Subprotocol.Service<Points>()("points", {
  client: Codec.orUndecodable(Point),
  server: Point
}) {}

/** The same to its peers, without a Schema to keep. */
class Loose extends Subprotocol.Service<Loose>()("loose", { client: Schema.Unknown, server: Schema.Unknown }) {}

describe("handing out", () => {
  it("gives what arrived in its place, and refuses to send it", () => {
    const machine = Codec.json().machine(Points.client, Points.client)
    const { emitted, ending, sizes } = feed(machine(), [[good, refused, "nonsense", good]])
    assert.deepStrictEqual(emitted.map((value) => value instanceof Undecodable ? value.by : value), [
      { x: 1 },
      "schema",
      undefined,
      { x: 1 }
    ])
    assert.strictEqual(ending, "open")
    assert.deepStrictEqual(sizes, [7, 9, 8, 7])
  })

  it("comes before skipping", () => {
    const codec = Codec.json({ skip: { report: () => assert.fail("it was skipped") } })
    assert.lengthOf(feed(codec.machine(Points.client, Point)(), [[refused]]).emitted, 1)
  })

  it("holds for a Schema with checks, and for a class", () => {
    class Named extends Schema.Class<Named>("Named")({ name: Schema.String }) {}
    for (const schema of [Codec.orUndecodable(Schema.Int.check(Schema.isGreaterThan(3))), Codec.orUndecodable(Named)]) {
      const [value] = feed(Codec.json().machine(schema as Codec.Carried, schema as Codec.Carried)(), [["1"]]).emitted
      assert.instanceOf(value, Undecodable)
    }
  })

  it("is gone from a Schema that is made of it, as its type says", () => {
    const rebuilt = [
      Points.client.annotate({ title: "a point" }),
      Points.client.pipe(Schema.brand("Point")),
      Points.client.check(Schema.makeFilter(() => true)),
      Schema.Union([Points.client, Schema.String])
    ]
    for (const schema of rebuilt) {
      expectTypeOf<Codec.Received<typeof schema>>().not.toEqualTypeOf<unknown>()
      expectTypeOf<Undecodable>().not.toExtend<Codec.Received<typeof schema>>()
      assert.strictEqual(
        feed(Codec.json().machine<unknown, unknown>(schema, schema)(), [[refused]]).ending,
        "Undecodable"
      )
    }
  })

  it.effect("who receives has both to deal with, who sends only the value", () =>
    Effect.gen(function*() {
      yield* Points.serve()("memory:points", (connection) => {
        expectTypeOf(connection.send).parameter(0).toEqualTypeOf<{ readonly x: number }>()
        return Effect.flatMap(Effect.orDie(connection.pull), (points) => {
          expectTypeOf(points[0]).toEqualTypeOf<{ readonly x: number } | Undecodable>()
          return Effect.orDie(connection.send({ x: points.filter((point) => point instanceof Undecodable).length }))
        })
      }).pipe((layer) => Effect.forkScoped(Effect.provide(Effect.never, layer)))
      yield* Effect.yieldNow
      const connection = yield* Points.connect("memory:points")
      expectTypeOf(connection.send).parameter(0).toEqualTypeOf<{ readonly x: number }>()
      expectTypeOf(connection.pull).toEqualTypeOf<Connection.Connection<{ readonly x: number }, never>["pull"]>()
      yield* connection.send({ x: 1 })
      assert.deepStrictEqual(yield* connection.pull, [{ x: 0 }])
    }).pipe(Effect.provide(Points.over(Codec.json())(MemoryTransport.layerMessages())), Effect.scoped))

  it("what was a Schema before is one still", () => {
    assert.isTrue(Schema.is(Points.client)({ x: 1 }))
    expectTypeOf<Codec.Received<typeof Points.client>>().toEqualTypeOf<{ readonly x: number } | Undecodable>()
    expectTypeOf<Codec.Received<typeof Loose.client>>().toEqualTypeOf<unknown>()
  })
})
