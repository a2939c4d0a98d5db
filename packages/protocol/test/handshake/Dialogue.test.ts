/** Handshakes of one's own: what a layer may do before it is ready, and what becomes of it then. */
import { assert, describe, it } from "@effect/vitest"
import {
  Connection,
  DataTransferReport,
  Dialogue,
  type Framer,
  LengthPrefixed,
  Lines,
  MemoryTransport,
  Protocol,
  Transport
} from "@wirestack/protocol"
import type { ConnectError, ConnectReason } from "@wirestack/protocol/ConnectError"
import { bytewise, rechunk, withoutLeaks } from "@wirestack/protocol/testing"
import { Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { text, utf8 } from "../support/bytes.ts"
import { failureOf } from "../support/failure.ts"
import { turns } from "../support/turns.ts"

class User extends Context.Service<User, string>()("test/User") {}

/** A login by name and password, which tells who it is. */
const login = (password = "secret") =>
  Dialogue.over<User>({
    layer: "login",
    name: "a login",
    maxLines: 2,
    maxLineSize: 32,
    client: Effect.fnUntraced(function*(dialogue) {
      yield* dialogue.expect("ready ")
      yield* dialogue.say(`ada\r\n${password}\r\n`)
      if ((yield* dialogue.line) !== "welcome") return yield* dialogue.deny("the password is wrong")
      return Context.make(User, "ada")
    }),
    server: Effect.fnUntraced(function*(dialogue) {
      yield* dialogue.say("ready ")
      const user = yield* dialogue.line
      if ((yield* dialogue.line) === "secret") {
        yield* dialogue.say("welcome\r\n")
        return Context.make(User, user)
      }
      yield* dialogue.say("go away\r\n")
      return yield* dialogue.deny(`${user} does not know the password`)
    })
  })

/** Serves who connects, and tells what became of handshakes that failed. */
const serving = <S, CIn, COut, SIn, SOut, D = never>(
  shape: Transport.Shape<S, CIn, COut, SIn, SOut>,
  handler: (connection: Connection.Connection<SIn, SOut, D>) => Effect.Effect<void, unknown>
) =>
  Effect.gen(function*() {
    const failed = yield* Deferred.make<ConnectError>()
    const listener = yield* Transport.listen(shape)<D>("memory:server")
    yield* Effect.forkScoped(
      listener.run(handler, {
        onIncident: (incident) =>
          incident._tag === "HandshakeFailed" ? Deferred.succeed(failed, incident.error) : Effect.void
      })
    )
    return { failed: Deferred.await(failed) }
  })

/** The bare server of a connection, to play one that talks as it likes. */
const bareServer = (lower: Context.Context<any>) =>
  Effect.gen(function*() {
    const accepted = yield* Deferred.make<Connection.Connection<Uint8Array, Uint8Array>>()
    const listener = yield* Transport.listen(Transport.Bytes)("memory:server")
    yield* Effect.forkScoped(
      listener.run((bare) => Effect.andThen(Deferred.succeed(accepted, bare), bare.closed))
    )
    return { accepted: Deferred.await(accepted) }
  }).pipe(Effect.provideContext(lower))

const connect = Transport.connect(Transport.Bytes)

describe("a handshake", () => {
  for (const [how, chunks] of [["whole", undefined], ["byte by byte", bytewise]] as const) {
    it.effect(`tells who it is with, and hands up what came behind it: ${how}`, () => {
      const bytes = MemoryTransport.layer()
      const stack = login()(chunks === undefined ? bytes : rechunk(() => chunks)(bytes))
      return Effect.gen(function*() {
        yield* serving(Transport.Bytes, (peer: Connection.Connection<Uint8Array, Uint8Array, User>) =>
          Effect.andThen(
            peer.send(utf8(`hello ${Connection.detail(peer, User)}`)),
            Stream.runForEach(Connection.messages(peer), peer.send)
          ))
        const connection = yield* connect<User>("memory:server")
        assert.strictEqual(Connection.detail(connection, User), "ada")
        yield* connection.send(utf8(", and more"))
        yield* connection.end
        const received = yield* Stream.runCollect(Connection.messages(connection))
        assert.strictEqual(text(Buffer.concat(received)), "hello ada, and more")
      }).pipe(Effect.scoped, Effect.provide(stack))
    })
  }

  it.effect("does not lose an end that comes with its last words", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Uint8Array>()
      const [peer, connection] = [yield* Connection.make(far), yield* Connection.make(near)]
      const dialogue = new Dialogue.Dialogue(connection, { layer: "test" })
      const resumed = yield* Effect.forkChild(Effect.andThen(dialogue.expect("last"), dialogue.resume()))
      yield* turns
      far.write(utf8("last"))
      yield* peer.end
      assert.lengthOf(yield* Stream.runCollect(Connection.messages(yield* Fiber.join(resumed))), 0)
      yield* connection.abort
    }).pipe(Effect.scoped))

  it.effect("has no part in the connection once it is over", () =>
    Effect.gen(function*() {
      yield* serving(Transport.Bytes, (peer) => Stream.runForEach(Connection.messages(peer), peer.send))
      const connection = yield* connect("memory:server")
      const { layers } = yield* DataTransferReport.of(connection)
      assert.deepStrictEqual(layers.map(({ layer }) => layer), ["memory"])
    }).pipe(Effect.scoped, Effect.provide(login()(MemoryTransport.layer()))))

  it.effect("holds back what is above it until it is over", () =>
    Effect.gen(function*() {
      const lower = yield* Layer.build(MemoryTransport.layer())
      const { accepted } = yield* bareServer(lower)
      const connecting = yield* Effect.forkChild(
        Effect.provide(connect("memory:server"), login()(Layer.succeedContext(lower)))
      )
      const bare = yield* accepted
      yield* bare.send(utf8("ready wel"))
      yield* turns
      assert.strictEqual(text(Buffer.concat(yield* bare.pull)), "ada\r\nsecret\r\n")
      assert.isUndefined(connecting.pollUnsafe())
      yield* bare.send(utf8("come\r\nfirst words"))
      const connection = yield* Fiber.join(connecting)
      assert.strictEqual(text(Buffer.concat(yield* connection.pull)), "first words")
      yield* bare.abort
    }).pipe(Effect.scoped))

  it.effect("that is refused tells both sides why, and leaves nothing", () =>
    withoutLeaks(
      Effect.gen(function*() {
        const { failed } = yield* serving(Transport.Bytes, () => Effect.die("it was not refused"))
        const denied = failureOf(yield* Effect.exit(Effect.scoped(connect("memory:server"))))
        assert.deepInclude(denied?.reason, { _tag: "Denied", detail: "the password is wrong" })
        const { layer, reason } = yield* failed
        assert.deepStrictEqual([layer, reason.message], ["login", "ada does not know the password"])
      }).pipe(Effect.scoped, Effect.provide(login("guess")(MemoryTransport.layer())))
    ))
})

describe("a peer that says something else", () => {
  const cases: ReadonlyArray<readonly [name: string, said: string, end: boolean, tag: ConnectReason["_tag"]]> = [
    ["breaks a rule, at the first byte that tells", "rea!", false, "Violation"],
    ["ends in the middle", "ready wel", true, "Truncated"],
    ["ends before anything", "", true, "Truncated"],
    ["says too long a line", `ready ${"x".repeat(40)}`, false, "TooLarge"],
    ["says no", "ready no\r\n", false, "Denied"],
    ["says nothing more", "ready ", false, "TimedOut"]
  ]
  for (const [name, said, end, tag] of cases) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const lower = yield* Layer.build(MemoryTransport.layer())
        const { accepted } = yield* bareServer(lower)
        const connecting = yield* Effect.forkChild(
          Effect.exit(
            Effect.scoped(Effect.provide(connect("memory:server"), login()(Layer.succeedContext(lower))))
          )
        )
        const bare = yield* accepted
        if (said !== "") yield* bare.send(utf8(said))
        if (end) yield* bare.end
        if (tag === "TimedOut") yield* TestClock.adjust("10 seconds")
        assert.deepInclude(failureOf(yield* Fiber.join(connecting)), { layer: "login", tag })
        yield* bare.abort
      }).pipe(Effect.scoped))
  }

  it.effect("says too many lines", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Uint8Array>()
      const [peer, connection] = [yield* Connection.make(far), yield* Connection.make(near)]
      yield* peer.send(utf8("1\r\n2\r\n3\r\n"))
      const dialogue = new Dialogue.Dialogue(connection, { layer: "test", maxLines: 2 })
      assert.deepStrictEqual([yield* dialogue.line, yield* dialogue.line], ["1", "2"])
      assert.deepInclude(failureOf(yield* Effect.exit(dialogue.line)), { layer: "test", tag: "TooLarge" })
      yield* connection.abort
    }).pipe(Effect.scoped))
})

describe("a framer that is chosen in band", () => {
  const framers: Record<"lines" | "prefixed", Framer.Framer> = { lines: Lines.make(), prefixed: LengthPrefixed.make() }

  /** The server says which framer is put on the connection. */
  const choosing = (choice: keyof typeof framers) =>
    Protocol.make(Transport.Bytes, Transport.Messages, {
      layer: "choosing",
      client: Effect.fnUntraced(function*(lower) {
        const dialogue = new Dialogue.Dialogue(lower, { layer: "choosing" })
        const name = yield* dialogue.line
        if (name !== "lines" && name !== "prefixed") return yield* dialogue.violation("the server names a framer")
        return yield* dialogue.fuse(framers[name].machine())
      }),
      server: Effect.fnUntraced(function*(lower) {
        const dialogue = new Dialogue.Dialogue(lower, { layer: "choosing" })
        yield* dialogue.say(`${choice}\r\n`)
        return yield* dialogue.fuse(framers[choice].machine())
      })
    })

  for (const choice of ["lines", "prefixed"] as const) {
    it.effect(`the server's choice is put on at once: ${choice}`, () =>
      Effect.gen(function*() {
        yield* serving(Transport.Messages, (peer) =>
          Effect.andThen(peer.send("at once"), Stream.runForEach(Connection.messages(peer), peer.send)))
        const connection = yield* Transport.connect(Transport.Messages)("memory:server")
        yield* connection.send("echo")
        yield* connection.end
        const received = yield* Stream.runCollect(Connection.messages(connection))
        const expected: ReadonlyArray<Transport.Message> = choice === "lines"
          ? ["at once", "echo"] :
          [utf8("at once"), utf8("echo")]
        assert.deepStrictEqual(
          received.map((message) =>
            typeof message === "string" ? message : Uint8Array.from(message)
          ),
          expected
        )
      }).pipe(Effect.scoped, Effect.provide(choosing(choice)(MemoryTransport.layer()))))
  }
})

describe("a handshake in messages", () => {
  /** Says a name, and is told whether it is known; the server says its welcome in as many messages as it likes. */
  const naming = (maxMessages = 3) =>
    Dialogue.within(Transport.Messages)<User>({
      layer: "naming",
      name: "a naming",
      maxMessages,
      client: Effect.fnUntraced(function*(dialogue) {
        yield* dialogue.say("ada")
        for (;;) {
          const said = yield* dialogue.next
          if (said === "no") return yield* dialogue.deny("nobody knows ada")
          if (said === "yes") return Context.make(User, "ada")
        }
      })
    })

  const facing = (maxMessages?: number) =>
    Effect.gen(function*() {
      const below = yield* Layer.build(MemoryTransport.layerMessages())
      const listener = yield* Effect.provideContext(Transport.listen(Transport.Messages)("memory:naming"), below)
      const accepted = yield* Deferred.make<Connection.Connection<Transport.Message, Transport.Message>>()
      yield* Effect.forkScoped(listener.run((bare) => Effect.andThen(Deferred.succeed(accepted, bare), bare.closed)))
      const connecting = Transport.connect(Transport.Messages)<User>("memory:naming").pipe(
        Effect.provide(naming(maxMessages)(Layer.succeedContext(below)))
      )
      const client = yield* Effect.forkChild(connecting)
      const bare = yield* Deferred.await(accepted)
      yield* Effect.addFinalizer(() => bare.abort)
      assert.deepStrictEqual(yield* bare.pull, ["ada"])
      return { bare, client }
    })

  it.effect("is had by both sides", () => {
    const both = Dialogue.within(Transport.Messages)<User>({
      layer: "naming",
      client: (dialogue) => Effect.as(dialogue.say("ada"), Context.make(User, "ada")),
      server: (dialogue) => Effect.map(dialogue.next, (name) => Context.make(User, String(name)))
    })
    return Effect.gen(function*() {
      yield* serving(
        Transport.Messages,
        (peer: Connection.Connection<Transport.Message, Transport.Message, User>) =>
          peer.send(`hello ${Connection.detail(peer, User)}`)
      )
      const connection = yield* Transport.connect(Transport.Messages)<User>("memory:server")
      assert.deepStrictEqual(yield* connection.pull, ["hello ada"])
    }).pipe(Effect.scoped, Effect.provide(both(MemoryTransport.layerMessages())))
  })

  it.effect("tells who it is with, and hands up what came behind it", () =>
    Effect.gen(function*() {
      const { bare, client } = yield* facing()
      yield* bare.sendAll(["wait", "yes", "hello"])
      const connection = yield* Fiber.join(client)
      yield* Effect.addFinalizer(() => connection.abort)
      assert.strictEqual(Connection.detail(connection, User), "ada")
      assert.deepStrictEqual(yield* connection.pull, ["hello"])
      yield* bare.send("more")
      assert.deepStrictEqual(yield* connection.pull, ["more"])
    }).pipe(Effect.scoped))

  for (
    const [tag, play] of [
      ["Denied", (bare) => bare.send("no")],
      ["TooLarge", (bare) => bare.sendAll(["wait", "wait", "wait", "yes"])],
      ["Truncated", (bare) => bare.end],
      ["TimedOut", () => Effect.andThen(turns, TestClock.adjust("10 seconds"))]
    ] as ReadonlyArray<
      readonly [string, (bare: Connection.Connection<Transport.Message, Transport.Message>) => Effect.Effect<void, any>]
    >
  ) {
    it.effect(`fails with ${tag}`, () =>
      Effect.gen(function*() {
        const { bare, client } = yield* facing()
        yield* play(bare)
        const { layer, reason } = yield* Effect.flip(Fiber.join(client))
        assert.deepStrictEqual([layer, reason._tag], ["naming", tag])
      }).pipe(Effect.scoped))
  }
})
