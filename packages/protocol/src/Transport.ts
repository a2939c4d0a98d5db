/**
 * A transport makes connections and listeners; it is the service at each level of a stack.
 *
 * There is one tag per shape, not per protocol: bytes, messages, records, datagrams, and one per typed application protocol. That makes
 * transports pluggable: TCP, TLS, Unix sockets and memory all give bytes. What a stack can do is in the type of its tag,
 * as a phantom union: its roles (`Connect`, `Listen`) and the details of its layers. More satisfies less.
 */

import * as Arr from "effect/Array"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { Ask } from "./Ask.ts"
import { ConnectError, type InvalidEndpoint } from "./ConnectError.ts"
import type { Connection } from "./Connection.ts"
import * as Endpoint from "./Endpoint.ts"
import { firstReached } from "./firstReached.ts"
import { checkListenOptions } from "./internal/checkListenOptions.ts"
import { Journal, keep } from "./internal/Journal.ts"
import { Observing } from "./internal/telemetry/Observer.ts"
import { tryAddresses } from "./internal/tryAddresses.ts"
import { type DrainOptions, handled, type Listener, type RunOptions, runScoped } from "./Listener.ts"
import { ListenError } from "./ListenError.ts"

/** The role of a stack that can connect. */
export interface Connect {
  readonly role: "connect"
}

/** The role of a stack that can listen. */
export interface Listen {
  readonly role: "listen"
}

/** The identifier of a transport in a Context: its shape and what it can do. */
export interface At<in out Shape, out Can> {
  readonly "~@wirestack/protocol/Transport": {
    readonly shape: (_: Shape) => Shape
    readonly can: Can
  }
}

/** A transport of bytes. */
export type ByteTransport<Can = never> = At<"bytes", Can>

/** A transport of messages: text or bytes with boundaries. */
export type MessageTransport<Can = never> = At<"messages", Can>

/** A transport of records: bytes with boundaries and a type. */
export type RecordTransport<Can = never> = At<"records", Can>

/** A transport of datagrams: bytes with boundaries, each of which arrives as it was sent, in any order, more than once, or not at all. */
export type DatagramTransport<Can = never> = At<"datagrams", Can>

/** A message as a message transport carries it; whether text stays text is up to the layer (WebSocket keeps it). */
export type Message = string | Uint8Array

/** A record as a record transport carries it: bytes, and a number that says what they are. */
export interface Record {
  /** An unsigned integer; how large it may be is up to the framer. */
  readonly type: number
  readonly value: Uint8Array
}

/** The service itself; the client's and the server's message types may differ. */
export interface Transport<out CIn, in COut, out SIn = CIn, in SOut = COut> {
  /** Connects; the scope owns the connection. What fails leaves nothing open. Safe to interrupt. */
  readonly connect: (ask: Ask) => Effect.Effect<Connection<CIn, COut>, ConnectError, Scope.Scope>
  /** Binds; the scope owns the listener. */
  readonly listen: (ask: Ask) => Effect.Effect<Listener<SIn, SOut>, ListenError, Scope.Scope>
}

/** A shape: the key of its transports, and its message types. */
export interface Shape<in out S, CIn, COut, SIn = CIn, SOut = COut> {
  readonly key: Context.Service<At<S, any>, Transport<CIn, COut, SIn, SOut>>
  /** The names a connection of this shape offers to the layers below. */
  readonly offers: ReadonlyArray<string>
}

/** Makes a shape; `id` must be unique, as for any service. */
export const shape = <S, CIn, COut, SIn = CIn, SOut = COut>(
  id: string,
  offers: ReadonlyArray<string> = []
): Shape<S, CIn, COut, SIn, SOut> => ({ key: Context.Service(`@wirestack/protocol/Transport/${id}`), offers })

/** The shape of byte transports. */
export const Bytes: Shape<"bytes", Uint8Array, Uint8Array> = shape("bytes")

/** The shape of message transports. */
export const Messages: Shape<"messages", Message, Message> = shape("messages")

/** The shape of record transports. */
export const Records: Shape<"records", Record, Record> = shape("records")

/** The shape of datagram transports. */
export const Datagrams: Shape<"datagrams", Uint8Array, Uint8Array> = shape("datagrams")

/** A layer that provides a transport of a shape. */
export const layer = <S, CIn, COut, SIn, SOut, Can, E = never, R = never>(
  self: Shape<S, CIn, COut, SIn, SOut>,
  make: Effect.Effect<Transport<CIn, COut, SIn, SOut>, E, R>
): Layer.Layer<At<S, Can>, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(self.key, make) as Layer.Layer<any, E, Exclude<R, Scope.Scope>>

/** What may be asked of a connection. */
export interface ConnectOptions {
  /** The budget of time for closing all layers together; 5 seconds by default. */
  readonly closeWithin?: Duration.Input
  /**
   * Whether to go on with the next address of the same place after a layer's handshake has failed, such as for a wrong certificate or
   * a refused upgrade; never by default. That an address can't be reached is no question: then the next is tried anyway. At most
   * 32 addresses are tried.
   */
  readonly tryNextAddress?: (error: ConnectError) => boolean
}

/** What may be asked of a listener, whose connections are `C`. */
export interface ListenOptions<in C = Connection<unknown, never>> extends Pick<ConnectOptions, "closeWithin"> {
  /** How it drains when it closes: within 5 seconds by default. */
  readonly drain?: DrainOptions<C>
  /**
   * How old a connection may become: an older one is closed as a drain closes it, so that clients move on to newer servers. It is up to a
   * tenth earlier, by chance, so that those who came together don't go together. As old as it likes by default.
   */
  readonly maxLifetime?: Duration.Input
  /** How many connections are handled at once; what becomes of those beyond says `whenFull`. 16,384 by default. */
  readonly maxConnections?: number
  /**
   * Whether connections beyond `maxConnections` are cut at once, the default, or wait, unread, until there is room. To their peers those
   * that wait seem to be open, so that a peer waits as long as it likes; one that has gone meanwhile is found out when its turn comes.
   */
  readonly whenFull?: "cut" | "wait"
  /** How many connections wait: for room, for the listener to be run, or while it is paused. Those beyond are cut. 511 by default. */
  readonly maxWaiting?: number
  /**
   * How many may come from one address, those that wait included; those beyond are cut at once. By default as many as there may be,
   * as a proxy or a company has one address for many people.
   */
  readonly maxConnectionsPerPeer?: number
}

/** What is above all layers, for errors. */
const layerName = "endpoint"

const listOf = (inputs: Endpoint.Inputs): NonEmptyReadonlyArray<Endpoint.Input> =>
  typeof inputs === "string" || "place" in inputs ? [inputs] : inputs

const asked = <E>(
  input: Endpoint.Input,
  offers: ReadonlyArray<string>,
  options: ListenOptions<any> | undefined,
  refuse: (reason: InvalidEndpoint) => E
): Effect.Effect<Ask, E> =>
  Result.match(Endpoint.make(input), {
    onFailure: (reason) => Effect.fail(refuse(reason)),
    onSuccess: (endpoint) =>
      Effect.sync(() => {
        if (options !== undefined) checkListenOptions(options)
        return { endpoint, offers, demands: endpoint.demands, ...options }
      })
  })

/**
 * Connects over the transport of a shape that the context provides. The type parameter `D` names the details that
 * must be below; they are then there in `connection.details`.
 *
 * Several endpoints are tried in order, each through the whole stack and within the times of its layers, until one is
 * connected to; if none is, `NoneReached` says what became of each. All are checked before any is tried. What an endpoint
 * demands holds for itself only: behind `wss://` a `ws://` is plaintext, as soon as somebody breaks the first.
 */
export const connect = <S, CIn, COut, SIn, SOut>(self: Shape<S, CIn, COut, SIn, SOut>) =>
<D = never>(
  endpoint: Endpoint.Inputs,
  { tryNextAddress, ...options }: ConnectOptions = {}
): Effect.Effect<Connection<CIn, COut, D>, ConnectError, Scope.Scope | At<S, Connect | D>> =>
  Effect.flatMap(
    Effect.forEach(
      listOf(endpoint),
      (one) => asked(one, self.offers, options, (reason) => new ConnectError({ layer: layerName, reason }))
    ),
    (asks) => Effect.flatMap(self.key, (transport) => written(transport, asks, tryNextAddress))
  ) as Effect.Effect<Connection<CIn, COut, D>, ConnectError, Scope.Scope | At<S, Connect | D>>

/** Connects, and keeps a journal of it. */
const written = <CIn, COut>(
  transport: Transport<CIn, COut, any, any>,
  asks: NonEmptyReadonlyArray<Ask>,
  tryNextAddress: ConnectOptions["tryNextAddress"]
): Effect.Effect<Connection<CIn, COut>, ConnectError, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const journal = new Journal(Context.get(context, Clock.Clock))
    const attempt = (ask: Ask) =>
      Effect.suspend(() => {
        journal.begin()
        return Effect.tapError(atomically(transport.connect(ask)), (error) => Effect.sync(() => journal.failed(error)))
      })
    const candidates = Arr.map(asks, (ask) => ({
      address: Endpoint.format(ask.endpoint),
      connect: tryAddresses(attempt, { ...ask, journal }, tryNextAddress)
    }))
    const connecting = Effect.tapError(
      firstReached(layerName, candidates),
      (error) => Effect.sync(() => keep(journal, error))
    )
    return Context.get(context, Observing)?.connecting(asks[0].endpoint, journal, connecting) ?? connecting
  })

/**
 * Listens over the transport of a shape that the context provides; `D` as in `connect`. Dies of a `RangeError` for options that bound nothing,
 * such as a negative time.
 */
export const listen = <S, CIn, COut, SIn, SOut>(self: Shape<S, CIn, COut, SIn, SOut>) =>
<D = never>(
  endpoint: Endpoint.Input,
  options?: ListenOptions<Connection<SIn, SOut, D>>
): Effect.Effect<Listener<SIn, SOut, D>, ListenError, Scope.Scope | At<S, Listen | D>> =>
  Effect.flatMap(
    asked(endpoint, self.offers, options, (reason) => new ListenError({ layer: layerName, reason })),
    (ask) => Effect.flatMap(self.key, (transport) => Effect.map(atomically(transport.listen(ask)), handled))
  ) as Effect.Effect<Listener<SIn, SOut, D>, ListenError, Scope.Scope | At<S, Listen | D>>

/** A layer that listens and handles every connection for as long as it is provided; `D` as in `connect`. */
export const serve = <S, CIn, COut, SIn, SOut>(self: Shape<S, CIn, COut, SIn, SOut>) =>
<D = never>() =>
<E, R>(
  endpoint: Endpoint.Input,
  handler: (connection: Connection<SIn, SOut, D>) => Effect.Effect<void, E, R>,
  options?: ListenOptions<Connection<SIn, SOut, D>> & RunOptions
): Layer.Layer<never, ListenError, At<S, Listen | D> | Exclude<R, Scope.Scope>> =>
  Layer.effectDiscard(
    Effect.flatMap(
      listen(self)<D>(endpoint, options),
      (listener) => runScoped(listener.run(handler, options))
    )
  ) as Layer.Layer<never, ListenError, At<S, Listen | D> | Exclude<R, Scope.Scope>>

/**
 * Runs an acquisition in a sequential child scope of its own, which is closed at once if the acquisition fails or is
 * interrupted: a connect that fails leaves nothing open, however long its caller's scope lives.
 */
export const atomically = <A, E, R>(
  acquire: Effect.Effect<A, E, R | Scope.Scope>
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.scope, (parent) => {
      const scope = Scope.forkUnsafe(parent, "sequential")
      return Effect.onExit(
        restore(Scope.provide(acquire, scope)),
        (exit) => Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void
      )
    })
  )
