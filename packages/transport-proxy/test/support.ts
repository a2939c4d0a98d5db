import * as HttpHead from "@wirestack/http/HttpHead"
import type { Ask } from "@wirestack/protocol/Ask"
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { Reader, readUntil } from "@wirestack/protocol/handshake/Reader"
import type { Listener } from "@wirestack/protocol/Listener"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import * as Transport from "@wirestack/protocol/Transport"
import type { Tcp } from "@wirestack/transport-tcp"
import { Effect, Layer, Result, type Scope, Stream } from "effect"

export type Bytes = Connection.Connection<Uint8Array, Uint8Array>

export const connect = Transport.connect(Transport.Bytes)
export const listen = Transport.listen(Transport.Bytes)

/** A stack on another, which is the same for whoever uses either. */
export const above = <A, B, E>(
  lower: Layer.Layer<Transport.ByteTransport<A>>,
  over: (lower: Layer.Layer<Transport.ByteTransport<A>>) => Layer.Layer<Transport.ByteTransport<B>, E>
) =>
  Effect.gen(function*() {
    const below = yield* Layer.build(lower)
    const above = yield* Layer.build(over(Layer.succeedContext(below)))
    return { below, above }
  })

const pass = (from: Bytes, to: Bytes): Effect.Effect<void, ConnectionError> =>
  Effect.andThen(Stream.runForEachArray(Connection.messages(from), to.sendAll), Effect.ignore(to.end))

/** Passes on what each side says, ends and cuts. */
const relay = (one: Bytes, other: Bytes): Effect.Effect<void> =>
  Effect.ignore(Effect.onError(
    Effect.all([pass(one, other), pass(other, one)], { concurrency: 2, discard: true }),
    () => Effect.andThen(one.abort, other.abort)
  ))

/** A SOCKS5 proxy that has been written for the tests, and keeps what it was asked. */
export const proxy = (
  asked: Array<string>,
  credentials?: readonly [username: string, password: string]
) =>
  Effect.fnUntraced(function*(client: Bytes) {
    const reader = new Reader(client, "proxy")
    const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
    const [, count] = yield* reader.take(2, "methods")
    const methods = yield* reader.take(count, "methods")
    const method = credentials === undefined ? 0 : 2
    if (!methods.includes(method)) return yield* client.send(Uint8Array.of(5, 0xff))
    yield* client.send(Uint8Array.of(5, method))
    if (credentials !== undefined) {
      const [, length] = yield* reader.take(2, "username")
      const username = text(yield* reader.take(length, "username"))
      const [size] = yield* reader.take(1, "password")
      const password = text(yield* reader.take(size, "password"))
      const known = username === credentials[0] && password === credentials[1]
      yield* client.send(Uint8Array.of(1, known ? 0 : 1))
      if (!known) return
    }
    const [, , , type] = yield* reader.take(4, "request")
    const [length] = type === 3 ? yield* reader.take(1, "name") : [type === 1 ? 4 : 16]
    const bytes = yield* reader.take(length, "address")
    const [high, low] = yield* reader.take(2, "port")
    const host = type === 3 ? text(bytes) : bytes.join(type === 1 ? "." : ",")
    const port = high * 256 + low
    asked.push(`${host}:${port}`)
    const reply = (code: number) => client.send(Uint8Array.of(5, code, 0, 1, 127, 0, 0, 1, 0, 0))
    const target = yield* Effect.result(connect(Endpoint.tcp(host === "here.test" ? "127.0.0.1" : host, port)))
    if (target._tag === "Failure") return yield* reply(target.failure.reason._tag === "Refused" ? 5 : 4)
    yield* reply(0)
    const rest = reader.leftover
    if (rest.length > 0) yield* target.success.sendAll(rest as [Uint8Array])
    yield* relay(client, target.success)
  })

/** Runs a proxy on TCP, and tells where it is. */
export const running = (
  handler: (
    client: Bytes
  ) => Effect.Effect<void, ConnectError | ConnectionError, Scope.Scope | Transport.ByteTransport<Tcp.Can>>
) =>
  Effect.gen(function*() {
    const listener = yield* listen("127.0.0.1:0", { closeWithin: "300 millis" })
    yield* Effect.forkScoped(listener.run(handler, { onIncident: () => Effect.void }))
    return Endpoint.format(listener.address)
  })

type Both = Transport.Connect | Transport.Listen

/** A network in memory in which each host and port is a place of its own. */
export const network = (): Layer.Layer<Transport.ByteTransport<Both>> => {
  const inMemory = (ask: Ask): Ask => ({
    ...ask,
    endpoint: { ...ask.endpoint, place: { _tag: "Memory", name: Endpoint.formatPlace(ask.endpoint.place) } }
  })
  const named = <I, O>(listener: Listener<I, O>, { endpoint }: Ask): Listener<I, O> => ({
    address: endpoint,
    pause: listener.pause,
    resume: listener.resume,
    drain: listener.drain,
    draining: listener.draining,
    drained: listener.drained,
    run: (handler, options) => listener.run(handler, options)
  })
  const byName = Effect.map(
    Transport.Bytes.key,
    ({ connect, listen }): Transport.Transport<Uint8Array, Uint8Array> => ({
      connect: (ask) => connect(inMemory(ask)),
      listen: (ask) => Effect.map(listen(inMemory(ask)), (listener) => named(listener, ask))
    })
  )
  return Layer.provide(
    Transport.layer<
      "bytes",
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Both,
      never,
      Transport.ByteTransport<Both>
    >(
      Transport.Bytes,
      byName
    ),
    MemoryTransport.layer()
  )
}

/** Handles connections until the scope closes. */
export const serving = <R>(
  endpoint: string,
  handler: (client: Bytes) => Effect.Effect<void, ConnectError | ConnectionError, R>
) =>
  Effect.gen(function*() {
    const listener = yield* listen(endpoint, { closeWithin: "300 millis" })
    yield* Effect.forkScoped(listener.run(handler, { onIncident: () => Effect.void }))
    return listener
  })

export const echo = (peer: Bytes): Effect.Effect<void, ConnectionError> =>
  Stream.run(Connection.messages(peer), Connection.sink(peer))

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The request that comes first, with what came behind it. */
export const requestOf = (client: Bytes) =>
  Effect.gen(function*() {
    const reader = HttpHead.requestReader()
    const { found, rest } = yield* readUntil(client, (chunk) => reader.receive(chunk), () => undefined)
    if (found === undefined) return yield* Effect.interrupt
    const { head, leftover } = Result.getOrThrow(found)
    return { head, leftover: [leftover, ...rest].filter(({ length }) => length > 0) }
  })

/** An HTTP proxy that has been written for the tests, and keeps what it was asked; `known` is the `Proxy-Authorization` it wants. */
export const httpProxy = (asked: Array<HttpHead.Request>, known?: string) => (client: Bytes) =>
  Effect.gen(function*() {
    const { head } = yield* requestOf(client)
    asked.push(head)
    if (
      known !== undefined && !head.headers.some(([name, value]) => name === "proxy-authorization" && value === known)
    ) {
      const challenge = "Proxy-Authenticate: Negotiate, Basic realm=\"here, there\"\r\nContent-Length: 6\r\n"
      return yield* client.send(utf8(`HTTP/1.1 407 Who\r\n${challenge}\r\nwho?\r\n`))
    }
    const target = yield* Effect.result(connect(head.target))
    if (Result.isFailure(target)) return yield* client.send(utf8("HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"))
    yield* client.send(utf8("HTTP/1.1 200 Connection established\r\n\r\n"))
    yield* relay(client, target.success)
  })
