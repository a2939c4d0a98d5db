/** The layer as its users meet it, over memory: the other side is ours, or bytes by hand. */
import { assert } from "@effect/vitest"
import { type Endpoint, MemoryTransport, Transport } from "@wirestack/protocol"
import type { Ask, Negotiated } from "@wirestack/protocol/Ask"
import type { Connection } from "@wirestack/protocol/Connection"
import { formatPlace, memory } from "@wirestack/protocol/Endpoint"
import type { Incident } from "@wirestack/protocol/Listener"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { withoutLeaks } from "@wirestack/protocol/testing"
import { reasonOf } from "@wirestack/test-support"
import { WebSocket } from "@wirestack/websocket"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Queue, Scope } from "effect"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { concat, text, utf8 } from "../support.ts"

export type Both = Transport.Connect | Transport.Listen
export type Details = WebSocket.WebSocket | Negotiated
export type Messages = Connection<Transport.Message, Transport.Message, Details>
export type Bytes = Connection<Uint8Array, Uint8Array>
export type Needs = Scope.Scope | Transport.ByteTransport<Both> | Transport.MessageTransport<Both | Details>
export type Options = WebSocket.Deadline & {
  readonly client?: WebSocket.ClientOptions
  readonly server?: WebSocket.ServerOptions
}

export const here = "memory:here"

/** Runs a program whose scope has to close within the budget of its connections, and that must leave no fiber behind. */
export const alone = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const done = yield* Deferred.make<void>()
    const body = Effect.gen(function*() {
      const scope = yield* Scope.make()
      const exit = yield* Effect.exit(Scope.provide(program, scope))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      for (let seconds = 0; closing.pollUnsafe() === undefined; seconds++) {
        assert.isBelow(seconds, 30, "seconds it took to close")
        yield* TestClock.adjust("1 second")
      }
      return yield* exit
    })
    const running = yield* Effect.forkChild(
      withoutLeaks(
        Effect.ensuring(Effect.flatMap(Effect.forkChild(body), Fiber.join), Deferred.succeed(done, undefined))
      )
    )
    yield* Deferred.await(done)
    yield* Effect.yieldNow
    if (running.pollUnsafe() === undefined) yield* TestClock.adjust("2 seconds")
    return yield* Fiber.join(running)
  })

/** A program on a network, with bytes and WebSockets at once. */
const onNetwork = <A, E>(
  network: Layer.Layer<Transport.ByteTransport<Both>>,
  websocket: ReturnType<typeof WebSocket.over>,
  program: Effect.Effect<A, E, Needs>
): Effect.Effect<A, E> =>
  alone(
    Effect.flatMap(
      Layer.build(Layer.merge(network, websocket(network))),
      (context) => Effect.provideContext(program as Effect.Effect<A, E, any>, context)
    ) as Effect.Effect<A, E, Scope.Scope>
  )

/** A program on a network of its own. */
export const on = <A, E>(options: Options, program: Effect.Effect<A, E, Needs>): Effect.Effect<A, E> =>
  onNetwork(MemoryTransport.layer(), WebSocket.over(options), program)

type Network = Transport.Transport<Uint8Array, Uint8Array>

/** Any address is a name on this network, and it counts as encrypted. */
const internet = (): Layer.Layer<Transport.ByteTransport<Both>> => {
  const named = (ask: Ask): Ask => ({ ...ask, endpoint: memory(formatPlace(ask.endpoint.place)), demands: [] })
  const known = Effect.map(Effect.service(Transport.Bytes.key), (network): Network => ({
    connect: (ask) => network.connect(named(ask)),
    listen: (ask) =>
      Effect.map(network.listen(named(ask)), (listener) => ({
        address: ask.endpoint,
        pause: listener.pause,
        resume: listener.resume,
        drain: listener.drain,
        draining: listener.draining,
        drained: listener.drained,
        run: (handler, options) => listener.run(handler, options)
      }))
  }))
  return Layer.provide(Transport.layer(Transport.Bytes, known), MemoryTransport.layer())
}

/** A program with the whole internet to itself: hosts, ports and TLS are believed. */
export const onInternet = <A, E>(options: Options, program: Effect.Effect<A, E, Needs>): Effect.Effect<A, E> =>
  onNetwork(internet(), WebSocket.over(options), program)

const offering = (...offers: ReadonlyArray<string>) => ({ ...Transport.Messages, offers })

export const connect = (endpoint: Endpoint.Input = here, ...offers: ReadonlyArray<string>) =>
  Transport.connect(offering(...offers))<Details>(endpoint)

/** A server: every connection it has, once it is open, and every incident. */
export const serveAt = (endpoint: Endpoint.Input, ...offers: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const connections = yield* Queue.unbounded<Messages>()
    const incidents = yield* Queue.unbounded<Incident>()
    const listener = yield* Transport.listen(offering(...offers))<Details>(endpoint)
    yield* Effect.forkScoped(
      listener.run(
        (connection) => Effect.andThen(Queue.offer(connections, connection), Effect.asVoid(connection.closed)),
        {
          onIncident: (incident) => Queue.offer(incidents, incident)
        }
      ),
      { startImmediately: true }
    )
    return { next: Queue.take(connections), incident: Queue.take(incidents) }
  })

export const serve = (...offers: ReadonlyArray<string>) => serveAt(here, ...offers)

/** A server of bytes. */
export const serveBytesAt = (endpoint: Endpoint.Input) =>
  Effect.gen(function*() {
    const connections = yield* Queue.unbounded<Bytes>()
    const listener = yield* Transport.listen(Transport.Bytes)(endpoint)
    yield* Effect.forkScoped(
      listener.run((connection) =>
        Effect.andThen(Queue.offer(connections, connection), Effect.asVoid(connection.closed))
      ),
      { startImmediately: true }
    )
    return { next: Queue.take(connections) }
  })

export const serveBytes = serveBytesAt(here)

export const connectBytes = Transport.connect(Transport.Bytes)(here)

/** Our client and our server, connected. */
export const pair = Effect.gen(function*() {
  const server = yield* serve()
  const client = yield* connect()
  return [client, yield* server.next] as const
})

/** The typed failure of a pull. */
export const failure = (connection: Connection<unknown, never>) =>
  Effect.map(Effect.flip(Effect.forever(connection.pull)), (error) => {
    assert(!Cause.isDone(error), "the input ended in order")
    return error
  })

/** The outcome with which the input ends in order. */
export const ending = (connection: Connection<unknown, never>): Effect.Effect<Outcome> =>
  Effect.flatMap(
    Effect.flip(Effect.forever(connection.pull)),
    (error) => Cause.isDone(error) ? Effect.succeed(error.value as Outcome) : Effect.die(error)
  )

/** What is received until `enough`, or until the end. */
export const gather = (connection: Bytes, enough: (soFar: Uint8Array) => boolean) => {
  let soFar = new Uint8Array(0)
  const loop: Effect.Effect<Uint8Array> = Effect.matchEffect(connection.pull, {
    onSuccess: (batch) => {
      soFar = concat(soFar, ...batch) as Uint8Array<ArrayBuffer>
      return enough(soFar) ? Effect.succeed(soFar) : loop
    },
    onFailure: () => Effect.succeed(soFar)
  })
  return loop
}

export const head = (connection: Bytes) =>
  Effect.map(gather(connection, (soFar) => text(soFar).includes("\r\n\r\n")), text)
export const all = (connection: Bytes) => gather(connection, () => false)
export const bytes = (connection: Bytes, size: number) => gather(connection, (soFar) => soFar.length >= size)

const asked = {
  Host: "localhost",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13"
}

export const request = (headers: Record<string, string> = {}, path = "/") =>
  utf8(
    `GET ${path} HTTP/1.1\r\n${
      Object.entries({ ...asked, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`).join("")
    }\r\n`
  )

/** A client of bytes that has been let in. */
export const upgradedBytes = Effect.gen(function*() {
  const client = yield* connectBytes
  yield* client.send(request())
  assert.match(yield* head(client), /^HTTP\/1\.1 101 /)
  return client
})

/** The 101 that a request wants to hear, with whatever else is wanted in it. */
export const answer = (request: string, headers: Record<string, string> = {}) => {
  const [, key] = /^Sec-WebSocket-Key: (.*)\r$/m.exec(request)!
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
  const lines = Object.entries({
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Accept": accept,
    ...headers
  })
  return utf8(`HTTP/1.1 101 Switching Protocols\r\n${lines.map((line) => `${line.join(": ")}\r\n`).join("")}\r\n`)
}

/** How our client takes what a server of bytes answers. */
export const answered = (
  reply: (request: string) => Uint8Array,
  options: Options = {},
  ...offers: ReadonlyArray<string>
) =>
  on(
    options,
    Effect.gen(function*() {
      const server = yield* serveBytes
      const client = yield* Effect.forkChild(reasonOf(Effect.scoped(connect(here, ...offers))))
      const connection = yield* server.next
      yield* connection.send(reply(yield* head(connection)))
      return yield* Fiber.join(client)
    })
  )

/** What our server answers bytes with, and what incident it reports; afterwards it lets the next client in. */
export const refused = (sent: Uint8Array, options: Options = {}) =>
  on(
    options,
    Effect.gen(function*() {
      const server = yield* serve()
      const said = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* connectBytes
        yield* client.send(sent)
        return text(yield* all(client))
      }))
      const incident = yield* server.incident
      yield* connect()
      yield* server.next
      assert(incident._tag === "HandshakeFailed")
      assert.strictEqual(incident.error.layer, "websocket")
      return { said, reason: incident.error.reason }
    })
  )

/** What arrives at a connection of bytes, to be looked at whenever it suits; each byte once. */
export const collecting = (connection: Bytes) =>
  Effect.gen(function*() {
    const soFar: Array<Uint8Array> = []
    const collect = Effect.map(connection.pull, (batch) => soFar.push(...batch))
    yield* Effect.forkScoped(Effect.ignore(Effect.forever(collect)), { startImmediately: true })
    return () => concat(...soFar.splice(0))
  })

/** Our client and a server of bytes that has let it in. */
export const clientOfBytes = Effect.gen(function*() {
  const server = yield* serveBytes
  const connecting = yield* Effect.forkChild(connect())
  const far = yield* server.next
  yield* far.send(answer(yield* head(far)))
  return [yield* Fiber.join(connecting), far] as const
})

/** Our server, and a client of bytes that it has let in. */
export const serverOfBytes = Effect.gen(function*() {
  const server = yield* serve()
  const far = yield* upgradedBytes
  return [yield* server.next, far] as const
})

/** Lets everything happen that happens now. */
export const settle = Effect.repeat(TestClock.adjust(0), { times: 15 })
