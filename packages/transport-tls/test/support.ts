import { ConnectError } from "@wirestack/protocol/ConnectError"
import { type Connection, detail } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, resources, take, until } from "@wirestack/test-support"
import { Tcp } from "@wirestack/transport-tcp"
import { Tls, TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Deferred, Effect, type Layer, Queue, type Scope, Stream } from "effect"
import * as Cause from "effect/Cause"

export const connect = Transport.connect(Transport.Bytes)
export const listen = Transport.listen(Transport.Bytes)

/** What the tests present and trust, made once. */
export const certificates = Effect.runSync(Effect.cached(Effect.gen(function*() {
  const authority = yield* DevelopmentCertificates.make()
  const other = yield* DevelopmentCertificates.make({ commonName: "Another Authority" })
  return {
    authority,
    ca: authority.ca,
    other,
    identity: yield* authority.issue(),
    alternative: yield* authority.issue({ names: ["*.example.test"] }),
    expired: yield* authority.issue({ days: [-20, -10] }),
    early: yield* authority.issue({ days: [10, 20] }),
    foreign: yield* other.issue(),
    client: yield* authority.issue({ names: [], commonName: "a client" })
  }
})))

export type Certificates = Effect.Success<typeof certificates>

type Both = Transport.ByteTransport<Transport.Connect | Transport.Listen>

/** The grounds TLS stands on in the tests, and where one listens and connects there. */
export interface Ground {
  readonly path: "direct" | "duplex"
  readonly layer: () => Layer.Layer<Both>
  readonly endpoint: string
}

export const grounds: Record<"TCP" | "memory", Ground> = {
  TCP: { path: "direct", layer: () => Tcp.layer(), endpoint: "127.0.0.1:0" },
  memory: { path: "duplex", layer: MemoryTransport.layer, endpoint: "memory:here" }
}

/** Runs a program and fails if it leaves anything behind. */
export const tight = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  withoutLeaks(Effect.scoped(program), resources)

export const quiet = { onIncident: () => Effect.void }
export const soon = { closeWithin: "500 millis", drain: { within: "500 millis" } } as const

/** Why a connect came to nothing. */
export const refusalOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    if (error instanceof ConnectError) return error.reason
    throw error
  })

/** Sends back all that is received, and closes. */
export const echo = (connection: Connection<Uint8Array, Uint8Array>): Effect.Effect<void, ConnectionError> =>
  Effect.catch(
    Effect.forever(Effect.flatMap(connection.pull, connection.sendAll)),
    (error) => Cause.isDone(error) ? Effect.void : Effect.fail(error as ConnectionError)
  )

/** A connected pair over a layer, each in a scope that ends with the test. */
export const connected = <D = never>(
  endpoint: string,
  connectTo?: string
): Effect.Effect<
  readonly [Connection<Uint8Array, Uint8Array, D>, Connection<Uint8Array, Uint8Array, D>],
  any,
  Scope.Scope | Transport.ByteTransport<Transport.Connect | Transport.Listen | D>
> =>
  Effect.gen(function*() {
    const listener = yield* listen<D>(endpoint, soon)
    let server: Connection<Uint8Array, Uint8Array, D> | undefined
    const leaving = yield* Deferred.make<void>()
    yield* Effect.forkScoped(listener.run((accepted) => {
      server = accepted
      return Effect.asVoid(Effect.raceFirst(accepted.closed, Deferred.await(leaving)))
    }, quiet))
    const client = yield* connect<D>(connectTo ?? listener.address, soon)
    yield* Effect.addFinalizer(() => Deferred.succeed(leaving, undefined))
    yield* until(() => server !== undefined)
    return [client, server!] as const
  })

/** A stack of both roles that trusts the authority of the tests. */
export const stackOver = <CE = never, CR = never, SE = never, SR = never>(
  ground: Layer.Layer<Both>,
  { ca, identity }: Certificates,
  client: Tls.ClientOptions<CE, CR> = {},
  server: Partial<Tls.ServerOptions<SE, SR>> = {}
) =>
  ground.pipe(Tls.over<CE, CR, SE, SR>({
    client: { trust: { ca }, serverName: "localhost", ...client },
    server: { identity, ...server } as Tls.ServerOptions<SE, SR>
  }))

/** The same on a fresh ground. */
export const stackOn = <CE = never, CR = never, SE = never, SR = never>(
  ground: Ground,
  made: Certificates,
  client?: Tls.ClientOptions<CE, CR>,
  server?: Partial<Tls.ServerOptions<SE, SR>>
) => stackOver(ground.layer(), made, client, server)

export type Info = TlsInfo["Service"]

/** A server that greets each client, so that what follows a handshake has arrived when the greeting has; what both ends know each time. */
export const meetings = (endpoint: string) =>
  Effect.gen(function*() {
    const listener = yield* listen<TlsInfo>(endpoint, soon)
    const servers: Array<Info> = []
    yield* Effect.forkScoped(listener.run((connection) => {
      servers.push(detail(connection, TlsInfo))
      return Effect.andThen(connection.send(Buffer.from("hello")), Effect.asVoid(collect(connection)))
    }, quiet))
    const meet = Effect.gen(function*() {
      const count = servers.length
      const client = yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* connect<TlsInfo>(listener.address, soon)
        yield* take(connection, 5)
        return detail(connection, TlsInfo)
      }))
      yield* until(() => servers.length > count)
      return { client, server: servers[count] }
    })
    return { address: listener.address, meet }
  })

/** What both ends know of one connection. */
export const meeting = (endpoint: string) => Effect.flatMap(meetings(endpoint), ({ meet }) => meet)

/** A Stream whose values are given one by one; `change` is over when the one that was given is in use. */
export const changing = <A>(first: A) =>
  Effect.gen(function*() {
    const given = yield* Queue.unbounded<readonly [A, Deferred.Deferred<void>]>()
    let last: Deferred.Deferred<void> | undefined
    const stream = Stream.fromPull(Effect.succeed(Effect.suspend(() => {
      if (last !== undefined) Deferred.doneUnsafe(last, Effect.void)
      return Effect.map(Queue.take(given), ([value, used]) => {
        last = used
        return [value] as const
      })
    })))
    const give = (value: A) => Effect.tap(Deferred.make<void>(), (used) => Queue.offer(given, [value, used]))
    yield* give(first)
    return { stream, change: (value: A) => Effect.flatMap(give(value), Deferred.await) }
  })
