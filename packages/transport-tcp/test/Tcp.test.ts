import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import type { Incident } from "@wirestack/protocol/Listener"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, reasonOf, resources, take, until } from "@wirestack/test-support"
import { Ip, Tcp, TcpInfo } from "@wirestack/transport-tcp"
import { Deferred, Effect, Exit, Fiber, Layer, Queue, Scope } from "effect"
import * as Cause from "effect/Cause"
import { spawn } from "node:child_process"
import type * as Net from "node:net"
import { bareClient, bareServer, event } from "./support.ts"

const connect = Transport.connect(Transport.Bytes)
const listen = Transport.listen(Transport.Bytes)

type Needs = Scope.Scope | Transport.ByteTransport<Tcp.Can>

/** A live test on TCP that must leave nothing behind. */
const live = <E>(name: string, program: Effect.Effect<unknown, E, Needs>, layer = () => Tcp.layer()) =>
  it.live(name, () => withoutLeaks(Effect.suspend(() => Effect.provide(Effect.scoped(program), layer())), resources))

const quiet = { onIncident: () => Effect.void }
const closingSoon = { closeWithin: "300 millis" } as const

/** The port of a server whose process stands still: connections pile up in its backlog. */
const frozenServer: Effect.Effect<number, never, Scope.Scope> = Effect.gen(function*() {
  const script = `require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, function() {
    process.stdout.write(String(this.address().port))
  })`
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] })),
    (child) =>
      Effect.callback<void>((resume) => {
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  )
  const port = Number(String(yield* event(child.stdout, "data")))
  child.kill("SIGSTOP")
  return port
})

live(
  "a connection that is cut as soon as it ends leaves nothing",
  Effect.gen(function*() {
    const before = resources()
    const listener = yield* listen("127.0.0.1:0")
    yield* Effect.forkScoped(listener.run(({ closed, end }) => Effect.andThen(end, closed), quiet))
    const connection = yield* connect(listener.address, closingSoon)
    yield* connection.end
    yield* connection.abort
    // The listener is left.
    yield* until(() => resources() === before + 1)
  })
)

describe("listening", () => {
  live(
    "cuts the connections an address has too many of, and says which address it was",
    Effect.gen(function*() {
      const incidents = yield* Queue.unbounded<Incident>()
      const listener = yield* listen("127.0.0.1:0", { maxConnectionsPerPeer: 2, ...closingSoon })
      const ended = yield* Queue.unbounded<void>()
      yield* Effect.forkScoped(listener.run(
        (connection) => Effect.andThen(Effect.ignore(Effect.forever(connection.pull)), Queue.offer(ended, undefined)),
        { onIncident: (incident) => Queue.offer(incidents, incident) }
      ))
      const one = yield* Scope.make()
      yield* Scope.provide(connect(listener.address, closingSoon), one)
      yield* connect(listener.address, closingSoon)
      // It may be cut before it knows that it is connected.
      yield* Effect.ignore(Effect.flatMap(connect(listener.address, closingSoon), (third) => third.pull))
      assert.deepStrictEqual(yield* Queue.take(incidents), {
        _tag: "TooManyConnections",
        count: 1,
        limit: 2,
        of: "peer",
        peer: "127.0.0.1"
      })
      yield* Scope.close(one, Exit.void)
      yield* Queue.take(ended)
      yield* Effect.sleep("20 millis")
      const fourth = yield* connect(listener.address, closingSoon)
      yield* fourth.send(Uint8Array.of(1))
      assert.strictEqual(yield* Queue.size(incidents), 0)
    })
  )

  live(
    "keeps real connections waiting, with what they sent, until there is room, and cuts those beyond",
    Effect.gen(function*() {
      const incidents = yield* Queue.unbounded<Incident>()
      const handled = yield* Queue.unbounded<number>()
      const listener = yield* listen("127.0.0.1:0", {
        maxConnections: 1,
        whenFull: "wait",
        maxWaiting: 1,
        ...closingSoon
      })
      yield* Effect.forkScoped(listener.run(
        (connection) =>
          Effect.andThen(
            Effect.flatMap(connection.pull, ([[first]]) => Queue.offer(handled, first)),
            Effect.ignore(connection.pull)
          ),
        { onIncident: (incident) => Queue.offer(incidents, incident) }
      ))
      const visit = (number: number) =>
        Effect.tap(connect(listener.address, closingSoon), (connection) => connection.send(Uint8Array.of(number)))
      const first = yield* visit(1)
      assert.strictEqual(yield* Queue.take(handled), 1)
      const second = yield* visit(2)
      yield* Effect.ignore(Effect.flatMap(visit(3), (third) => third.pull))
      const { peer: _, ...incident } = yield* Queue.take(incidents)
      assert.deepStrictEqual(incident, { _tag: "TooManyConnections", count: 1, of: "waiting", limit: 1 })
      assert.strictEqual(yield* Queue.size(handled), 0)
      yield* first.end
      assert.strictEqual(yield* Queue.take(handled), 2)
      yield* listener.pause
      yield* second.end
      yield* visit(4)
      yield* Effect.ignore(Effect.flatMap(visit(5), (fifth) => fifth.pull))
      assert.strictEqual(yield* Queue.size(handled), 0)
      yield* listener.resume
      assert.strictEqual(yield* Queue.take(handled), 4)
    })
  )
})

describe("connecting", () => {
  live(
    "tells about both ends",
    Effect.gen(function*() {
      const { port } = yield* bareServer(() => {})
      const connection = yield* connect<TcpInfo>(`127.0.0.1:${port}`, closingSoon)
      const info = Connection.detail(connection, TcpInfo)
      assert.deepStrictEqual(info.remote, { host: "127.0.0.1", port })
      assert.strictEqual(info.local.host, "127.0.0.1")
      assert.strictEqual(info.family, "IPv4")
      assert.deepStrictEqual(info.course.attempts.map(({ address }) => address), [`127.0.0.1:${port}`])
    })
  )

  live(
    "connects from the address it is told, and counts bytes",
    Effect.gen(function*() {
      const listener = yield* listen("127.0.0.1:0", closingSoon)
      yield* Effect.forkScoped(
        listener.run((peer) => Effect.ignore(Effect.flatMap(peer.pull, ([first]) => peer.send(first))), quiet)
      )
      const connection = yield* connect<TcpInfo>(listener.address, closingSoon)
      yield* connection.send(pattern(1_000))
      yield* take(connection, 1_000)
      const { bytesRead, bytesWritten, local } = Connection.detail(connection, TcpInfo)
      assert.strictEqual(local.host, "127.0.0.9")
      assert.deepStrictEqual({ bytesRead, bytesWritten }, { bytesRead: 1_000, bytesWritten: 1_000 })
    }),
    () => Tcp.layer({ localAddress: "127.0.0.9" })
  )

  live(
    "several listeners share a port if they are told to",
    Effect.gen(function*() {
      const { address } = yield* listen("127.0.0.1:0", closingSoon)
      assert.deepStrictEqual((yield* listen(address, closingSoon)).address, address)
    }),
    () => Tcp.layer({ reusePort: true })
  )

  live(
    "connects to one family only if it is told to",
    Effect.gen(function*() {
      const { port } = yield* bareServer(() => {})
      const connection = yield* connect<TcpInfo>(`both.test:${port}`, closingSoon)
      const { course, remote } = Connection.detail(connection, TcpInfo)
      assert.strictEqual(remote.host, "127.0.0.1")
      assert.strictEqual(course.lookups.length, 1)
      assert.strictEqual(course.attempts.length, 1)
    }),
    () => Tcp.over({ family: "IPv4" })(Layer.orDie(Ip.layerStatic({ hosts: { "both.test": ["::1", "127.0.0.1"] } })))
  )

  live(
    "refuses a literal address of the family it is told not to use, and listens in the other",
    Effect.gen(function*() {
      for (const reason of [yield* reasonOf(connect("[::1]:1")), yield* reasonOf(listen("[::1]:0"))]) {
        assert(reason._tag === "InvalidEndpoint")
        assert.match(reason.input, /^\[::1\]:[01]$/)
        assert.include(reason.detail, "no IPv4 address")
      }
      const listener = yield* listen("both.test:0", closingSoon)
      assert(listener.address.place._tag === "Tcp")
      const connection = yield* connect<TcpInfo>(`127.0.0.1:${listener.address.place.port}`, closingSoon)
      assert.strictEqual(Connection.detail(connection, TcpInfo).family, "IPv4")
    }),
    () => Tcp.over({ family: "IPv4" })(Layer.orDie(Ip.layerStatic({ hosts: { "both.test": ["::1", "127.0.0.1"] } })))
  )

  it.live("connects from the port it is told", () =>
    withoutLeaks(
      Effect.scoped(Effect.gen(function*() {
        const { port: free } = yield* Effect.scoped(bareServer(() => {}))
        const { port } = yield* bareServer((socket) => void socket.end(String(socket.remotePort)))
        const connection = yield* Effect.provide(
          connect<TcpInfo>(`127.0.0.1:${port}`, closingSoon),
          Tcp.layer({ localPort: free })
        )
        assert.strictEqual((yield* collect(connection)).toString(), String(free))
        assert.strictEqual(Connection.detail(connection, TcpInfo).local.port, free)
      })),
      resources
    ))

  live(
    "refused",
    Effect.gen(function*() {
      const { port } = yield* Effect.scoped(bareServer(() => {}))
      const reason = yield* reasonOf(connect(`127.0.0.1:${port}`))
      assert.strictEqual(reason._tag, "Refused")
      assert.include(reason.message, `127.0.0.1:${port}`)
    })
  )

  live(
    "unresolved",
    Effect.gen(function*() {
      const reason = yield* reasonOf(connect("nowhere.test:80"))
      assert(reason._tag === "Unresolved")
      assert.strictEqual(reason.host, "nowhere.test")
    }),
    () => Tcp.over()(Layer.orDie(Ip.layerStatic({})))
  )

  live(
    "an endpoint of another kind",
    Effect.gen(function*() {
      for (const endpoint of ["unix:/nowhere", "memory:here"]) {
        assert.strictEqual((yield* reasonOf(connect(endpoint)))._tag, "InvalidEndpoint")
        assert.strictEqual((yield* reasonOf(listen(endpoint)))._tag, "InvalidEndpoint")
      }
      assert.strictEqual((yield* reasonOf(connect(Endpoint.tcp("127.0.0.1", 70_000))))._tag, "Unresolved")
    })
  )

  live(
    "a URL that needs layers which are not there, before anything is sent",
    Effect.gen(function*() {
      let accepted = 0
      const { port } = yield* bareServer(() => accepted++)
      for (const [url, layers] of [["wss", ["websocket", "tls"]], ["tls", ["tls"]], ["ws", ["websocket"]]] as const) {
        const reason = yield* reasonOf(connect(`${url}://127.0.0.1:${port}`))
        assert(reason._tag === "LayersMissing")
        assert.deepStrictEqual(reason.layers, layers)
        assert.strictEqual((yield* reasonOf(listen(`${url}://127.0.0.1:0`)))._tag, "LayersMissing")
      }
      yield* Effect.sleep("20 millis")
      assert.strictEqual(accepted, 0)
    })
  )

  const several = () =>
    Tcp.over()(Layer.orDie(Ip.layerStatic({ hosts: { "many.test": ["127.0.0.3", "127.0.0.2", "127.0.0.1"] } })))

  live(
    "tries the addresses in order until one answers",
    Effect.gen(function*() {
      const { port } = yield* bareServer(() => {})
      const connection = yield* connect<TcpInfo>(`many.test:${port}`, closingSoon)
      const { course, remote } = Connection.detail(connection, TcpInfo)
      assert.deepStrictEqual(course.attempts.map(({ address }) => address), [
        `127.0.0.3:${port}`,
        `127.0.0.2:${port}`,
        `127.0.0.1:${port}`
      ])
      assert.strictEqual(remote.host, "127.0.0.1")
    }),
    several
  )

  live(
    "says which addresses failed",
    Effect.gen(function*() {
      const { port } = yield* Effect.scoped(bareServer(() => {}))
      const reason = yield* reasonOf(connect(`many.test:${port}`))
      assert(reason._tag === "Refused")
      assert.strictEqual(reason.address, `127.0.0.3:${port}, 127.0.0.2:${port}, 127.0.0.1:${port}`)
    }),
    several
  )

  live(
    "lists addresses that failed for different reasons",
    Effect.gen(function*() {
      const { port } = yield* Effect.scoped(bareServer(() => {}))
      const reason = yield* reasonOf(connect(`mixed.test:${port}`))
      assert(reason._tag === "NoneReached")
      assert.strictEqual(reason.attempts.length, 2)
      assert.strictEqual(reason.attempts[1].reason._tag, "Refused")
      assert.include(reason.message, `127.0.0.1:${port} refused`)
    }),
    // The system forbids TCP to the broadcast address before it sends anything.
    () => Tcp.over()(Layer.orDie(Ip.layerStatic({ hosts: { "mixed.test": ["255.255.255.255", "127.0.0.1"] } })))
  )

  live(
    "takes no longer than it is given, and tries the other addresses all the same",
    Effect.gen(function*() {
      const port = yield* frozenServer
      // The system answers as many as the backlog holds, and is silent after that.
      const reason = yield* reasonOf(Effect.forever(connect(`127.0.0.1:${port}`, closingSoon)))
      assert(reason._tag === "TimedOut")
      assert.include(reason.phase, `127.0.0.1:${port}`)
      assert.isAtMost(reason.after, 400)
      const both = yield* reasonOf(connect(`both.test:${port}`))
      assert(both._tag === "NoneReached")
      assert.deepStrictEqual(both.attempts.map((attempt) => attempt.reason._tag), ["TimedOut", "Refused"])
    }),
    () =>
      Tcp.over({ connectWithin: "400 millis", happyEyeballs: { attemptDelay: "50 millis" } })(
        Layer.orDie(Ip.layerStatic({ hosts: { "both.test": ["127.0.0.1", "127.0.0.2"] } }))
      )
  )

  live(
    "leaves nothing when it is interrupted, at whatever moment",
    Effect.gen(function*() {
      let open = 0
      const { port } = yield* bareServer((socket) => {
        open++
        socket.on("close", () => open--)
        socket.on("end", () => socket.end())
        socket.resume()
      })
      for (let n = 0; n < 60; n++) {
        const fiber = yield* Effect.forkChild(Effect.scoped(connect(`127.0.0.1:${port}`)))
        for (let turns = n % 10; turns > 0; turns--) yield* Effect.yieldNow
        if (n % 3 === 0) yield* Effect.callback((resume) => void setImmediate(() => resume(Effect.void)))
        yield* Fiber.interrupt(fiber)
      }
      yield* Effect.sleep("5 millis")
      yield* until(() => open === 0)
    })
  )
})

describe("listening", () => {
  live(
    "tells the port it was given",
    Effect.gen(function*() {
      const listener = yield* listen("localhost:0")
      assert(listener.address.place._tag === "Tcp")
      assert.strictEqual(listener.address.place.host, "localhost")
      assert.isAbove(listener.address.place.port, 0)
      yield* Effect.forkScoped(listener.run((connection) => connection.send(Buffer.from("hi")), quiet))
      assert.strictEqual((yield* collect(yield* connect(listener.address))).toString(), "hi")
    })
  )

  live(
    "address in use",
    Effect.gen(function*() {
      const { port } = yield* bareServer(() => {})
      const reason = yield* reasonOf(listen(`127.0.0.1:${port}`))
      assert.strictEqual(reason._tag, "AddressInUse")
    })
  )

  live(
    "keeps connections that come before it is run",
    Effect.gen(function*() {
      const listener = yield* listen("127.0.0.1:0", closingSoon)
      const connection = yield* connect(listener.address)
      yield* connection.send(Buffer.from("early"))
      yield* Effect.sleep("20 millis")
      const received = yield* Deferred.make<string>()
      yield* Effect.forkScoped(
        listener.run(
          (accepted) => Effect.flatMap(take(accepted, 5), (bytes) => Deferred.succeed(received, bytes.toString())),
          quiet
        )
      )
      assert.strictEqual(yield* Deferred.await(received), "early")
    })
  )

  live(
    "frees the address when it closes, and cuts what waits",
    Effect.gen(function*() {
      const listener = yield* Effect.scoped(Effect.gen(function*() {
        const listener = yield* listen("127.0.0.1:0")
        assert(listener.address.place._tag === "Tcp")
        const client = yield* bareClient(listener.address.place)
        yield* Effect.sleep("10 millis")
        yield* Effect.forkChild(event(client, "close"))
        return listener
      }))
      yield* listen(listener.address)
    })
  )

  for (const ipv6Only of [false, true]) {
    live(
      `on [::] takes ${ipv6Only ? "IPv6 only" : "both families"}`,
      Effect.gen(function*() {
        const listener = yield* listen("[::]:0", closingSoon)
        assert(listener.address.place._tag === "Tcp")
        const { port } = listener.address.place
        yield* Effect.forkScoped(listener.run((peer) => Effect.ignore(peer.pull), quiet))
        yield* connect(`[::1]:${port}`, closingSoon)
        const other = yield* Effect.result(connect<TcpInfo>(`127.0.0.1:${port}`, closingSoon))
        if (ipv6Only) assert(other._tag === "Failure" && other.failure.reason._tag === "Refused")
        else assert(other._tag === "Success")
      }),
      () => Tcp.layer({ ipv6Only })
    )
  }

  for (const address of ["127.0.0.1:0", "0.0.0.0:0"]) {
    live(
      `tells the handler about both ends, listening on ${address}`,
      Effect.gen(function*() {
        const listener = yield* listen<TcpInfo>(address)
        assert(listener.address.place._tag === "Tcp")
        const told = yield* Deferred.make<TcpInfo["Service"]>()
        yield* Effect.forkScoped(
          listener.run((connection) => Deferred.succeed(told, Connection.detail(connection, TcpInfo)), quiet)
        )
        const client = yield* connect<TcpInfo>(`127.0.0.1:${listener.address.place.port}`)
        const server = yield* Deferred.await(told)
        assert.deepStrictEqual(server.remote, Connection.detail(client, TcpInfo).local)
        assert.deepStrictEqual(server.local, Connection.detail(client, TcpInfo).remote)
      })
    )
  }
})

describe("moving bytes", () => {
  const echo = (socket: Net.Socket) => void socket.pipe(socket)

  live(
    "a MiB there and back",
    Effect.gen(function*() {
      const { port } = yield* bareServer(echo)
      const connection = yield* connect(`127.0.0.1:${port}`)
      const sent = pattern(1_048_576)
      const receiving = yield* Effect.forkChild(collect(connection))
      for (let at = 0; at < sent.length; at += 10_000) yield* connection.send(sent.subarray(at, at + 10_000))
      yield* connection.end
      assert.isTrue(sent.equals(yield* Fiber.join(receiving)))
    })
  )

  live(
    "one message larger than every bound",
    Effect.gen(function*() {
      const { port } = yield* bareServer(echo)
      const connection = yield* connect(`127.0.0.1:${port}`)
      const sent = pattern(3_000_000)
      const receiving = yield* Effect.forkChild(collect(connection))
      yield* connection.sendAll([
        sent.subarray(0, 5),
        sent.subarray(5, 100_000),
        sent.subarray(100_000, 100_003),
        sent.subarray(100_003)
      ])
      yield* connection.end
      assert.isTrue(sent.equals(yield* Fiber.join(receiving)))
    })
  )

  live(
    "byte by byte",
    Effect.gen(function*() {
      const { port } = yield* bareServer(echo)
      const connection = yield* connect(`127.0.0.1:${port}`)
      const sent = pattern(2_000)
      const receiving = yield* Effect.forkChild(collect(connection))
      for (let at = 0; at < sent.length; at++) {
        yield* connection.send(sent.subarray(at, at + 1))
        if (at % 100 === 0) yield* Effect.sleep("1 millis")
      }
      yield* connection.end
      assert.isTrue(sent.equals(yield* Fiber.join(receiving)))
    })
  )

  live(
    "what is sent in one turn leaves in one piece",
    Effect.gen(function*() {
      const pieces: Array<number> = []
      const { port } = yield* bareServer((socket) => socket.on("data", (data) => pieces.push(data.length)))
      const connection = yield* connect(`127.0.0.1:${port}`, closingSoon)
      for (let n = 0; n < 100; n++) yield* connection.send(Buffer.alloc(64))
      yield* until(() => pieces.length > 0)
      assert.deepStrictEqual(pieces, [6_400])
    })
  )

  live(
    "what was sent is not touched, and the same buffer may be sent again",
    Effect.gen(function*() {
      const { port } = yield* bareServer(echo)
      const connection = yield* connect(`127.0.0.1:${port}`)
      const message = pattern(1_000)
      const receiving = yield* Effect.forkChild(collect(connection))
      for (let n = 0; n < 100; n++) yield* connection.send(message)
      yield* connection.end
      assert.isTrue(message.equals(pattern(1_000)))
      assert.isTrue(Buffer.concat(Array.from({ length: 100 }, () => message)).equals(yield* Fiber.join(receiving)))
    })
  )
})

describe("backpressure", () => {
  live(
    "a peer that does not read stalls the sender, and loses nothing",
    Effect.gen(function*() {
      let socket: Net.Socket | undefined
      let received = 0
      const { port } = yield* bareServer((accepted) => {
        socket = accepted.pause()
      })
      const connection = yield* connect(`127.0.0.1:${port}`)
      const chunk = Buffer.alloc(32_768)
      let sent = 0
      const total = 2_000
      const sending = yield* Effect.forkChild(Effect.gen(function*() {
        for (; sent < total; sent++) yield* connection.send(chunk)
        yield* connection.end
      }))
      let before = -1
      while (before !== sent) {
        before = sent
        yield* Effect.sleep("50 millis")
      }
      assert.isBelow(sent, total)
      socket!.on("data", (data) => {
        received += data.length
      }).on("end", () => socket!.end()).resume()
      yield* Fiber.join(sending)
      yield* until(() => received === total * chunk.length)
    })
  )

  live(
    "a connection that is not pulled stalls its peer",
    Effect.gen(function*() {
      let socket: Net.Socket | undefined
      const { port } = yield* bareServer((accepted) => {
        socket = accepted
      })
      const connection = yield* connect(`127.0.0.1:${port}`)
      yield* until(() => socket !== undefined)
      const total = 64 * 1_048_576
      const chunk = Buffer.alloc(1_048_576)
      for (let sent = 0; sent < total; sent += chunk.length) socket!.write(chunk)
      socket!.end()
      let before = -1
      while (before !== socket!.writableLength) {
        before = socket!.writableLength
        yield* Effect.sleep("50 millis")
      }
      // What is not in the peer's memory is in the system's buffers and our read-ahead: far less than all of it.
      assert.isAbove(before, total / 2)
      let received = 0
      while (received < total) for (const data of yield* connection.pull) received += data.length
      assert.strictEqual(received, total)
    })
  )
})

describe("ends", () => {
  live(
    "our half-close is an end for the peer, which goes on",
    Effect.gen(function*() {
      const { port } = yield* bareServer((socket) => {
        let seen = ""
        socket.on("data", (data) => seen += data)
        socket.on("end", () => setTimeout(() => socket.end(`after the end: ${seen}`), 10))
      })
      const connection = yield* connect(`127.0.0.1:${port}`)
      yield* connection.send(Buffer.from("question"))
      yield* connection.end
      assert.strictEqual((yield* collect(connection)).toString(), "after the end: question")
    })
  )

  live(
    "the peer's half-close ends the pull, and we go on",
    Effect.gen(function*() {
      let socket: Net.Socket | undefined
      let seen = ""
      const { port } = yield* bareServer((accepted) => {
        socket = accepted
        accepted.end("bye")
        accepted.on("data", (data) => seen += data)
      })
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(connect(`127.0.0.1:${port}`), scope)
      assert.strictEqual((yield* collect(connection)).toString(), "bye")
      yield* connection.send(Buffer.from("and now me"))
      yield* Scope.close(scope, Exit.void)
      yield* until(() => seen === "and now me" && socket!.destroyed)
      const outcome = yield* connection.closed
      assert.isTrue(outcome.clean)
      assert.strictEqual(outcome.endOfInput, "announced")
      assert.strictEqual(outcome.first, "remote")
    })
  )

  live(
    "a reset is a failure, after what came before it",
    Effect.gen(function*() {
      let socket: Net.Socket | undefined
      const { port } = yield* bareServer((accepted) => {
        socket = accepted
      })
      const connection = yield* connect(`127.0.0.1:${port}`)
      yield* until(() => socket !== undefined)
      socket!.write("last words")
      yield* Effect.sleep("20 millis")
      socket!.resetAndDestroy()
      yield* Effect.sleep("20 millis")
      assert.strictEqual((yield* take(connection, 10)).toString(), "last words")
      const error = yield* Effect.flip(connection.pull)
      assert(!Cause.isDone(error))
      assert.strictEqual(error.reason._tag, "Reset")
      assert.strictEqual((yield* Effect.flip(connection.send(Buffer.from("x")))).reason._tag, "Reset")
      assert.strictEqual((yield* connection.closed).endOfInput, "unannounced")
    })
  )

  live(
    "a reset wakes a sender that waits for room",
    Effect.gen(function*() {
      let socket: Net.Socket | undefined
      const { port } = yield* bareServer((accepted) => {
        socket = accepted.pause()
      })
      const connection = yield* connect(`127.0.0.1:${port}`)
      const sending = yield* Effect.forkChild(Effect.flip(Effect.forever(connection.send(Buffer.alloc(65_536)))))
      yield* until(() => socket !== undefined)
      yield* Effect.sleep("100 millis")
      socket!.resetAndDestroy()
      assert.strictEqual((yield* Fiber.join(sending)).reason._tag, "Reset")
      const outcome = yield* connection.closed
      assert.isFalse(outcome.clean)
      assert.isAbove(outcome.unsent.bytes, 0)
    })
  )

  live(
    "an abort is a reset for the peer, also while much is unsent",
    Effect.gen(function*() {
      // Node 22 ends a socket with a FIN if it still has something to write, whatever it is told.
      const amounts = Number(process.versions.node.split(".")[0]) < 24 ? [0] : [0, 20_000_000]
      for (const unsent of amounts) {
        const codes: Array<string> = []
        let socket: Net.Socket | undefined
        const { port } = yield* bareServer((accepted) => {
          socket = accepted
          accepted.on("error", (error: NodeJS.ErrnoException) => codes.push(error.code ?? ""))
          if (unsent > 0) accepted.pause()
          else accepted.resume()
        })
        const connection = yield* connect(`127.0.0.1:${port}`)
        yield* until(() => socket !== undefined)
        if (unsent > 0) {
          yield* connection.send(Buffer.alloc(unsent))
          yield* Effect.sleep("50 millis")
        }
        yield* connection.abort
        const outcome = yield* connection.closed
        assert.isFalse(outcome.clean)
        if (unsent > 0) assert.isAbove(outcome.unsent.bytes, 1_000_000)
        socket!.resume()
        yield* until(() => codes.length > 0)
        assert.deepStrictEqual(codes, ["ECONNRESET"])
      }
    })
  )

  live(
    "a close waits for the peer's end, and cuts a silent peer at the end of its budget",
    Effect.gen(function*() {
      for (const answers of [true, false]) {
        const { port } = yield* bareServer((socket) => {
          socket.resume()
          if (answers) socket.on("end", () => setTimeout(() => socket.end(), 50))
        })
        const connection = yield* Effect.scoped(connect(`127.0.0.1:${port}`, { closeWithin: "150 millis" }))
        const outcome = yield* connection.closed
        assert.strictEqual(outcome.clean, answers)
        assert.strictEqual(outcome.first, "local")
      }
    })
  )

  live(
    "a close goes on reading although nobody pulls",
    Effect.gen(function*() {
      const { port } = yield* bareServer((socket) => {
        for (let n = 0; n < 20; n++) socket.write(Buffer.alloc(1_000_000))
        socket.end()
        socket.resume()
      })
      const connection = yield* Effect.scoped(Effect.tap(connect(`127.0.0.1:${port}`), () => Effect.sleep("30 millis")))
      const outcome = yield* connection.closed
      assert.isTrue(outcome.clean)
      assert.isAbove(outcome.undelivered, 0)
    })
  )
})

describe("types", () => {
  it("says what a stack can do", () => {
    const needsInfo = connect<TcpInfo>("127.0.0.1:1")
    const provided: Effect.Effect<unknown, unknown, Scope.Scope> = Effect.provide(needsInfo, Tcp.layer())
    assert.isDefined(provided)
    // @ts-expect-error TCP stands on IP
    Tcp.over()(Layer.empty)
    // @ts-expect-error there is no such option
    Tcp.layer({ nodelay: true })
    assert.notStrictEqual(Tcp.layer(), Tcp.layer())
  })
})
