/** Connections that a listener has accepted and does not handle yet: before it is run, while it is paused, and for room. */
import { assert, describe, it } from "@effect/vitest"
import { type Listener, MemoryTransport, Transport } from "@wirestack/protocol"
import type { Connection } from "@wirestack/protocol/Connection"
import { Effect, Exit, Fiber, Schema, Scope } from "effect"
import { Door } from "../src/internal/Door.ts"
import { turns } from "./support/turns.ts"

const connect = Transport.connect(Transport.Bytes)

/** A listener whose handlers note the first byte they receive, and stay until their connection ends. */
const serving = (options: Transport.ListenOptions) =>
  Effect.gen(function*() {
    const handled: Array<number> = []
    const incidents: Array<Listener.Incident> = []
    const listener = yield* Transport.listen(Transport.Bytes)("memory:waiting", options)
    const handler = (connection: Connection<Uint8Array, Uint8Array>) =>
      Effect.andThen(
        Effect.ignore(Effect.flatMap(connection.pull, ([[first]]) => Effect.sync(() => void handled.push(first)))),
        Effect.ignore(connection.pull)
      )
    const onIncident = (incident: Listener.Incident) => Effect.sync(() => void incidents.push(incident))
    return { listener, handled, incidents, run: Effect.forkScoped(listener.run(handler, { onIncident })) }
  })

/** Connects and says its number; whoever is still there at the end is cut off, so that nobody waits for a goodbye. */
const visitor = (number: number) =>
  Effect.gen(function*() {
    const connection = yield* connect("memory:waiting")
    yield* Effect.addFinalizer(() => connection.abort)
    yield* Effect.ignore(connection.send(Uint8Array.of(number)))
    yield* turns
    return { connection, leave: Effect.andThen(connection.abort, turns) }
  })

const on = <E>(name: string, program: Effect.Effect<unknown, E, Scope.Scope | Transport.ByteTransport<any>>) =>
  it.effect(name, () => Effect.provide(Effect.scoped(program), MemoryTransport.layer()))

on(
  "beyond the limit connections wait, unread, and are handled in their order as others end",
  Effect.gen(function*() {
    const { handled, incidents, run } = yield* serving({ maxConnections: 1, whenFull: "wait" })
    yield* run
    const first = yield* visitor(1)
    const second = yield* visitor(2)
    const third = yield* visitor(3)
    assert.deepStrictEqual(handled, [1])
    yield* first.leave
    assert.deepStrictEqual(handled, [1, 2])
    yield* second.leave
    assert.deepStrictEqual(handled, [1, 2, 3])
    yield* third.leave
    assert.deepStrictEqual(incidents, [])
  })
)

on(
  "beyond those that may wait connections are cut, and told",
  Effect.gen(function*() {
    const { handled, incidents, run } = yield* serving({ maxConnections: 1, whenFull: "wait", maxWaiting: 1 })
    yield* run
    const first = yield* visitor(1)
    yield* visitor(2)
    const third = yield* visitor(3)
    assert.strictEqual((yield* third.connection.closed).error?.reason._tag, "Reset")
    assert.deepStrictEqual(incidents, [{
      _tag: "TooManyConnections",
      count: 1,
      of: "waiting",
      limit: 1,
      peer: undefined
    }])
    yield* first.leave
    assert.deepStrictEqual(handled, [1, 2])
  })
)

on(
  "one that has gone while it waited is handled in its turn, and makes room for the next",
  Effect.gen(function*() {
    const { handled, run } = yield* serving({ maxConnections: 1, whenFull: "wait" })
    yield* run
    const first = yield* visitor(1)
    const second = yield* visitor(2)
    yield* visitor(3)
    yield* second.connection.abort
    yield* first.leave
    assert.deepStrictEqual(handled, [1, 2, 3])
  })
)

on(
  "while it is paused connections wait, and those that are handled go on",
  Effect.gen(function*() {
    const { handled, incidents, listener, run } = yield* serving({ maxWaiting: 2 })
    yield* run
    yield* visitor(1)
    yield* listener.pause
    const [second] = yield* Effect.all([visitor(2), visitor(3), visitor(4)])
    assert.deepStrictEqual(handled, [1])
    assert.deepStrictEqual(incidents.map((incident) => incident._tag), ["TooManyConnections"])
    yield* second.leave
    yield* listener.resume
    yield* turns
    assert.deepStrictEqual(handled, [1, 2, 3])
    yield* visitor(5)
    assert.deepStrictEqual(handled, [1, 2, 3, 5])
  })
)

on(
  "a listener that is paused before it is run handles nothing before it is resumed",
  Effect.gen(function*() {
    const { handled, listener, run } = yield* serving({})
    yield* listener.pause
    yield* run
    yield* visitor(1)
    assert.deepStrictEqual(handled, [])
    yield* listener.resume
    yield* turns
    assert.deepStrictEqual(handled, [1])
  })
)

on(
  "those that came before it is run are handled then, as far as there is room, and the others wait",
  Effect.gen(function*() {
    const { handled, incidents, run } = yield* serving({ maxConnections: 2 })
    const [first, ...others] = yield* Effect.all([visitor(1), visitor(2), visitor(3)])
    yield* run
    yield* turns
    assert.deepStrictEqual(handled, [1, 2])
    yield* visitor(4)
    assert.deepStrictEqual(incidents, [{
      _tag: "TooManyConnections",
      count: 1,
      of: "listener",
      limit: 2,
      peer: undefined
    }])
    yield* first.leave
    assert.deepStrictEqual(handled, [1, 2, 3])
    for (const { leave } of others) yield* leave
  })
)

on(
  "a drain cuts those that wait, and says how many",
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const { listener, run } = yield* Scope.provide(serving({ maxConnections: 1, whenFull: "wait" }), scope)
    yield* Scope.provide(run, scope)
    const handled = yield* visitor(1)
    const waiting = yield* visitor(2)
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
    yield* turns
    yield* handled.leave
    yield* Fiber.join(closing)
    assert.deepInclude(yield* listener.drained, { open: 1, ended: 1, interrupted: 0, waiting: 1 })
    assert.strictEqual((yield* waiting.connection.closed).error?.reason._tag, "Reset")
  })
)

on(
  "a long line is handled one after the other",
  Effect.gen(function*() {
    let handled = 0
    const listener = yield* Transport.listen(Transport.Bytes)("memory:waiting", { maxConnections: 1 })
    const waiting: Array<Connection<Uint8Array, Uint8Array>> = []
    yield* Effect.addFinalizer(() => Effect.forEach(waiting, (connection) => connection.abort))
    for (let n = 0; n < 500; n++) waiting.push(yield* connect("memory:waiting"))
    yield* Effect.forkScoped(listener.run(() => Effect.sync(() => void handled++)))
    yield* turns
    for (const { abort } of waiting) yield* Effect.andThen(abort, turns)
    assert.strictEqual(handled, 500)
  })
)

describe("Door", () => {
  const moves = Schema.Array(Schema.Literals(["arrive a", "arrive b", "leave", "open", "close"]))
  const limits = Schema.Struct({
    maxConnections: Schema.Literals([1, 2, 3]),
    maxConnectionsPerPeer: Schema.Literals([2, 100]),
    maxWaiting: Schema.Literals([0, 1, 2]),
    whenFull: Schema.Literals(["cut", "wait"])
  })

  it.prop(
    "never lets in too many, nor keeps too many waiting, nor loses or reorders anybody",
    [limits, moves],
    ([limits, moves]) => {
      const door = new Door<{ readonly peer: string }>(limits)
      const line: Array<{ readonly peer: string }> = []
      const inside: Array<{ readonly peer: string }> = []
      for (const move of moves) {
        if (move === "open" || move === "close") door.open = move === "open"
        else if (move === "leave") {
          const guest = inside.shift()
          if (guest !== undefined) door.left(guest.peer)
        } else {
          const guest = { peer: move.slice(7) }
          const known = [...line, ...inside].filter(({ peer }) => peer === guest.peer).length
          const full = inside.length === limits.maxConnections
          const expected = known >= limits.maxConnectionsPerPeer
            ? "peer"
            : door.open && full && limits.whenFull === "cut"
            ? "listener"
            : (full || !door.open) && line.length >= limits.maxWaiting
            ? "waiting"
            : undefined
          assert.strictEqual(door.arrive(guest, guest.peer)?.of, expected)
          if (expected === undefined) line.push(guest)
        }
        for (let guest = door.next(); guest !== undefined; guest = door.next()) {
          assert.strictEqual(guest, line.shift())
          inside.push(guest)
        }
        assert.isAtMost(inside.length, limits.maxConnections)
        assert.isTrue(!door.open || line.length === 0 || inside.length === limits.maxConnections)
      }
      assert.deepStrictEqual(door.dismiss(), line)
    }
  )
})
