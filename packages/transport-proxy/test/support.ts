import type { ConnectError } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { Reader } from "@wirestack/protocol/Reader"
import * as Transport from "@wirestack/protocol/Transport"
import type { Tcp } from "@wirestack/transport-tcp"
import { Effect, Layer, type Scope, Stream } from "effect"

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
