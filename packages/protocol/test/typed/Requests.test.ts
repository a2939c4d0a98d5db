import { assert, describe, it } from "@effect/vitest"
import { Channels, Codec, LengthPrefixed, MemoryTransport, Requests, Subprotocol, Transport } from "@wirestack/protocol"
import type { SessionOptions } from "@wirestack/protocol/typed/Requests"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Option, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { failureOf } from "../support/failure.ts"
import { turns } from "../support/turns.ts"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { path: Schema.String }) {}

class Files extends Requests.Service<Files>()("files.v1", {
  client: {
    read: Requests.call({ payload: Schema.String, success: Schema.Uint8Array, error: NotFound }),
    ping: Requests.call(),
    twice: Requests.call({ payload: Schema.Int, success: Schema.Int })
  },
  server: {
    name: Requests.call({ success: Schema.String }),
    changed: Requests.notification(Schema.String)
  }
}) {}

type Client = Requests.Handlers<typeof Files.calls.server, unknown>
type Server = Requests.Handlers<
  typeof Files.calls.client,
  Requests.Session<"files.v1", typeof Files.calls.server>
>

const server: Server = {
  read: (path) => path === "a" ? Effect.succeed(Uint8Array.of(1, 2)) : Effect.fail(new NotFound({ path })),
  ping: () => Effect.void,
  twice: (n) => Effect.succeed(n * 2)
}
const client: Client = { name: () => Effect.succeed("me"), changed: () => Effect.void }

/** The calls over a memory network, and the network's own messages for a bare peer. */
const stack = () => {
  const network = MemoryTransport.layerMessages()
  return Layer.merge(network, Files.over(Codec.json())(network))
}

const serving = (handlers: Partial<Server> = {}, options?: SessionOptions) =>
  Effect.gen(function*() {
    const listener = yield* Files.listen("memory:files")
    yield* Effect.forkScoped(
      listener.run({ ...server, ...handlers }, {
        onIncident: () => Effect.void,
        onDefect: () => Effect.void,
        ...options
      })
    )
    return listener
  })

const connecting = (handlers: Partial<Client> = {}, options?: SessionOptions) =>
  Files.connect()("memory:files", { ...client, ...handlers }, options)

/** A peer that speaks bare JSON: what it says to each message it receives. */
const bareServer = (answer: (message: any) => ReadonlyArray<object>) =>
  Effect.gen(function*() {
    const listener = yield* Transport.listen(Transport.Messages)("memory:files")
    const seen: Array<any> = []
    yield* Effect.forkScoped(listener.run((connection) =>
      Effect.forever(Effect.flatMap(connection.pull, (batch) => {
        const messages = batch.map((message) => JSON.parse(String(message)))
        seen.push(...messages)
        const answers = messages.flatMap(answer).map((value) => JSON.stringify(value))
        return answers.length === 0 ? Effect.void : connection.sendAll(answers as [string, ...Array<string>])
      })), { onIncident: () => Effect.void }))
    return seen
  })

const bareClient = Transport.connect(Transport.Messages)("memory:files")
const say = (...values: ReadonlyArray<object>) =>
  values.map((value) => JSON.stringify(value)) as [string, ...Array<string>]

describe("a call", () => {
  it.effect("gives what its handler answers, or fails with its error", () =>
    Effect.gen(function*() {
      yield* serving()
      const files = yield* connecting()
      assert.strictEqual(files.protocol, "files.v1")
      assert.deepStrictEqual(yield* files.call.read("a"), Uint8Array.of(1, 2))
      assert.deepStrictEqual(yield* Effect.flip(files.call.read("b")), new NotFound({ path: "b" }))
      assert.isUndefined(yield* files.call.ping())
      assert.deepStrictEqual(files.counts, { waiting: 0, late: 0, unasked: 0 })
    }).pipe(Effect.provide(stack())))

  it.effect("may be made by the server too, which notifies in order", () =>
    Effect.gen(function*() {
      const changed: Array<string> = []
      const all = yield* Deferred.make<void>()
      yield* serving({
        ping: (_, peer) =>
          Effect.gen(function*() {
            const name = yield* peer.call.name()
            for (const text of [name, "b", "c"]) yield* peer.call.changed(text)
          }).pipe(Effect.orDie)
      })
      const files = yield* connecting({
        changed: (text) =>
          Effect.suspend(() => {
            changed.push(text)
            return changed.length === 3 ? Deferred.succeed(all, undefined) : Effect.yieldNow
          })
      })
      yield* files.call.ping()
      yield* Deferred.await(all)
      assert.deepStrictEqual(changed, ["me", "b", "c"])
    }).pipe(Effect.provide(stack())))

  it.effect("is handled beside others, whichever is done first", () =>
    Effect.gen(function*() {
      const first = yield* Deferred.make<void>()
      yield* serving({
        twice: (n) => Effect.as(n === 1 ? Deferred.await(first) : Deferred.succeed(first, undefined), n * 2)
      })
      const files = yield* connecting()
      assert.deepStrictEqual(
        yield* Effect.all([files.call.twice(1), files.call.twice(2)], { concurrency: "unbounded" }),
        [2, 4]
      )
    }).pipe(Effect.provide(stack())))

  for (const codec of [Codec.json(), Codec.binary()]) {
    it.effect(`runs over frames of ${codec.format}, and is served for as long as a layer is provided`, () =>
      Effect.gen(function*() {
        const files = yield* connecting()
        assert.deepStrictEqual(yield* files.call.read("a"), Uint8Array.of(1, 2))
        assert.deepStrictEqual(yield* Effect.flip(files.call.read("b")), new NotFound({ path: "b" }))
        assert.isUndefined(yield* files.call.ping())
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Files.serve()("memory:files", server).pipe(
            Layer.provideMerge(MemoryTransport.layer().pipe(LengthPrefixed.over(), Files.over(codec)))
          )
        )
      ))
  }

  it.effect("that its Schema does not admit is refused, and the others go on", () =>
    Effect.gen(function*() {
      yield* serving()
      const files = yield* connecting()
      assert.deepInclude(failureOf(yield* Effect.exit(files.call.twice(0.5))), {
        layer: "files.v1",
        tag: "Unencodable"
      })
      assert.strictEqual(yield* files.call.twice(1), 2)
      assert.strictEqual(files.counts.waiting, 0)
    }).pipe(Effect.provide(stack())))
})

describe("connections that are there already", () => {
  it.effect("a version of a family is called, and the server may be first", () => {
    class Newer extends Requests.Service<Newer>()("files.v2", {
      client: { size: Requests.call({ payload: Schema.String, success: Schema.Int }) },
      server: { hello: Requests.notification(Schema.String) }
    }) {}
    class Both extends Subprotocol.Family<Both>()({ "files.v2": Newer, "files.v1": Files }) {}
    return Effect.gen(function*() {
      const said = yield* Deferred.make<string>()
      const listener = yield* Both.listen("memory:files")
      yield* Effect.forkScoped(listener.run({
        "files.v2": (line) =>
          Effect.gen(function*() {
            const session = yield* Requests.asServer(Newer)(line, { size: (text) => Effect.succeed(text.length) })
            yield* session.call.hello(session.protocol)
            yield* session.closed
          }),
        "files.v1": (line) =>
          Effect.flatMap(Requests.asServer(Files)(line, server), ({ closed }) => Effect.asVoid(closed))
      }))
      const line = yield* Both.connect("memory:files")
      assert(line.protocol === "files.v2")
      const session = yield* Requests.asClient(Newer)(line, { hello: (text) => Deferred.succeed(said, text) })
      assert.strictEqual(yield* Deferred.await(said), "files.v2")
      assert.strictEqual(yield* session.call.size("abc"), 3)
      yield* session.abort
    }).pipe(Effect.provide(MemoryTransport.layerMessages().pipe(Channels.over(), Both.over(Codec.json()))))
  })
})

describe("time and interruption", () => {
  /** A handler that never answers, and what becomes of it. */
  const stuck = Effect.gen(function*() {
    const begun = yield* Deferred.make<void>()
    const interrupted = yield* Deferred.make<void>()
    const read = () =>
      Effect.andThen(
        Deferred.succeed(begun, undefined),
        Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
      )
    return { begun, interrupted, read }
  })

  it.effect("who is interrupted interrupts the handler", () =>
    Effect.gen(function*() {
      const { begun, interrupted, read } = yield* stuck
      yield* serving({ read })
      const files = yield* connecting()
      const calling = yield* Effect.forkChild(files.call.read("a"))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(calling)
      yield* Deferred.await(interrupted)
      assert.strictEqual(files.counts.waiting, 0)
      assert.strictEqual(yield* files.call.twice(2), 4)
    }).pipe(Effect.provide(stack())))

  it.effect("what takes too long fails, and interrupts the handler", () =>
    Effect.gen(function*() {
      const { begun, interrupted, read } = yield* stuck
      yield* serving({ read })
      const files = yield* connecting()
      const calling = yield* Effect.forkChild(Effect.exit(files.call.read("a")))
      yield* Deferred.await(begun)
      yield* TestClock.adjust("30 seconds")
      const failure = failureOf(yield* Fiber.join(calling))
      assert.deepInclude(failure, { layer: "files.v1", tag: "TimedOut" })
      assert.deepInclude(failure?.reason, { phase: "read", after: 30_000 })
      yield* Deferred.await(interrupted)
    }).pipe(Effect.provide(stack())))

  it.effect("a call may have a time of its own, in which it also waits for its turn", () =>
    Effect.gen(function*() {
      const { begun, read } = yield* stuck
      yield* serving({ read })
      const files = yield* connecting({}, { maxInFlight: 1 })
      yield* Effect.forkScoped(files.call.read("a"))
      yield* Deferred.await(begun)
      const second = yield* Effect.forkChild(Effect.exit(files.call.read("b", { within: "1 second" })))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(failureOf(yield* Fiber.join(second)), { tag: "TimedOut" })
      assert.strictEqual(files.counts.waiting, 1)
    }).pipe(Effect.provide(stack())))

  it.effect("answers that are late, or were not asked for, are counted", () =>
    Effect.gen(function*() {
      const seen = yield* bareServer((message) =>
        message._tag === "Interrupt"
          ? [{ _tag: "Success", id: 1, call: "twice", value: 2 }, { _tag: "Success", id: 9, call: "twice", value: 2 }]
          : message.call === "ping"
          ? [{ _tag: "Success", id: message.id, call: "ping", value: null }]
          : []
      )
      const files = yield* connecting()
      const calling = yield* Effect.forkChild(Effect.exit(files.call.twice(1, { within: "1 second" })))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(calling)
      yield* files.call.ping()
      assert.deepStrictEqual(files.counts, { waiting: 0, late: 1, unasked: 1 })
      assert.deepStrictEqual(seen[1], { _tag: "Interrupt", id: 1 })
    }).pipe(Effect.provide(stack())))
})

it.effect("the scope of a handler is that of the connection", () =>
  Effect.gen(function*() {
    const ends: Array<string> = []
    const closed = yield* Deferred.make<void>()
    const listener = yield* Files.listen("memory:files")
    yield* Effect.forkScoped(listener.run({
      ...server,
      ping: () =>
        Effect.addFinalizer(() =>
          Effect.andThen(Effect.sync(() => void ends.push("closed")), Deferred.succeed(closed, undefined))
        )
    }))
    const files = yield* connecting()
    yield* files.call.ping()
    ends.push("answered")
    yield* files.abort
    yield* Deferred.await(closed)
    assert.deepStrictEqual(ends, ["answered", "closed"])
  }).pipe(Effect.provide(stack())))

describe("what a handler does wrong", () => {
  it.effect("is reported, and the peer is told nothing of it", () =>
    Effect.gen(function*() {
      const defects: Array<string> = []
      yield* serving(
        { ping: () => Effect.die("secret"), twice: () => Effect.succeed(0.5), read: () => Effect.interrupt },
        { onDefect: (call, cause) => Effect.sync(() => void defects.push(`${call}: ${Cause.pretty(cause)}`)) }
      )
      const files = yield* connecting()
      const fails = (calling: Effect.Effect<unknown, unknown>) => Effect.map(Effect.exit(calling), failureOf)
      for (
        const [call, calling] of [
          ["ping", files.call.ping()],
          ["twice", files.call.twice(1)],
          ["read", files.call.read("a")]
        ] as const
      ) {
        const failure = yield* fails(calling)
        assert.deepInclude(failure, { layer: "files.v1", tag: "PeerFailed" })
        assert.deepEqual({ ...failure?.reason }, { _tag: "PeerFailed", call })
      }
      assert.strictEqual(defects.length, 3)
      assert.include(defects[0], "ping: ")
      assert.include(defects[0], "secret")
    }).pipe(Effect.provide(stack())))

  it.effect("does not end notifications", () =>
    Effect.gen(function*() {
      const defects: Array<string> = []
      const second = yield* Deferred.make<string>()
      yield* serving({
        ping: (_, peer) => Effect.orDie(Effect.andThen(peer.call.changed("die"), peer.call.changed("b")))
      })
      const files = yield* connecting({
        changed: (text) => text === "die" ? Effect.die(text) : Deferred.succeed(second, text)
      }, { onDefect: (call) => Effect.sync(() => void defects.push(call)) })
      yield* files.call.ping()
      assert.strictEqual(yield* Deferred.await(second), "b")
      assert.deepStrictEqual(defects, ["changed"])
    }).pipe(Effect.provide(stack())))
})

describe("bounds", () => {
  it.effect("calls beyond those that are handled are refused", () =>
    Effect.gen(function*() {
      yield* serving({ read: () => Effect.never }, { maxHandled: 2 })
      const files = yield* connecting()
      for (let n = 0; n < 2; n++) yield* Effect.forkScoped(files.call.read("a"), { startImmediately: true })
      const refused = failureOf(yield* Effect.exit(files.call.ping()))
      assert.deepInclude(refused, { layer: "files.v1", tag: "Busy" })
      assert.deepEqual({ ...refused?.reason }, { _tag: "Busy", call: "ping" })
    }).pipe(Effect.provide(stack())))

  it.effect("a peer that goes on with calls, and reads no refusals, is cut off", () =>
    Effect.gen(function*() {
      const failed = yield* Deferred.make<Cause.Cause<unknown>>()
      const listener = yield* Files.listen("memory:files")
      yield* Effect.forkScoped(listener.run({ ...server, read: () => Effect.never }, {
        maxHandled: 2,
        onIncident: (incident) =>
          incident._tag === "HandlerFailed" ? Deferred.succeed(failed, incident.cause) : Effect.void
      }))
      const peer = yield* bareClient
      const calls = Array.from(
        { length: 10_000 },
        (_, n) => ({ _tag: "Request", id: n + 1, call: "read", payload: "a" })
      )
      yield* Effect.forkScoped(Effect.ignore(peer.sendAll(say(...calls))))
      const cause = yield* Deferred.await(failed)
      assert.deepInclude(failureOf(Exit.failCause(cause)), { layer: "files.v1", tag: "TooLarge" })
    }).pipe(Effect.provide(stack())))
})

describe("a peer that breaks the rules", () => {
  it.effect("with one id for two calls is cut off", () =>
    Effect.gen(function*() {
      const failed = yield* Deferred.make<Cause.Cause<unknown>>()
      const listener = yield* Files.listen("memory:files")
      yield* Effect.forkScoped(listener.run({ ...server, read: () => Effect.never }, {
        onIncident: (incident) =>
          incident._tag === "HandlerFailed" ? Deferred.succeed(failed, incident.cause) : Effect.void
      }))
      const peer = yield* bareClient
      const read = { _tag: "Request", id: 7, call: "read", payload: "a" }
      yield* peer.sendAll(say(read, { _tag: "Interrupt", id: 3 }, read))
      const failure = failureOf(Exit.failCause(yield* Deferred.await(failed)))
      assert.deepInclude(failure, { layer: "files.v1", tag: "Violation" })
      assert.deepInclude(failure?.reason, { rule: "there is a call 7 already" })
    }).pipe(Effect.provide(stack())))

  it.effect("with an answer to another call fails all calls, also later ones", () =>
    Effect.gen(function*() {
      yield* bareServer(({ id }) => [{ _tag: "Success", id, call: "ping", value: null }])
      const files = yield* connecting()
      for (let n = 0; n < 2; n++) {
        assert.deepInclude(failureOf(yield* Effect.exit(files.call.twice(1))), { layer: "files.v1", tag: "Violation" })
      }
      assert.isFalse((yield* files.closed).clean)
    }).pipe(Effect.provide(stack())))

  it.effect("with a call that is not in the definition ends the connection", () =>
    Effect.gen(function*() {
      yield* bareServer(() => [{ _tag: "Request", id: 1, call: "delete", payload: "a" }])
      const files = yield* connecting()
      assert.deepInclude(failureOf(yield* Effect.exit(files.call.ping())), { layer: "files.v1", tag: "Undecodable" })
    }).pipe(Effect.provide(stack())))
})

describe("the end", () => {
  it.effect("calls in flight fail with the reason of the connection", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      yield* serving({ read: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never) })
      const files = yield* connecting()
      const calling = yield* Effect.forkChild(Effect.exit(files.call.read("a")))
      yield* Deferred.await(begun)
      yield* files.abort
      assert.deepInclude(failureOf(yield* Fiber.join(calling)), { tag: "Aborted" })
      assert.deepInclude(failureOf(yield* Effect.exit(files.call.ping())), { tag: "Aborted" })
    }).pipe(Effect.provide(stack())))

  it.effect("calls in flight fail when our scope closes, and handlers of the peer are interrupted", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      yield* serving({
        read: () =>
          Effect.andThen(
            Deferred.succeed(begun, undefined),
            Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
          )
      })
      const scope = yield* Scope.make()
      const files = yield* Scope.provide(connecting(), scope)
      const calling = yield* Effect.forkChild(Effect.exit(files.call.read("a")))
      yield* Deferred.await(begun)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      assert.deepInclude(failureOf(yield* Fiber.join(calling)), { tag: "Closing" })
      yield* TestClock.adjust("10 seconds")
      yield* Deferred.await(interrupted)
      yield* Fiber.join(closing)
    }).pipe(Effect.provide(stack())))

  it.effect("a session ends when its peer does", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.provide(serving(), scope)
      const files = yield* connecting()
      yield* files.call.ping()
      const draining = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      assert.deepInclude(yield* files.closed, { clean: true, first: "remote" })
      yield* Fiber.join(draining)
    }).pipe(Effect.provide(stack())))

  describe("notifications that came before are handled", () => {
    class Notes extends Requests.Service<Notes>()("notes.v1", {
      client: { note: Requests.notification(Schema.Int) }
    }) {}
    type Handling = (handlers: {
      readonly note: (n: number) => Effect.Effect<void>
    }) => Effect.Effect<unknown, unknown, Scope.Scope | Transport.At<Notes, Transport.Listen>>
    const servers: ReadonlyArray<readonly [string, Handling]> = [
      [
        "by a listener",
        (handlers) => Effect.flatMap(Notes.listen("memory:notes"), (listener) => listener.run(handlers))
      ],
      [
        "by who waits for the session",
        (handlers) =>
          Effect.flatMap(
            Transport.listen(Notes)("memory:notes"),
            (listener) =>
              listener.run((line) =>
                Effect.flatMap(Requests.asServer(Notes)(line, handlers), ({ closed }) => Effect.asVoid(closed))
              )
          )
      ]
    ]
    for (const [how, handling] of servers) {
      for (const end of ["a goodbye", "a cut"]) {
        it.effect(`${how}, after ${end}`, () =>
          Effect.gen(function*() {
            const seen: Array<number> = []
            const note = (n: number) => Effect.delay(Effect.sync(() => void seen.push(n)), "1 second")
            yield* Effect.forkScoped(handling({ note }))
            yield* Effect.yieldNow
            const scope = yield* Scope.make()
            const notes = yield* Scope.provide(Notes.connect()("memory:notes", {}), scope)
            for (const n of [1, 2, 3]) yield* notes.call.note(n)
            yield* turns
            if (end === "a cut") yield* notes.abort
            const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
            yield* TestClock.adjust("3 seconds")
            assert.deepStrictEqual(seen, [1, 2, 3])
            yield* Fiber.join(closing)
          }).pipe(Effect.provide(Notes.over(Codec.json())(MemoryTransport.layerMessages()))))
      }
    }
  })

  it.effect("a peer that has only ended its input still gets its answers", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      yield* serving({ twice: (n) => Effect.as(Deferred.await(go), n * 2) })
      const peer = yield* bareClient
      yield* peer.send(JSON.stringify({ _tag: "Request", id: 1, call: "twice", payload: 2 }))
      yield* peer.end
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(JSON.parse(String((yield* peer.pull)[0])), {
        _tag: "Success",
        id: 1,
        call: "twice",
        value: 4
      })
    }).pipe(Effect.provide(stack())))

  const draining = (twice: (go: Deferred.Deferred<void>) => Effect.Effect<number>) =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const ends: Array<string> = []
      const scope = yield* Scope.make()
      const listener = yield* Scope.provide(
        serving({
          twice: () =>
            Effect.andThen(
              Deferred.succeed(begun, undefined),
              Effect.onExit(twice(go), (exit) => Effect.sync(() => void ends.push(exit._tag)))
            )
        }),
        scope
      )
      const here = yield* Scope.make()
      const files = yield* Scope.provide(connecting(), here)
      const calling = yield* Effect.forkChild(Effect.exit(files.call.twice(1)))
      yield* Deferred.await(begun)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      assert.deepInclude(failureOf(yield* Fiber.join(calling)), { tag: "Closed" })
      yield* Scope.close(here, Exit.void)
      return { listener, go, ends, closing }
    })

  it.effect("a drain lets handlers end", () =>
    Effect.gen(function*() {
      const { closing, ends, go, listener } = yield* draining((go) => Effect.as(Deferred.await(go), 2))
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(closing)
      assert.deepStrictEqual(ends, ["Success"])
      assert.deepInclude(yield* listener.drained, { ended: 1, interrupted: 0 })
    }).pipe(Effect.provide(stack())))

  it.effect("a drain interrupts handlers that are late", () =>
    Effect.gen(function*() {
      const { closing, ends, listener } = yield* draining(() => Effect.never)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(ends, ["Failure"])
      assert.deepInclude(yield* listener.drained, { ended: 0, interrupted: 1 })
    }).pipe(Effect.provide(stack())))
})

it("the envelope is a Schema", () => {
  const decode = Schema.decodeUnknownOption(Files.client)
  assert.isTrue(Option.isSome(decode({ _tag: "Request", id: 1, call: "read", payload: "a" })))
  assert.isTrue(Option.isNone(decode({ _tag: "Request", id: 0, call: "read", payload: "a" })))
  assert.isTrue(Option.isNone(decode({ _tag: "Request", id: 1, call: "read", payload: 1 })))
  assert.isTrue(Option.isSome(decode({ _tag: "Success", id: 1, call: "name", value: "me" })))
  assert.isTrue(Option.isNone(decode({ _tag: "Success", id: 1, call: "read", value: "me" })))
})
