import { assert, describe, it } from "@effect/vitest"
import {
  Codec,
  Connection,
  type ConnectionError,
  LengthPrefixed,
  MemoryTransport,
  Reconnection,
  Resume,
  Transport
} from "@wirestack/protocol"
import { Samples, transportSuite, withoutLeaks } from "@wirestack/protocol/testing"
import { Context, Effect, Exit, Fiber, Latch, Layer, Option, Redacted, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Frame from "../../src/internal/resume/Frame.ts"
import { ChatV1 } from "../support/chat.ts"
import { failureOf } from "../support/failure.ts"

describe("a session keeps the rules of a transport", () => {
  const suite = transportSuite({
    shape: Transport.Messages,
    layer: () => MemoryTransport.layerMessages().pipe(Resume.over()),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.messages({ text: true }),
    capabilities: {
      halfClose: "a session has no half",
      statuses: "a session carries no status",
      abortIsSeen: true
    }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

type Server = Connection.Connection<Transport.Message, Transport.Message, Resume.Session>
type Client = Connection.Connection<Transport.Message, Transport.Message, Resume.Session | Reconnection.Reconnection>

const turns = TestClock.adjust(0)

const soon = { schedule: Schedule.spaced(1) }

/** A network, and stacks with sessions on it that can be built more than once, as processes are. */
const network = Effect.map(
  Effect.flatMap(Effect.scope, (scope) => Layer.buildWithScope(MemoryTransport.layerMessages(), scope)),
  (context) => {
    const below = () => Layer.succeedContext(context)
    /** Listens, in a scope of its own. */
    const serve = (
      handler: (connection: Server) => Effect.Effect<void, unknown>,
      options?: Resume.ServerOptions
    ) =>
      Effect.gen(function*() {
        const scope = yield* Scope.fork(yield* Effect.scope)
        const stack = yield* Layer.buildWithScope(below().pipe(Resume.server(options)), scope)
        const listener = yield* Transport.listen(Transport.Messages)<Resume.Session>("memory:server").pipe(
          Effect.provideContext(stack),
          Scope.provide(scope)
        )
        yield* Effect.forkIn(listener.run(handler, { onIncident: () => Effect.void }), scope)
        return { listener, stop: (exit: Exit.Exit<void> = Exit.void) => Scope.close(scope, exit) }
      })
    const connect = (options: Resume.ClientOptions = soon): Effect.Effect<Client, unknown, Scope.Scope> =>
      Effect.flatMap(
        Effect.scope,
        (scope) =>
          Effect.flatMap(
            Layer.buildWithScope(below().pipe(Resume.client(options)), scope),
            (stack) =>
              Effect.provideContext(
                Transport.connect(Transport.Messages)<Resume.Session | Reconnection.Reconnection>("memory:server"),
                Context.add(stack, Scope.Scope, scope)
              )
          )
      )
    const raw = Effect.provideContext(Transport.connect(Transport.Messages)("memory:server"), context)
    return { connect, raw, serve }
  }
)

/** Cuts what carries a client at present. */
const cut = (client: Client) =>
  Effect.flatMap(
    Connection.detail(client, Reconnection.Reconnection).current,
    Option.match({ onNone: () => Effect.void, onSome: ({ abort }) => abort })
  )

type Raw = Connection.Connection<Transport.Message, Transport.Message>

/** What a server answers to the first frame of a connection. */
const greeted = <E, R>(raw: Effect.Effect<Raw, E, R>, hello: Uint8Array) =>
  Effect.gen(function*() {
    const connection = yield* raw
    yield* connection.send(hello)
    const [answer] = yield* connection.pull
    return { connection, answer: Frame.read(answer) }
  })

const ticketIn = (answer: Frame.Frame): Frame.Ticket => {
  assert(answer.type === Frame.Type.Welcome)
  return answer.ticket
}

const nothing: Frame.Progress = { done: 0, received: 0 }

const collecting = () => {
  const received: Array<Transport.Message> = []
  const collect = (connection: Connection.Connection<Transport.Message, any, any>) =>
    Stream.runForEach(Connection.messages(connection), (message) => Effect.sync(() => void received.push(message)))
  return { received, collect }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)

describe("Resume", () => {
  it.effect("loses nothing and repeats nothing over a thousand cuts, in both directions", () =>
    withoutLeaks(
      Effect.gen(function*() {
        const { connect, serve } = yield* network
        const there = collecting()
        const here = collecting()
        let handlers = 0
        yield* serve((connection) => {
          handlers++
          return Stream.runForEach(Connection.messages(connection), (message) => {
            there.received.push(message)
            return connection.send(`${message}!`)
          })
        })
        const client = yield* connect()
        yield* Effect.forkScoped(here.collect(client))
        for (let i = 0; i < 1_000; i++) {
          yield* client.send(`${i}`)
          if (i % 3 > 0) yield* turns
          yield* cut(client)
          if (i % 2 > 0) yield* TestClock.adjust(1)
        }
        yield* TestClock.adjust("1 seconds")
        assert.deepStrictEqual(there.received, numbers(1_000))
        assert.deepStrictEqual(here.received, numbers(1_000).map((number) => `${number}!`))
        assert.strictEqual(handlers, 1)
      }).pipe(Effect.scoped)
    ))

  it.effect("is one connection to layers above, with its details", () =>
    Effect.gen(function*() {
      const layer = MemoryTransport.layer().pipe(
        LengthPrefixed.over(),
        Resume.over({ client: soon }),
        ChatV1.over(Codec.json())
      )
      yield* Effect.gen(function*() {
        const listener = yield* ChatV1.listen<Resume.Session>("memory:chat")
        const ids: Array<string> = []
        yield* Effect.forkScoped(listener.run((connection) => {
          ids.push(Connection.detail(connection, Resume.Session).id)
          return Stream.runForEach(
            Connection.messages(connection),
            ({ text }) => connection.send({ _tag: "Heard", text, count: text.length })
          )
        }))
        const chat = yield* ChatV1.connect<Resume.Session>("memory:chat")
        yield* chat.send({ _tag: "Said", text: "hello" })
        assert.deepStrictEqual(yield* chat.pull, [{ _tag: "Heard", text: "hello", count: 5 }])
        yield* cut(chat as unknown as Client)
        yield* chat.send({ _tag: "Said", text: "again" })
        const pulling = yield* Effect.forkScoped(chat.pull)
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* Fiber.join(pulling), [{ _tag: "Heard", text: "again", count: 5 }])
        assert.deepStrictEqual(ids, [Connection.detail(chat, Resume.Session).id])
      }).pipe(Effect.provide(layer))
    }))

  it.effect("sends what a handler answers at once, also if nothing else is to come", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      yield* serve((connection) =>
        Effect.forever(Effect.flatMap(connection.pull, ([message]) => connection.send(`${message}!`)))
      )
      const client = yield* connect()
      for (const number of numbers(3)) {
        yield* client.send(number)
        assert.deepStrictEqual(yield* client.pull, [`${number}!`])
      }
    }))

  it.effect("has senders wait when too much is not acknowledged, connected or not", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      const there = collecting()
      yield* serve(there.collect)
      const client = yield* connect({ ...soon, maxMessages: 3 })
      yield* cut(client)
      const sending = yield* Effect.forkScoped(client.sendAll(["0", "1", "2", "3", "4"]))
      yield* turns
      assert.isUndefined(sending.pollUnsafe())
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(sending)
      yield* turns
      assert.deepStrictEqual(there.received, numbers(5))
    }))

  it.effect("acknowledges what was pulled, and not what waits", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      const gate = Latch.makeUnsafe(false)
      yield* serve((connection) => Effect.andThen(gate.await, Stream.runDrain(Connection.messages(connection))))
      const client = yield* connect()
      const session = Connection.detail(client, Resume.Session)
      yield* client.sendAll(["0", "1"])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual([session.sent, session.acknowledged], [2, 0])
      yield* gate.open
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(session.acknowledged, 2)
    }))

  it.effect("acknowledges what is said to be stored", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      const connections: Array<Server> = []
      yield* serve((connection) => {
        connections.push(connection)
        return Stream.runDrain(Connection.messages(connection))
      }, { acknowledge: "stored" })
      const client = yield* connect()
      const session = Connection.detail(client, Resume.Session)
      yield* client.sendAll(["0", "1", "2"])
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(session.acknowledged, 0)
      yield* Resume.acknowledge(connections[0], 2)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(session.acknowledged, 2)
      assert.strictEqual(Connection.detail(connections[0], Resume.Session).received, 2)
      const tooMany = yield* Effect.exit(Resume.acknowledge(connections[0], 2))
      assert.match(String(Exit.isFailure(tooMany) && tooMany.cause), /2 messages can't be acknowledged, 1 can/)
      const half = yield* Effect.exit(Resume.acknowledge(connections[0], 0.5))
      assert.match(String(Exit.isFailure(half) && half.cause), /0.5 messages can't be acknowledged, 1 can/)
      yield* Resume.acknowledge(connections[0], 1)
    }))

  it.effect("closes when everything is acknowledged, with a goodbye to each side", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      const there = collecting()
      const connections: Array<Server> = []
      yield* serve((connection) => {
        connections.push(connection)
        return there.collect(connection)
      })
      const client = yield* Effect.scoped(Effect.tap(connect(), (client) => client.sendAll(["0", "1"])))
      const [ours, theirs] = [yield* client.closed, yield* connections[0].closed]
      assert.isTrue(ours.clean && theirs.clean, JSON.stringify([ours, theirs]))
      assert.deepStrictEqual([ours.first, theirs.first], ["local", "remote"])
      assert.deepStrictEqual(there.received, ["0", "1"])
    }))

  it.effect("says its goodbye on the next connection", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      const there = collecting()
      const connections: Array<Server> = []
      yield* serve((connection) => {
        connections.push(connection)
        return there.collect(connection)
      })
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(connect(), scope)
      yield* cut(client)
      yield* client.send("0")
      const closing = yield* Effect.forkScoped(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(closing)
      assert.isTrue((yield* client.closed).clean)
      assert.isTrue((yield* connections[0].closed).clean)
      assert.deepStrictEqual(there.received, ["0"])
    }))

  it.effect("tells what was not acknowledged when there is no further connection", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      const server = yield* serve(() => Effect.never)
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(connect(), scope)
      yield* client.send("four")
      const stopping = yield* Effect.forkScoped(server.stop(Exit.void))
      yield* cut(client)
      const closing = yield* Effect.forkScoped(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(closing)
      const { clean, unsent } = yield* client.closed
      assert.deepStrictEqual({ clean, unsent }, { clean: false, unsent: { messages: 1, bytes: 4 } })
      yield* Fiber.join(stopping)
    }))

  it.effect("is over with a gap when the server has forgotten it, on both sides", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      const ends: Array<Exit.Exit<unknown, unknown>> = []
      yield* serve((connection) =>
        Effect.flatMap(
          Effect.exit(Effect.forever(connection.pull)),
          (exit) => Effect.sync(() => void ends.push(exit))
        ), { keepFor: "1 minutes" })
      const client = yield* connect({ schedule: Schedule.spaced("2 minutes") })
      yield* client.send("0")
      yield* TestClock.adjust("1 seconds")
      yield* cut(client)
      yield* client.sendAll(["1", "2"])
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(ends.length, 0)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(failureOf(ends[0])?.tag, "ResumeGap")
      yield* TestClock.adjust("1 minutes")
      const failure = failureOf(yield* Effect.exit(client.pull))
      assert(failure?.tag === "ResumeGap")
      const { missing, unacknowledged } = failure.reason as ConnectionError.ResumeGap
      assert.deepStrictEqual({ missing, unacknowledged }, { missing: undefined, unacknowledged: { first: 2, last: 3 } })
      assert.strictEqual(failureOf(yield* Effect.exit(client.send("3")))?.tag, "ResumeGap")
    }))

  it.effect("keeps only so many sessions that nothing carries", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      yield* serve((connection) => Stream.runDrain(Connection.messages(connection)), { maxKept: 1 })
      const later = { schedule: Schedule.spaced("10 seconds") }
      const [first, second] = [yield* connect(later), yield* connect(later)]
      yield* turns
      yield* cut(first)
      yield* turns
      yield* cut(second)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(failureOf(yield* Effect.exit(first.pull))?.tag, "ResumeGap")
      const { state } = Connection.detail(second, Reconnection.Reconnection)
      assert.strictEqual((yield* state)._tag, "Ready")
    }))

  it.effect("gives a session to who shows its secret, and cuts who had it", () =>
    Effect.gen(function*() {
      const { raw, serve } = yield* network
      const there = collecting()
      yield* serve(there.collect)
      const first = yield* greeted(raw, Frame.hello())
      const ticket = ticketIn(first.answer)
      yield* first.connection.sendAll([Frame.data("0"), Frame.data("1")])
      yield* turns
      const wrong = { ...ticket, secret: ticket.secret.map((byte, at) => at === 15 ? byte ^ 1 : byte) }
      const none = { done: 0, received: 0 }
      assert.deepStrictEqual((yield* Effect.scoped(greeted(raw, Frame.helloAgain(wrong, none)))).answer, {
        type: Frame.Type.Refused,
        code: Frame.Code.Unknown,
        first: 0,
        last: 0
      })
      const second = yield* greeted(raw, Frame.helloAgain(ticket, none))
      assert.deepStrictEqual(second.answer, {
        type: Frame.Type.Welcome,
        ticket,
        progress: { done: 2, received: 2 }
      })
      assert.strictEqual(failureOf(yield* Effect.exit(first.connection.pull))?.tag, "Reset")
      yield* second.connection.send(Frame.data("2"))
      yield* turns
      assert.deepStrictEqual(there.received, ["0", "1", "2"])
      yield* second.connection.send(Frame.reset())
      yield* turns
    }))

  it.effect("the first connection comes about or fails as any other", () =>
    Effect.gen(function*() {
      const { connect } = yield* network
      assert.strictEqual(failureOf(yield* Effect.exit(connect()))?.tag, "Refused")
    }))
})

describe("a peer without manners", () => {
  it.effect("that is gone before it is welcome leaves no session for longer than any other", () =>
    Effect.gen(function*() {
      const { raw, serve } = yield* network
      const gaps: Array<string | undefined> = []
      const store: Resume.Store = { opened: () => Effect.sleep("1 seconds"), load: () => Effect.undefined }
      yield* serve(
        ({ pull }) => Effect.map(Effect.exit(pull), (exit) => void gaps.push(failureOf(exit)?.tag)),
        { keepFor: "1 minutes", maxKept: 1, store }
      )
      for (let i = 0; i < 3; i++) {
        const connection = yield* raw
        yield* connection.send(Frame.hello())
        yield* turns
        yield* connection.abort
      }
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(gaps, ["ResumeGap", "ResumeGap"])
      yield* TestClock.adjust("1 minutes")
      assert.strictEqual(gaps.length, 3)
    }))

  it.effect("that sends and does not read has no acknowledgements pile up for it", () =>
    Effect.gen(function*() {
      const { raw, serve } = yield* network
      const there = collecting()
      yield* serve(there.collect, { acknowledgeAfter: 1 })
      const { connection } = yield* greeted(raw, Frame.hello())
      for (let i = 0; i < 10_000; i++) {
        yield* connection.send(Frame.data(""))
        yield* turns
      }
      assert.strictEqual(there.received.length, 10_000)
      const acks: Array<Transport.Message> = []
      const last = Frame.ack(10_000)
      const pulls = Effect.map(connection.pull, (batch) => acks.push(...batch))
      yield* Effect.repeat(pulls, { until: () => `${acks.at(-1)}` === `${last}` })
      assert.isBelow(acks.length, 8_200)
      yield* connection.send(Frame.reset())
      yield* turns
    }))

  it.effect("who comes back while a session closes gets the rest, and the goodbye", () =>
    Effect.gen(function*() {
      const { raw, serve } = yield* network
      const connections: Array<Server> = []
      yield* serve((connection) => {
        connections.push(connection)
        return connection.send("0")
      })
      const first = yield* greeted(raw, Frame.hello())
      yield* first.connection.send(Frame.goodbye(0, 0))
      yield* turns
      const second = yield* greeted(raw, Frame.helloAgain(ticketIn(first.answer), nothing))
      yield* turns
      const frames = (yield* second.connection.pull).map(Frame.read)
      assert.deepStrictEqual(frames, [
        { type: Frame.Type.Text, message: "0" },
        { type: Frame.Type.Goodbye, code: 0, done: 0 }
      ])
      yield* second.connection.send(Frame.goodbye(0, 1))
      yield* turns
      yield* second.connection.abort
      yield* TestClock.adjust("10 seconds")
      const { clean, unsent } = yield* connections[0].closed
      assert.deepStrictEqual({ clean, unsent }, { clean: true, unsent: { messages: 0, bytes: 0 } })
    }))

  it.effect("whose first attempt was held up does not end the session it has resumed since", () =>
    Effect.gen(function*() {
      const { raw, serve } = yield* network
      const secret = Redacted.make("cd".repeat(16))
      const ticket = { session: new Uint8Array(16), secret: new Uint8Array(16).fill(0xcd) }
      const times = ["5 seconds", 0] as const
      let loads = 0
      const store: Resume.Store = {
        opened: () => Effect.void,
        load: () => Effect.delay(Effect.succeed({ secret, received: 0 }), times[loads++])
      }
      const ends: Array<string | undefined> = []
      yield* serve(({ pull, sendAll }) =>
        Effect.andThen(
          sendAll(["0", "1"]),
          Effect.map(Effect.exit(pull), (exit) => void ends.push(failureOf(exit)?.tag))
        ), { store })
      const first = yield* raw
      yield* first.send(Frame.helloAgain(ticket, nothing))
      yield* turns
      yield* first.abort
      const { connection } = yield* greeted(raw, Frame.helloAgain(ticket, nothing))
      yield* turns
      yield* connection.send(Frame.ack(2))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([loads, ends], [2, []])
      yield* connection.send(Frame.reset())
      yield* turns
      assert.deepStrictEqual(ends, ["Reset"])
    }))

  it.effect("whose session was over before it was handled is told so to who handles it", () =>
    Effect.gen(function*() {
      const { raw, serve } = yield* network
      const ends: Array<string | undefined> = []
      const { listener } = yield* serve(({ pull }) =>
        Effect.map(Effect.exit(pull), (exit) => void ends.push(failureOf(exit)?.tag))
      )
      yield* listener.pause
      const first = yield* greeted(raw, Frame.hello())
      const impossible = Frame.helloAgain(ticketIn(first.answer), { done: 5, received: 5 })
      const second = yield* greeted(raw, impossible)
      assert.deepInclude(second.answer, { type: Frame.Type.Refused, code: Frame.Code.Gap })
      yield* listener.resume
      yield* turns
      assert.deepStrictEqual(ends, ["ResumeGap"])
      yield* second.connection.abort
    }))
})

describe("a careless user", () => {
  const endWith = (options: Resume.ClientOptions) =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      yield* serve((connection) => Stream.runDrain(Connection.messages(connection)), { keepFor: "1 seconds" })
      const client = yield* connect({ schedule: Schedule.spaced("10 seconds"), ...options })
      yield* turns
      yield* cut(client)
      const pulling = yield* Effect.forkScoped(Effect.exit(client.pull))
      yield* TestClock.adjust("1 minutes")
      return failureOf(yield* pulling.pollUnsafe() === undefined ? Effect.exit(Effect.void) : Fiber.join(pulling))?.tag
    })

  it.effect("has a gap told whatever the verdict, and a defect of the verdict", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* endWith({ verdict: () => "retry" }), "ResumeGap")
      const verdict = () => {
        throw new Error("a bug")
      }
      assert.strictEqual(yield* endWith({ verdict }), "GivenUp")
      assert.strictEqual(
        yield* endWith({ schedule: Schedule.modifyDelay(soon.schedule, () => Effect.die("a bug")) }),
        "GivenUp"
      )
    }))
})

describe("a store", () => {
  /** What outlives a server: the secrets, and what was stored of each session. */
  const journal = () => {
    const secrets = new Map<string, Redacted.Redacted<string>>()
    const stored = new Map<string, Array<Transport.Message>>()
    const store: Resume.Store = {
      opened: (id, secret) =>
        Effect.sync(() => {
          secrets.set(id, secret)
          stored.set(id, [])
        }),
      load: (id, received) =>
        Effect.sync(() => {
          const secret = secrets.get(id)
          const messages = stored.get(id)!
          return secret &&
            {
              secret,
              received: messages.length,
              sent: messages.length,
              replay: messages.slice(received).map((message) => `${message}!`)
            }
        })
    }
    const handler = (connection: Server) => {
      const messages = stored.get(Connection.detail(connection, Resume.Session).id)!
      return Stream.runForEach(Connection.messages(connection), (message) => {
        messages.push(message)
        return Effect.andThen(Resume.acknowledge(connection, 1), connection.send(`${message}!`))
      })
    }
    return { handler, store, stored }
  }

  it.effect("has clients go on with the next server, without a goodbye of the one before", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      const { handler, store, stored } = journal()
      const options: Resume.ServerOptions = { store, acknowledge: "stored" }
      let server = yield* serve(handler, options)
      const client = yield* connect()
      const here = collecting()
      yield* Effect.forkScoped(here.collect(client))
      for (let i = 0; i < 20; i++) {
        yield* client.send(`${i}`)
        if (i % 2 > 0) yield* turns
        yield* server.stop(Exit.interrupt())
        server = yield* serve(handler, options)
        yield* TestClock.adjust(i % 3)
      }
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual([...stored.values()], [numbers(20)])
      assert.deepStrictEqual(here.received, numbers(20).map((number) => `${number}!`))
      yield* client.abort
    }))

  it.effect("that has lost what was acknowledged, or can't say again what was said, is a gap", () =>
    Effect.gen(function*() {
      const { connect, serve } = yield* network
      const { handler, store } = journal()
      const lossy = (change: (restored: Resume.Restored) => Resume.Restored): Resume.Store => ({
        ...store,
        load: (id, received) => Effect.map(store.load(id, received), (restored) => restored && change(restored))
      })
      const gapAfter = (change: (restored: Resume.Restored) => Resume.Restored) =>
        Effect.gen(function*() {
          const server = yield* serve(handler, { store, acknowledge: "stored" })
          const client = yield* connect()
          yield* client.sendAll(["0", "1"])
          yield* TestClock.adjust("1 seconds")
          yield* client.pull
          yield* server.stop(Exit.interrupt())
          const next = yield* serve(handler, { store: lossy(change), acknowledge: "stored" })
          yield* TestClock.adjust("1 seconds")
          const failure = failureOf(yield* Effect.exit(client.pull))
          yield* next.stop()
          return failure?.tag
        })
      assert.strictEqual(yield* gapAfter((restored) => ({ ...restored, received: 1 })), "ResumeGap")
      assert.strictEqual(yield* gapAfter((restored) => ({ ...restored, sent: 1 })), "ResumeGap")
      assert.strictEqual(yield* gapAfter((restored) => ({ ...restored, sent: 4, replay: [] })), "ResumeGap")
      assert.strictEqual(
        yield* gapAfter((restored) => ({ ...restored, secret: Redacted.make("00".repeat(16)) })),
        "ResumeGap"
      )
    }))
})
