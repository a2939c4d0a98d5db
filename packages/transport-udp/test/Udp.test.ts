import { assert, describe, it, vi } from "@effect/vitest"
import {
  Codec,
  Connection,
  Datagrams,
  DataTransferReport,
  EstablishmentReport,
  MemoryTransport,
  Subprotocol
} from "@wirestack/protocol"
import type { Incident } from "@wirestack/protocol/Listener"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Transport from "@wirestack/protocol/Transport"
import { reasonOf, resources, until } from "@wirestack/test-support"
import { Ip } from "@wirestack/transport-tcp"
import { Udp, UdpInfo } from "@wirestack/transport-udp"
import { Cause, Effect, Exit, Latch, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Dgram from "node:dgram"
import { bytes, connect, listen, quiet, text, tight } from "./support.ts"

type Datagram = Connection.Connection<Uint8Array, Uint8Array, UdpInfo>
type Needs = Scope.Scope | Transport.DatagramTransport<Udp.Can>

const live = <E>(name: string, program: Effect.Effect<unknown, E, Needs>, options?: Udp.Options) =>
  it.live(name, () => tight(Effect.provide(Effect.scoped(program), Udp.layer(options))))

/** A listener whose connections are kept, with what they have received, until the test is over. */
const keeping = (options?: Transport.ListenOptions, incidents: Array<Incident> = []) =>
  Effect.gen(function*() {
    const listener = yield* listen<UdpInfo>("127.0.0.1:0", {
      closeWithin: "500 millis",
      drain: { within: "500 millis" },
      ...options
    })
    const accepted: Array<{ readonly connection: Datagram; readonly said: Array<string> }> = []
    const outcomes: Array<Outcome> = []
    yield* Effect.forkScoped(listener.run((connection) => {
      const said: Array<string> = []
      accepted.push({ connection, said })
      const taking = Effect.forever(Effect.map(connection.pull, (batch) => void said.push(...batch.map(text))))
      return Effect.catchIf(taking, Cause.isDone, ({ value }) => Effect.sync(() => void outcomes.push(value)))
    }, {
      onIncident: (incident) => Effect.sync(() => void incidents.push(incident))
    }))
    return { address: listener.address, accepted, outcomes }
  })

const info = (connection: Datagram) => Connection.detail(connection, UdpInfo)

/** A socket that is none of ours. */
const bare = Effect.acquireRelease(
  Effect.callback<Dgram.Socket>((resume) => {
    const socket = Dgram.createSocket("udp4")
    socket.bind(0, "127.0.0.1", () => resume(Effect.succeed(socket)))
  }),
  (socket) => Effect.ignore(Effect.try(() => socket.close()))
)

describe("a connection", () => {
  live(
    "is told apart by its peer's address, which both ends know",
    Effect.gen(function*() {
      const { accepted, address } = yield* keeping()
      const clients = [yield* connect<UdpInfo>(address), yield* connect<UdpInfo>(address)]
      for (const [at, client] of clients.entries()) {
        yield* client.send(bytes(`from ${at}`))
        yield* until(() => accepted.length === at + 1)
      }
      for (const [at, client] of clients.entries()) {
        const { connection, said } = accepted[at]
        yield* until(() => said.length > 0)
        assert.deepStrictEqual(said, [`from ${at}`])
        assert.deepStrictEqual(info(connection).remote, info(client).local)
        assert.deepStrictEqual(info(connection).local, info(client).remote)
        assert.strictEqual(info(client).family, "IPv4")
        for (const end of [client, connection]) {
          assert.deepStrictEqual(EstablishmentReport.of(end).attempts.map(([{ facts, layer }]) => [layer, facts]), [
            ["udp", { address: `127.0.0.1:${info(end).remote.port}` }]
          ])
          const { layers } = yield* DataTransferReport.of(end)
          assert.strictEqual(layers[0].sent.messages, info(end).datagramsSent)
        }
        assert.strictEqual(Connection.peer(connection), "127.0.0.1")
        yield* connection.send(bytes(`to ${at}`))
        assert.deepStrictEqual((yield* client.pull).map(text), [`to ${at}`])
        assert.deepInclude(info(client), { datagramsSent: 1, bytesSent: 6, datagramsReceived: 1, bytesReceived: 4 })
      }
    })
  )

  live(
    "carries empty datagrams, and those of the largest size",
    Effect.gen(function*() {
      const { accepted, address } = yield* keeping()
      const client = yield* connect<UdpInfo>(address)
      assert.strictEqual(info(client).maximumDatagramSize, 65_507)
      yield* client.sendAll([bytes(""), bytes("x".repeat(65_507))])
      yield* until(() => accepted[0]?.said.length === 2)
      assert.deepStrictEqual(accepted[0].said.map(({ length }) => length), [0, 65_507])
    })
  )

  live(
    "refuses what is too large, and goes on",
    Effect.gen(function*() {
      const { accepted, address } = yield* keeping()
      const client = yield* connect<UdpInfo>(address)
      const reason = yield* reasonOf(client.send(bytes("x".repeat(101))))
      assert.deepInclude(reason, { _tag: "TooLarge", size: 101, limit: 100 })
      yield* client.send(bytes("x".repeat(100)))
      yield* until(() => accepted[0]?.said.length === 1)
    }),
    { maximumDatagramSize: 100 }
  )

  live(
    "fails with what the network answers",
    Effect.gen(function*() {
      const { address } = yield* Effect.scoped(listen("127.0.0.1:0"))
      const client = yield* connect(address)
      yield* client.send(bytes("is anybody there?"))
      const reason = yield* reasonOf(
        client.pull as Effect.Effect<unknown, { readonly reason: { readonly _tag: string } }>
      )
      assert.strictEqual(reason._tag, "Refused")
      assert.strictEqual((yield* reasonOf(client.send(bytes("hello?"))))._tag, "Refused")
      const outcome = yield* client.closed
      assert.deepInclude(outcome, { first: "none", clean: false })
      assert.strictEqual(outcome.error?.layer, "udp")
    })
  )

  live(
    "is given what came before that, also what there was no room for yet",
    Effect.gen(function*() {
      const peer = yield* bare
      const client = yield* connect<UdpInfo>(`127.0.0.1:${peer.address().port}`)
      const { local } = info(client)
      for (let n = 1; n <= 100; n++) {
        peer.send(new Uint8Array(1_000), local.port, local.host)
        yield* until(() => info(client).datagramsReceived === n)
      }
      peer.close()
      yield* client.send(bytes("is anybody there?"))
      yield* client.closed.pipe(Effect.timeoutOption("20 millis"))
      let received = 0
      const reason = yield* reasonOf(
        Effect.forever(Effect.map(client.pull, (batch) => received += batch.length)) as Effect.Effect<
          never,
          { readonly reason: { readonly _tag: string } }
        >
      )
      assert.deepStrictEqual([reason._tag, received], ["Refused", 100])
      assert.strictEqual((yield* client.closed).undelivered, 0)
    })
  )

  live(
    "that is cut tells each datagram as sent or as unsent, not as both",
    Effect.gen(function*() {
      const { address } = yield* listen("127.0.0.1:0")
      const client = yield* connect<UdpInfo>(address)
      yield* client.sendAll([bytes("one"), bytes("two")])
      yield* client.abort
      const { unsent } = yield* client.closed
      yield* Effect.sleep("5 millis")
      const { bytesSent, datagramsSent } = info(client)
      assert.deepStrictEqual([unsent.messages + datagramsSent, unsent.bytes + bytesSent], [2, 6])
    })
  )

  it.live("hears nobody but its peer, also of what came before it was connected", () =>
    tight(Effect.gen(function*() {
      const [peer, stranger] = [yield* bare, yield* bare]
      const free = yield* Effect.scoped(Effect.map(bare, (socket) => socket.address().port))
      yield* Effect.callback<void>((resume) => stranger.connect(free, "127.0.0.1", () => resume(Effect.void)))
      const connecting = vi.spyOn(Dgram.Socket.prototype, "connect").mockImplementationOnce(
        function(this: Dgram.Socket, ...to) {
          stranger.send("from a stranger")
          this.connect(...to)
        }
      )
      const stack = Udp.layer({ localAddress: "127.0.0.1", localPort: free })
      const client = yield* Effect.provide(connect<UdpInfo>(`127.0.0.1:${peer.address().port}`), stack)
      assert.lengthOf(connecting.mock.calls, 2)
      connecting.mockRestore()
      peer.send("from the peer", free, "127.0.0.1")
      assert.deepStrictEqual((yield* client.pull).map(text), ["from the peer"])
    })))

  live(
    "goes over IPv6, and from where one likes",
    Effect.gen(function*() {
      const listener = yield* listen("[::1]:0")
      yield* Effect.forkScoped(listener.run((connection) => Effect.flatMap(connection.pull, connection.sendAll), quiet))
      const client = yield* connect<UdpInfo>(listener.address)
      yield* client.send(bytes("six"))
      assert.deepStrictEqual((yield* client.pull).map(text), ["six"])
      assert.deepInclude(info(client), { family: "IPv6" })
      assert.strictEqual(info(client).remote.host, "::1")
      const other = Udp.layer({ localAddress: "127.0.0.2" })
      const { address } = yield* keeping()
      assert.strictEqual(info(yield* Effect.provide(connect<UdpInfo>(address), other)).local.host, "127.0.0.2")
    })
  )

  live(
    "IPv4 on a socket for both has its own address",
    Effect.gen(function*() {
      const listener = yield* listen<UdpInfo>("[::]:0")
      const remotes: Array<string> = []
      yield* Effect.forkScoped(listener.run((connection) => {
        remotes.push(info(connection).remote.host, info(connection).family)
        return Effect.flatMap(connection.pull, connection.sendAll)
      }, quiet))
      assert(listener.address.place._tag === "Tcp")
      const client = yield* connect(`127.0.0.1:${listener.address.place.port}`)
      yield* client.send(bytes("four"))
      assert.deepStrictEqual((yield* client.pull).map(text), ["four"])
      assert.deepStrictEqual(remotes, ["127.0.0.1", "IPv4"])
    })
  )
})

describe("what comes of connects and listens that fail", () => {
  live(
    "the port is in use",
    Effect.gen(function*() {
      const { address } = yield* listen("127.0.0.1:0")
      assert.strictEqual((yield* reasonOf(listen(address)))._tag, "AddressInUse")
    })
  )

  live("unless ports are shared", Effect.flatMap(listen("127.0.0.1:0"), ({ address }) => listen(address)), {
    reusePort: true
  })

  live(
    "an address that must be allowed",
    Effect.gen(function*() {
      assert.strictEqual((yield* reasonOf(Effect.scoped(connect("255.255.255.255:9"))))._tag, "Forbidden")
      const allowed = yield* Layer.build(Udp.layer({ broadcast: true }))
      const connection = yield* Effect.provide(connect<UdpInfo>("255.255.255.255:9"), allowed)
      assert.strictEqual(info(connection).remote.host, "255.255.255.255")
    })
  )

  it.live("names and addresses that are not there, and places that are none of UDP", () =>
    tight(Effect.gen(function*() {
      const stack = Ip.layerStatic({}).pipe(Udp.over({ localAddress: "198.51.100.1" }))
      const failing = (input: string) => reasonOf(Effect.scoped(connect(input)))
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* failing("nowhere.test:1"))._tag, "Unresolved")
        assert.strictEqual((yield* failing("127.0.0.1:1"))._tag, "Unreachable")
        assert.strictEqual((yield* failing("memory:here"))._tag, "InvalidEndpoint")
        assert.deepInclude(yield* failing("tls://127.0.0.1:1"), { _tag: "LayersMissing", layers: ["tls"] })
      }).pipe(Effect.provide(yield* Layer.build(stack)))
    })))
})

describe("a listener", () => {
  it.effect("ends a connection whose peer is silent, and frees its place", () =>
    Effect.scoped(Effect.gen(function*() {
      const { accepted, address, outcomes } = yield* keeping()
      const client = yield* connect(address)
      const chatty = yield* connect(address)
      yield* client.send(bytes("once"))
      yield* until(() => accepted.length === 1)
      for (let n = 1; n <= 3; n++) {
        yield* chatty.send(bytes("again"))
        yield* until(() => accepted[1]?.said.length === n)
        // What we send to it is no life of the peer.
        yield* accepted[0].connection.send(bytes("hello?"))
        yield* TestClock.adjust("10 seconds")
      }
      yield* until(() => outcomes.length === 1)
      assert.deepInclude(outcomes[0], { endOfInput: "unknown" })
      assert.deepInclude(yield* accepted[0].connection.closed, { first: "remote", clean: true })
      yield* chatty.send(bytes("still here"))
      yield* until(() => accepted[1].said.length === 4)
      yield* client.send(bytes("once more"))
      yield* until(() => accepted[2]?.said.length === 1)
      assert.deepStrictEqual(accepted[2].said, ["once more"])
    })).pipe(Effect.provide(Udp.layer())))

  live(
    "has the first datagrams wait until it is run",
    Effect.gen(function*() {
      const listener = yield* listen("127.0.0.1:0")
      const client = yield* connect(listener.address)
      yield* client.sendAll([bytes("one"), bytes("two")])
      yield* Effect.sleep("20 millis")
      yield* Effect.forkScoped(
        listener.run((connection) => Effect.forever(Effect.flatMap(connection.pull, connection.sendAll)), quiet)
      )
      const echoed: Array<string> = []
      while (echoed.length < 2) echoed.push(...(yield* client.pull).map(text))
      assert.deepStrictEqual(echoed, ["one", "two"])
    })
  )

  live(
    "bounds its connections, and tells",
    Effect.gen(function*() {
      const incidents: Array<Incident> = []
      const { accepted, address } = yield* keeping({ maxConnections: 1 }, incidents)
      const [first, second] = [yield* connect(address), yield* connect(address)]
      yield* first.send(bytes("first"))
      yield* until(() => accepted.length === 1)
      yield* second.send(bytes("second"))
      yield* until(() => incidents.length === 1)
      assert.deepInclude(incidents[0], { _tag: "TooManyConnections", limit: 1, of: "listener" })
      yield* first.send(bytes("first again"))
      yield* until(() => accepted[0].said.length === 2)
      assert.lengthOf(accepted, 1)
    })
  )

  live(
    "tells of a flood of strangers together, not of each of their datagrams",
    Effect.gen(function*() {
      const incidents: Array<Incident> = []
      const listener = yield* listen<UdpInfo>("127.0.0.1:0", { maxConnections: 1, drain: { within: "100 millis" } })
      const go = yield* Latch.make()
      let open = 0
      const handler = (connection: Datagram) =>
        Effect.asVoid(Effect.andThen(Effect.sync(() => open++), connection.closed))
      yield* Effect.forkScoped(listener.run(handler, {
        onIncident: (incident) => Effect.andThen(Effect.sync(() => incidents.push(incident)), go.await)
      }))
      const stranger = yield* connect<UdpInfo>(listener.address)
      const first = yield* connect(listener.address)
      yield* first.send(bytes("first"))
      yield* until(() => open === 1)
      const told = () => incidents.reduce((all, { count }: any) => all + count, 0)
      yield* Effect.repeat(Effect.andThen(stranger.send(bytes("let me in")), Effect.sleep("1 millis")), { times: 99 })
      yield* Effect.sleep("20 millis")
      assert.lengthOf(incidents, 1)
      yield* go.open
      yield* until(() => told() === info(stranger).datagramsSent)
      assert.lengthOf(incidents, 2)
    })
  )

  live(
    "that gives its peers no time at all does not spin",
    Effect.gen(function*() {
      const { accepted, address, outcomes } = yield* keeping()
      yield* Effect.flatMap(connect(address), ({ send }) => send(bytes("hello")))
      yield* until(() => outcomes.length === 1)
      assert.deepStrictEqual(accepted[0].said, ["hello"])
      const before = process.cpuUsage()
      yield* Effect.sleep("200 millis")
      const { system, user } = process.cpuUsage(before)
      assert.isBelow(system + user, 100_000)
    }),
    { idleTimeout: 0 }
  )

  live(
    "drops what is new when nobody pulls, and counts it",
    Effect.gen(function*() {
      const listener = yield* listen<UdpInfo>("127.0.0.1:0", { drain: { within: "1 second" } })
      let server: Datagram | undefined
      yield* Effect.forkScoped(listener.run((connection) => {
        server = connection
        return Effect.asVoid(connection.closed)
      }, quiet))
      const client = yield* connect(listener.address)
      const datagram = (n: number) => Uint8Array.from({ length: 1_000 }, () => n)
      for (let n = 0; n < 200; n++) {
        yield* client.send(datagram(n))
        yield* until(() => server !== undefined && info(server).datagramsReceived === n + 1)
      }
      const { datagramsDropped, datagramsReceived } = info(server!)
      assert.strictEqual(datagramsReceived, 200)
      assert.strictEqual((yield* DataTransferReport.of(server!)).layers[0].dropped, datagramsDropped)
      const kept: Array<number> = []
      while (kept.length < 200 - datagramsDropped) kept.push(...(yield* server!.pull).map(([first]) => first))
      // 64 KiB that the connection reads ahead, and 10 KiB here.
      assert.strictEqual(datagramsDropped, 200 - 66 - 10)
      assert.deepStrictEqual(kept, Array.from({ length: 76 }, (_, n) => n))
      yield* server!.abort
      assert.strictEqual((yield* server!.closed).undelivered, datagramsDropped)
    }),
    { maxInboxSize: 10_240 }
  )

  live(
    "serves its connections to the last, and then frees the port",
    Effect.gen(function*() {
      const before = resources()
      yield* Effect.scoped(Effect.gen(function*() {
        const { accepted, address } = yield* keeping()
        const client = yield* connect(address)
        yield* client.send(bytes("hello"))
        yield* until(() => accepted.length === 1)
      }))
      yield* until(() => resources() === before)
    })
  )
})

describe("messages over datagrams", () => {
  class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Schema.String, server: Schema.Finite }) {}

  /** The same program over any stack. */
  const chat = (endpoint: string) =>
    Effect.scoped(Effect.gen(function*() {
      const listener = yield* Chat.listen(endpoint)
      const answering = (connection: Subprotocol.ServerConnection<typeof Chat>) =>
        Effect.flatMap(connection.pull, ([said]) => connection.send(said.length))
      yield* Effect.forkScoped(listener.run(answering, quiet))
      const connection = yield* Chat.connect(listener.address)
      yield* connection.send("four")
      return yield* connection.pull
    }))

  it.live("a chat runs over memory and over UDP, by another layer", () =>
    tight(Effect.gen(function*() {
      const udp = Udp.layer().pipe(Datagrams.over(), Chat.over(Codec.json()))
      assert.deepStrictEqual(yield* Effect.provide(chat("127.0.0.1:0"), udp), [4])
      const memory = MemoryTransport.layerMessages().pipe(Chat.over(Codec.json()))
      assert.deepStrictEqual(yield* Effect.provide(chat("memory:here"), memory), [4])
    })))

  it.live("text is UTF-8, and boundaries are kept", () =>
    tight(Effect.gen(function*() {
      const stack = yield* Layer.build(Udp.layer({ maximumDatagramSize: 100 }).pipe(Datagrams.over()))
      yield* Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Messages)("127.0.0.1:0")
        const echo = (connection: Connection.Connection<Transport.Message, Transport.Message>) =>
          Effect.forever(Effect.flatMap(connection.pull, connection.sendAll))
        yield* Effect.forkScoped(listener.run(echo, quiet))
        const client = yield* Transport.connect(Transport.Messages)(listener.address)
        const sent = ["é", "", bytes("bytes"), "€"]
        for (const message of sent) yield* client.send(message)
        const echoed: Array<string> = []
        while (echoed.length < sent.length) {
          for (const message of yield* client.pull) {
            assert.instanceOf(message, Uint8Array)
            echoed.push(text(message as Uint8Array))
          }
        }
        assert.deepStrictEqual(echoed, ["é", "", "bytes", "€"])
        assert.strictEqual((yield* reasonOf(client.send("€".repeat(34))))._tag, "TooLarge")
        assert.strictEqual((yield* reasonOf(client.send("\ud800")))._tag, "Unencodable")
        assert.isTrue(Exit.isSuccess(yield* Effect.exit(client.send("and goes on"))))
      }).pipe(Effect.provide(stack))
    })))
})
