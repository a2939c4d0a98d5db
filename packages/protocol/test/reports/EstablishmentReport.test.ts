import { assert, describe, it } from "@effect/vitest"
import {
  ConnectError,
  Connection,
  EstablishmentReport,
  LengthPrefixed,
  type Listener,
  MemoryTransport,
  Protocol,
  Reason,
  Transport
} from "@wirestack/protocol"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"

type Bytes = Connection.Connection<Uint8Array, Uint8Array>

const failure = new ConnectError.ConnectError({ layer: "slow", reason: new Reason.Other({ cause: "not today" }) })

const framed = (lower: Bytes) => Connection.fuse(lower, LengthPrefixed.make().machine(), { layer: "slow" })

/** A protocol whose handshakes take 30 ms. A client tries it again as long as there are failures. */
const slow = (failures: number, times = 2) => {
  let left = failures
  const client = (lower: Bytes) =>
    Effect.andThen(Effect.sleep(30), Effect.suspend(() => left-- > 0 ? Effect.fail(failure) : framed(lower)))
  return Protocol.make(Transport.Bytes, Transport.Messages, {
    layer: "slow",
    facts: () => ({ version: 2, unknown: undefined, tried: [{ name: "a", took: 1 }, { name: "b", ok: false }] }),
    client,
    connect: (attempt, ask) => Effect.retry(attempt(ask, client), { times }),
    server: (lower: Bytes) => Effect.andThen(Effect.sleep(30), framed(lower))
  })
}

const over = (failures: number, times?: number) => MemoryTransport.layer().pipe(slow(failures, times))

/** Connects over what takes 30 ms a handshake, once the listener runs. */
const meetWithin = (millis: number) =>
  Effect.gen(function*() {
    const listener: Listener.Listener<Transport.Message, Transport.Message> = yield* Transport.listen(
      Transport.Messages
    )(
      "memory:slow"
    )
    const accepted = yield* Deferred.make<EstablishmentReport.EstablishmentReport>()
    yield* Effect.forkScoped(
      listener.run((connection) => Deferred.succeed(accepted, EstablishmentReport.of(connection)), {
        onIncident: () => Effect.void
      })
    )
    const connecting = yield* Effect.forkScoped(Effect.result(Transport.connect(Transport.Messages)("memory:slow")))
    yield* TestClock.adjust(millis)
    return { accepted, result: yield* Fiber.join(connecting) }
  })

const meet = meetWithin(90)

const steps = (report: EstablishmentReport.EstablishmentReport) =>
  report.attempts.map((attempt) => attempt.map(({ after, layer, reason, took }) => [layer, after, took, reason?._tag]))

describe("EstablishmentReport", () => {
  it.effect("tells each layer from the bottom up, on both sides", () =>
    Effect.gen(function*() {
      const { accepted, result } = yield* meet
      assert(result._tag === "Success")
      const report = EstablishmentReport.of(result.success)
      assert.strictEqual(report.took, 30)
      assert.deepStrictEqual(steps(report), [[["memory", 0, 0, undefined], ["slow", 0, 30, undefined]]])
      assert.deepStrictEqual(report.attempts[0][0].facts, {})
      assert.strictEqual(report.attempts[0][1].facts.version, 2)
      assert.deepStrictEqual(steps(yield* Deferred.await(accepted)), steps(report))
    }).pipe(Effect.provide(over(0))))

  it.effect("tells the attempts that failed before, without the facts of layers that are gone", () =>
    Effect.gen(function*() {
      const { result } = yield* meet
      assert(result._tag === "Success")
      const report = EstablishmentReport.of(result.success)
      assert.strictEqual(report.took, 90)
      assert.deepStrictEqual(steps(report), [
        [["memory", 0, 0, undefined], ["slow", 0, 30, "Other"]],
        [["memory", 30, 0, undefined], ["slow", 30, 30, "Other"]],
        [["memory", 60, 0, undefined], ["slow", 60, 30, undefined]]
      ])
      assert.deepStrictEqual(report.attempts.map(([, { facts }]) => facts.version), [undefined, undefined, 2])
    }).pipe(Effect.provide(over(2))))

  it.effect("is there when no connection came about", () =>
    Effect.gen(function*() {
      const { result } = yield* meet
      assert(result._tag === "Failure")
      assert.deepStrictEqual(steps(EstablishmentReport.of(result.failure)).map((attempt) => attempt.at(-1)), [
        ["slow", 0, 30, "Other"],
        ["slow", 30, 30, "Other"],
        ["slow", 60, 30, "Other"]
      ])
    }).pipe(Effect.provide(over(3))))

  it.effect("tells a failure at the bottom", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Transport.connect(Transport.Messages)("memory:nobody"))
      assert.deepStrictEqual(steps(EstablishmentReport.of(error)).at(0), [["memory", 0, 0, "Refused"]])
    }).pipe(Effect.provide(over(0))))

  it.effect("keeps the latest of very many attempts", () =>
    Effect.gen(function*() {
      const { result } = yield* meetWithin(30 * 201)
      assert(result._tag === "Success")
      const { attempts, took } = EstablishmentReport.of(result.success)
      assert.deepStrictEqual([attempts.length, took, attempts[0][0].after], [64, 30 * 201, 30 * (201 - 64)])
    }).pipe(Effect.provide(over(200, 1_000))))

  it.effect("tells a failure once, whatever a layer above makes of it", () =>
    Effect.gen(function*() {
      const other = new ConnectError.ConnectError({ layer: "upper", reason: new Reason.Other({ cause: "no" }) })
      const upper = Protocol.make(Transport.Messages, Transport.Messages, {
        layer: "upper",
        client: (lower) => Effect.succeed(lower),
        connect: (attempt, ask) => Effect.mapError(attempt(ask, (lower) => Effect.succeed(lower)), () => other)
      })
      const stack = upper(over(0, 0))
      const error = yield* Effect.flip(Effect.provide(Transport.connect(Transport.Messages)("memory:nobody"), stack))
      assert.strictEqual(error, other)
      assert.deepStrictEqual(steps(EstablishmentReport.of(error)), [[["memory", 0, 0, "Refused"]]])
    }))

  it("knows nothing of an error that nobody connected with", () => {
    const { layer, reason } = failure
    assert.deepStrictEqual(EstablishmentReport.of(new ConnectError.ConnectError({ layer, reason })), {
      took: 0,
      attempts: []
    })
  })

  it.effect("is printed a layer a line, with what each tells", () =>
    Effect.gen(function*() {
      const { result } = yield* meet
      assert(result._tag === "Success")
      assert.deepStrictEqual(EstablishmentReport.format(EstablishmentReport.of(result.success)).split("\n"), [
        "attempt 1",
        "     0.0 ms  memory",
        "    30.0 ms  slow: not today",
        "attempt 2",
        "     0.0 ms  memory",
        "    30.0 ms  slow",
        "               version 2",
        "               tried name a, took 1.0 ms",
        "               tried name b, ok false",
        "    60.0 ms  in all"
      ])
    }).pipe(Effect.provide(over(1))))
})
