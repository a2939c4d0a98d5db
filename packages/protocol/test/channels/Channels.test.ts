import { assert, describe, it } from "@effect/vitest"
import {
  Ask,
  Channels,
  Codec,
  Connection,
  Endpoint,
  MemoryTransport,
  Protocol,
  Subprotocol,
  Transport
} from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { Effect, Exit, Fiber, Layer, Option, Queue, Result, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Frame from "../../src/internal/channels/Frame.ts"
import { Chats, ChatV1 } from "../support/chat.ts"
import { failureOf } from "../support/failure.ts"
import { turns } from "../support/turns.ts"

describe("a channel keeps the rules of a transport", () => {
  const suite = transportSuite({
    shape: Transport.Messages,
    layer: () => MemoryTransport.layerMessages().pipe(Channels.over()),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.messages({ text: true }),
    capabilities: { halfClose: true, statuses: "channels carry no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

type Message = Transport.Message

/** Both ends of a connection with channels, in scopes of their own. */
const sessions = (options?: Channels.Options, ofServer = options) =>
  Effect.gen(function*() {
    const [near, far] = MemoryTransport.pair<Message>()
    const here = yield* Scope.fork(yield* Effect.scope)
    const there = yield* Scope.fork(yield* Effect.scope)
    const lower = yield* Scope.provide(Connection.make(near), here)
    const client = yield* Scope.provide(Channels.client(lower, options), here)
    const server = yield* Scope.provide(
      Effect.flatMap(Connection.make(far), (lower) => Channels.server(lower, ofServer)),
      there
    )
    const close = (scope: Scope.Closeable) => Effect.forkScoped(Scope.close(scope, Exit.void))
    return { client, server, closeClient: close(here), closeServer: close(there) }
  })

type Sessions = Effect.Success<ReturnType<typeof sessions>>

/** Runs with both ends, and cuts the connection before the scopes of the channels close: then nobody waits for a peer. */
const between = <E>(
  run: (both: Sessions) => Effect.Effect<void, E, Scope.Scope>,
  ...options: Parameters<typeof sessions>
) =>
  Effect.scoped(
    Effect.flatMap(
      sessions(...options),
      (both) => Effect.ensuring(run(both), Effect.andThen(both.client.abort, both.server.abort))
    )
  )

/** Accepts channels, and gives them one after the other. */
const accepting = (session: Channels.Session, options?: Channels.ListenOptions) =>
  Effect.gen(function*() {
    const accepted = yield* Queue.unbounded<Channels.ChannelConnection>()
    const listener = yield* session.listen(options)
    yield* Effect.forkScoped(
      listener.run(
        (channel) => Effect.andThen(Queue.offer(accepted, channel), channel.closed),
        { onIncident: () => Effect.void }
      ),
      { startImmediately: true }
    )
    return { next: Queue.take(accepted) }
  })

/** Answers with what it receives. */
const echo = (channel: Connection.Connection<Message, Message>) =>
  Effect.forever(Effect.flatMap(channel.pull, channel.sendAll))

describe("a session", () => {
  it.effect("serves the channels of the peer until the connection is over, and they are handled", () =>
    between(Effect.fnUntraced(function*({ client, closeClient, server }) {
      const speak = Subprotocol.asServer(ChatV1, Codec.json())
      const said: Array<string> = []
      const serving = yield* Effect.forkChild(
        server.serve(
          Effect.fnUntraced(function*(channel) {
            const peer = yield* speak(channel)
            for (const { text } of yield* peer.pull) said.push(text)
            yield* Effect.exit(peer.pull)
            said.push("gone")
          }),
          { onIncident: () => Effect.void }
        ),
        { startImmediately: true }
      )
      const channel = yield* Effect.flatMap(client.open(), Subprotocol.asClient(ChatV1, Codec.json()))
      yield* channel.send({ _tag: "Said", text: "hello" })
      yield* turns
      assert.deepStrictEqual(said, ["hello"])
      yield* closeClient
      yield* Fiber.join(serving)
      assert.deepStrictEqual(said, ["hello", "gone"])
    })))

  it.effect("a session is over when its peer only ends", () =>
    Effect.scoped(Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const bare = yield* Connection.make(far)
      const server = yield* Effect.flatMap(Connection.make(near), (lower) => Channels.server(lower))
      yield* bare.end
      yield* server.serve(() => Effect.void)
      assert.deepInclude(yield* server.closed, { first: "remote", clean: false, endOfInput: "announced" })
    })))

  it.effect("both sides open channels, which say what they are for", () =>
    between(Effect.fnUntraced(function*({ client, server }) {
      const atServer = yield* accepting(server)
      const atClient = yield* accepting(client)
      const up = yield* client.open({ label: "up" })
      const down = yield* server.open({ label: "down" })
      const [server1, client1] = [yield* atServer.next, yield* atClient.next]
      yield* up.sendAll(["a", Uint8Array.of(1)])
      assert.deepStrictEqual(yield* server1.pull, ["a", Uint8Array.of(1)])
      yield* down.send("b")
      assert.deepStrictEqual(yield* client1.pull, ["b"])
      const about = (channel: Channels.ChannelConnection) => Connection.detail(channel, Channels.Channel)
      assert.deepStrictEqual(about(up), { id: 1, openedBy: "us", label: "up" })
      assert.deepStrictEqual(about(server1), { id: 1, openedBy: "peer", label: "up" })
      assert.deepStrictEqual(about(client1), { id: 2, openedBy: "peer", label: "down" })
      assert.strictEqual(client.size, 2)
    })))

  it.effect("a reader that stands still holds up its own channel only", () =>
    between(
      Effect.fnUntraced(function*({ client, server }) {
        const accepted = yield* accepting(server)
        const [slow, quick] = [yield* client.open(), yield* client.open()]
        const [slowly, quickly] = [yield* accepted.next, yield* accepted.next]
        const sent = { slow: 0 }
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(
          slow.send(new Uint8Array(1_000)),
          Effect.sync(() => void sent.slow++)
        )))
        for (let n = 0; n < 200; n++) {
          yield* quick.send(String(n))
          assert.deepStrictEqual(yield* quickly.pull, [String(n)])
        }
        // What the reader has ahead, its window, and what the sender has ahead.
        assert.isAtMost(sent.slow, (65_536 + 4_096 + 65_536) / 1_000 + 3)
        const before = sent.slow
        for (let n = 0; n < 20; n++) yield* slowly.pull
        assert.isAbove(sent.slow, before)
      }),
      { window: 4_096 }
    ))

  it.effect("a large message is between others, and arrives whole, as text or bytes", () =>
    between(Effect.fnUntraced(function*({ client, server }) {
      const accepted = yield* accepting(server)
      const [large, small] = [yield* client.open(), yield* client.open()]
      const [atLarge, atSmall] = [yield* accepted.next, yield* accepted.next]
      const text = "é".repeat(500_000)
      yield* Effect.forkScoped(large.sendAll([text, new Uint8Array(1_000_000).fill(7)]), { startImmediately: true })
      yield* small.send("small")
      const pulling = yield* Effect.forkChild(atLarge.pull, { startImmediately: true })
      assert.deepStrictEqual(yield* atSmall.pull, ["small"])
      assert.isUndefined(pulling.pollUnsafe())
      assert.isTrue((yield* Fiber.join(pulling))[0] === text)
      const [bytes] = yield* atLarge.pull
      assert.isTrue(bytes instanceof Uint8Array && bytes.length === 1_000_000 && bytes.every((byte) => byte === 7))
    })))

  it.effect("a channel ends by halves, or is reset, and the others go on", () =>
    between(Effect.fnUntraced(function*({ client, server }) {
      const accepted = yield* accepting(server)
      const [half, cut, other] = [yield* client.open(), yield* client.open(), yield* client.open()]
      const [atHalf, atCut, atOther] = [yield* accepted.next, yield* accepted.next, yield* accepted.next]
      yield* half.send("last")
      yield* half.end
      assert.deepStrictEqual(yield* atHalf.pull, ["last"])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(atHalf.pull)))
      yield* atHalf.send("answer")
      assert.deepStrictEqual(yield* half.pull, ["answer"])
      yield* atCut.abort
      assert.deepInclude(failureOf(yield* Effect.exit(cut.pull)), { layer: "channel", tag: "Reset" })
      yield* other.send("x")
      assert.deepStrictEqual(yield* atOther.pull, ["x"])
    })))

  it.effect("is listened to in time by who does so at once, also for what was opened before", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const client = yield* Effect.flatMap(Connection.make(near), (lower) => Channels.client(lower))
      const lower = yield* Connection.make(far)
      const opening = yield* Effect.forkChild(client.open({ label: "early" }), { startImmediately: true })
      yield* turns
      const server = yield* Channels.server(lower)
      const accepted = yield* accepting(server)
      yield* Fiber.join(opening)
      assert.strictEqual(Connection.detail(yield* accepted.next, Channels.Channel).label, "early")
      yield* client.abort
    }).pipe(Effect.scoped))

  it.effect("a peer that opens many more channels at once than we take has its fill", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const server = yield* Effect.flatMap(Connection.make(near), (lower) => Channels.server(lower))
      yield* accepting(server)
      const peer = yield* Connection.make(far)
      const opens = Array.from({ length: 1_000 }, (_, n) => Frame.open(2 * n + 1, 1_000, [], ""))
      yield* peer.sendAll(opens as [Uint8Array, ...Array<Uint8Array>])
      const answers: Array<number> = []
      while (answers.length < 1_000) {
        answers.push(...(yield* peer.pull).map((bytes) => Frame.read(bytes as Uint8Array).type))
      }
      assert.strictEqual(answers.filter((type) => type === Frame.Type.Accept).length, 256)
      assert.strictEqual(server.size, 256)
      yield* peer.abort
    }).pipe(Effect.scoped))

  it.effect("what is sent after a reset fails, also before the reader has come to it", () =>
    between(Effect.fnUntraced(function*({ client, server }) {
      const accepted = yield* accepting(server)
      const channel = yield* client.open()
      const peer = yield* accepted.next
      const unread = new Uint8Array(70_000)
      yield* peer.sendAll([unread, unread])
      yield* turns
      yield* peer.abort
      yield* turns
      const sending = yield* Effect.forkChild(Effect.exit(channel.send("lost")), { startImmediately: true })
      let received = 0
      const end = yield* Effect.exit(Effect.forever(Effect.map(channel.pull, (batch) => received += batch.length)))
      assert.strictEqual(received, 2)
      assert.deepInclude(failureOf(end), { tag: "Reset" })
      assert.deepInclude(failureOf(yield* Fiber.join(sending)), { tag: "Reset" })
    })))

  it.effect("what a channel that we cut has received is told as undelivered, wherever it waits", () =>
    between(Effect.fnUntraced(function*({ client, server }) {
      const accepted = yield* accepting(server)
      const channel = yield* client.open()
      const peer = yield* accepted.next
      const unread = new Uint8Array(70_000)
      yield* peer.sendAll([unread, unread, unread])
      yield* turns
      yield* channel.abort
      assert.deepInclude(yield* channel.closed, { undelivered: 3, clean: false })
    })))

  it.effect("is listened to once, and refuses channels before and after", () =>
    between(Effect.fnUntraced(function*({ client, server }) {
      const refusal = Effect.map(Effect.exit(Effect.scoped(client.open())), failureOf)
      assert.deepInclude(yield* refusal, { layer: "channels", tag: "Refused" })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* accepting(server)
        const channel = yield* client.open()
        const again = yield* Effect.exit(server.listen())
        assert.strictEqual(String(failureOf(again)?.tag), "AddressInUse")
        yield* channel.abort
      }))
      assert.deepInclude(yield* refusal, { layer: "channels", tag: "Refused" })
      yield* accepting(server)
      yield* client.open()
    })))

  it.effect("the number of channels is bounded by both sides", () =>
    between(
      Effect.fnUntraced(function*({ client, server }) {
        yield* accepting(server)
        for (let n = 0; n < 2; n++) yield* client.open()
        assert.deepInclude(failureOf(yield* Effect.exit(client.open())), { layer: "channels", tag: "TooLarge" })
        assert.deepInclude(failureOf(yield* Effect.exit(server.open())), { layer: "channels", tag: "TooLarge" })
      }),
      { maxChannels: 2 }
    ))

  it.effect("a peer that wants no more channels refuses them", () =>
    between(
      Effect.fnUntraced(function*({ client, server }) {
        yield* accepting(server)
        yield* client.open({ closeWithin: "1 second" })
        const refused = failureOf(yield* Effect.exit(client.open()))
        assert.deepInclude(refused, { layer: "channels", tag: "Refused" })
        assert.deepInclude(refused?.reason, { cause: "there are too many channels" })
      }),
      {},
      { maxChannels: 1 }
    ))

  it.effect("opening a channel may be interrupted, and leaves none", () =>
    Effect.gen(function*() {
      const [near] = MemoryTransport.pair<Message>()
      const session = yield* Effect.flatMap(Connection.make(near), (lower) => Channels.client(lower))
      const opening = yield* Effect.forkChild(session.open(), { startImmediately: true })
      assert.strictEqual(session.size, 1)
      yield* Fiber.interrupt(opening)
      assert.strictEqual(session.size, 0)
      yield* session.abort
      assert.isDefined(failureOf(yield* Effect.exit(session.open())))
    }).pipe(Effect.scoped))

  it.effect("opening a channel takes no longer than it may", () =>
    Effect.gen(function*() {
      const [near] = MemoryTransport.pair<Message>()
      const session = yield* Effect.flatMap(Connection.make(near), (lower) => Channels.client(lower))
      const opening = yield* Effect.forkChild(Effect.exit(session.open()), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(failureOf(yield* Fiber.join(opening)), { layer: "channels", tag: "TimedOut" })
      assert.strictEqual(session.size, 0)
      const asked = yield* Effect.exit(session.open({ label: "x".repeat(2_000) }))
      assert.deepInclude(failureOf(asked), { layer: "channels", tag: "TooLarge" })
      yield* session.abort
    }).pipe(Effect.scoped))

  it.effect("offers of names are met, or the channel is refused", () =>
    between(Effect.fnUntraced(function*({ client, server }) {
      const accepted = yield* accepting(server, { offers: ["b", "c"] })
      const channel = yield* client.open({ offers: ["a", "c", "b"] })
      const name = (of: Channels.ChannelConnection) => Connection.detail(of, Ask.Negotiated).protocol
      assert.strictEqual(name(channel), "c")
      assert.strictEqual(name(yield* accepted.next), "c")
      assert.isUndefined(name(yield* client.open()))
      assert.deepInclude(failureOf(yield* Effect.exit(client.open({ offers: ["a"] }))), { tag: "Refused" })
    })))
})

describe("the end of the connection", () => {
  it.effect("ends its channels with its reason", () =>
    between(Effect.fnUntraced(function*({ client, server }) {
      const accepted = yield* accepting(server)
      const channel = yield* client.open()
      const peer = yield* accepted.next
      yield* client.abort
      assert.deepInclude(failureOf(yield* Effect.exit(channel.pull)), { tag: "Aborted" })
      assert.deepInclude(failureOf(yield* Effect.exit(peer.pull)), { layer: "memory", tag: "Reset" })
      assert.isDefined((yield* server.closed).error)
    })))

  it.effect("says goodbye when it is closed", () =>
    between(Effect.fnUntraced(function*({ client, closeClient, closeServer, server }) {
      const accepted = yield* accepting(server)
      const channel = yield* client.open()
      const peer = yield* accepted.next
      const closing = yield* closeClient
      assert.deepInclude(failureOf(yield* Effect.exit(channel.pull)), { tag: "Closing" })
      assert.deepInclude(failureOf(yield* Effect.exit(peer.pull)), { tag: "Closed" })
      const outcome = yield* server.closed
      assert.deepInclude(outcome, { clean: true, first: "remote", received: { code: 0, reason: "done" } })
      assert.deepInclude(failureOf(yield* Effect.exit(server.open())), { tag: "Closed" })
      yield* Fiber.join(yield* closeServer)
      yield* Fiber.join(closing)
    })))

  it.effect("comes of a peer that breaks the rules, and says so", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const session = yield* Effect.flatMap(Connection.make(near), (lower) => Channels.client(lower))
      const peer = yield* Connection.make(far)
      const opening = yield* Effect.forkChild(Effect.exit(session.open()))
      yield* peer.pull
      yield* peer.send("not a frame")
      const failure = failureOf(yield* Fiber.join(opening))
      assert.deepInclude(failure, { layer: "channels", tag: "Violation" })
      assert.deepInclude(failure?.reason, { rule: "a frame that is text" })
    }).pipe(Effect.scoped))
})

describe("channels on a stack", () => {
  /** How many connections are made below. */
  const counted = () => {
    const connections: Array<Connection.Connection<Message, Message>> = []
    const network = MemoryTransport.layerMessages()
    const counting = Layer.effect(
      Transport.Messages.key,
      Effect.map(Transport.Messages.key, (lower) => ({
        connect: (ask: Ask.Ask) =>
          Effect.tap(lower.connect(ask), (connection) => Effect.sync(() => void connections.push(connection))),
        listen: lower.listen
      }))
    ).pipe(Layer.provide(network)) as typeof network
    return { connections, layer: counting }
  }

  const here = Result.getOrThrow(Endpoint.make("memory:here"))

  const serving = Effect.gen(function*() {
    const listener = yield* Transport.listen(Transport.Messages)("memory:here")
    yield* Effect.forkScoped(listener.run(echo, { onIncident: () => Effect.void }))
  })

  const slow = Protocol.within(Transport.Messages)({
    layer: "slow",
    client: (lower) => Effect.as(turns, lower),
    server: (lower) => Effect.as(turns, lower)
  })

  it.effect("accept what was opened while the listener still shook hands", () => {
    return Effect.gen(function*() {
      yield* serving
      const channel = yield* Transport.connect(Transport.Messages)("memory:here")
      yield* channel.send("x")
      assert.deepStrictEqual(yield* channel.pull, ["x"])
    }).pipe(Effect.provide(MemoryTransport.layerMessages().pipe(slow, Channels.over())))
  })

  it.effect("share a connection, which closes with the last of them", () => {
    const { connections, layer } = counted()
    return Effect.gen(function*() {
      yield* serving
      const connect = Transport.connect(Transport.Messages)("memory:here")
      const first = yield* Scope.make()
      const one = yield* Scope.provide(connect, first)
      const second = yield* Scope.make()
      const two = yield* Scope.provide(connect, second)
      for (const channel of [one, two]) {
        yield* channel.send("x")
        assert.deepStrictEqual(yield* channel.pull, ["x"])
      }
      yield* Scope.close(first, Exit.void)
      assert.strictEqual(connections.length, 1)
      yield* two.send("y")
      assert.deepStrictEqual(yield* two.pull, ["y"])
      yield* Scope.close(second, Exit.void)
      assert.isTrue((yield* connections[0].closed).clean)
      yield* Effect.scoped(connect)
      assert.strictEqual(connections.length, 2)
    }).pipe(Effect.provide(Channels.over()(layer)))
  })

  it.effect("are not tried for ever with a peer that says goodbye at once", () => {
    const { connections, layer } = counted()
    return Effect.gen(function*() {
      const network = yield* Transport.Messages.key
      const listener = yield* network.listen({ endpoint: here, offers: [], demands: [] })
      yield* Effect.forkScoped(listener.run((connection) => connection.send(Frame.goodbye("done"))))
      const channels = yield* Layer.build(
        Channels.over()(slow(Layer.succeed(Transport.Messages.key, network) as typeof layer))
      )
      const connect = Effect.provide(Transport.connect(Transport.Messages)(here), channels)
      assert.deepInclude(failureOf(yield* Effect.exit(connect)), { layer: "channels", tag: "Closed" })
      assert.strictEqual(connections.length, 2)
    }).pipe(Effect.provide(layer))
  })

  it.effect("are on connections of their own for other credentials", () => {
    const { connections, layer } = counted()
    const as = (username: string) =>
      Transport.connect(Transport.Messages)({ ...here, credentials: { username, password: "secret" } })
    return Effect.gen(function*() {
      yield* serving
      for (const [username, count] of [["alice", 1], ["bob", 2], ["alice", 2]] as const) {
        yield* as(username)
        assert.strictEqual(connections.length, count)
      }
    }).pipe(Effect.provide(Channels.over()(layer)))
  })

  it.effect("connect again after a connection that failed, however long one is kept", () =>
    Effect.gen(function*() {
      const connect = Effect.scoped(Transport.connect(Transport.Messages)("memory:here"))
      assert.deepInclude(failureOf(yield* Effect.exit(connect)), { layer: "memory", tag: "Refused" })
      yield* serving
      yield* connect
    }).pipe(Effect.provide(MemoryTransport.layerMessages().pipe(Channels.over({ idleFor: "1 minute" })))))

  it.effect("a connection may be kept for further channels", () => {
    const { connections, layer } = counted()
    return Effect.gen(function*() {
      yield* serving
      const connect = Effect.scoped(Transport.connect(Transport.Messages)("memory:here"))
      yield* connect
      yield* TestClock.adjust("59 seconds")
      yield* connect
      assert.strictEqual(connections.length, 1)
      yield* TestClock.adjust("60 seconds")
      yield* connections[0].closed
      yield* connect
      assert.strictEqual(connections.length, 2)
    }).pipe(Effect.provide(Channels.over({ idleFor: "1 minute", openWithin: "1 second" })(layer)))
  })

  it.effect("a connection that is lost is replaced for the next channel", () => {
    const { connections, layer } = counted()
    return Effect.gen(function*() {
      yield* serving
      const connect = Transport.connect(Transport.Messages)("memory:here")
      const lost = yield* connect
      yield* connections[0].abort
      assert.isDefined(failureOf(yield* Effect.exit(lost.pull)))
      const channel = yield* connect
      yield* channel.send("x")
      assert.deepStrictEqual(yield* channel.pull, ["x"])
      assert.strictEqual(connections.length, 2)
    }).pipe(Effect.provide(Channels.over()(layer)))
  })

  it.effect("a family of protocols is negotiated for each channel", () => {
    const channels = MemoryTransport.layerMessages().pipe(Channels.over())
    const stack = Layer.mergeAll(Chats.over(Codec.json())(channels), ChatV1.over(Codec.json())(channels))
    return Effect.gen(function*() {
      const listener = yield* Chats.listen("memory:chats")
      yield* Effect.forkScoped(listener.run({
        "chat.v2": (chat) => Effect.asVoid(chat.pull),
        "chat.v1": (chat) => chat.send({ _tag: "Heard", text: chat.protocol, count: 1 })
      }))
      assert.strictEqual((yield* Chats.connect("memory:chats")).protocol, "chat.v2")
      const old = yield* ChatV1.connect<Channels.Channel>("memory:chats")
      assert.deepStrictEqual(yield* old.pull, [{ _tag: "Heard", text: "chat.v1", count: 1 }])
      assert.isTrue(Option.isSome(Connection.detailOption(old, Channels.Channel)))
    }).pipe(Effect.provide(stack))
  })

  it.effect("nobody is accepted once the listener has drained", () =>
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("memory:here")
      yield* Fiber.interrupt(yield* Effect.forkChild(listener.run(echo), { startImmediately: true }))
      assert.deepInclude(yield* listener.drained, { open: 0 })
      const connecting = yield* Effect.exit(Transport.connect(Transport.Messages)("memory:here"))
      assert.deepInclude(failureOf(connecting), { layer: "memory", tag: "Refused" })
    }).pipe(Effect.provide(Channels.over()(MemoryTransport.layerMessages()))))
})
