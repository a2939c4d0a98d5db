/**
 * Calls with answers, on any typed messages: a name and Schemas for what is asked, answered and refused.
 *
 *     class Files extends Requests.Service<Files>()("files.v1", {
 *       client: {
 *         read: Requests.call({ payload: Schema.String, success: Schema.Uint8Array, error: NotFound }),
 *         watch: Requests.call({ payload: Schema.String })
 *       },
 *       server: { changed: Requests.notification(Schema.String) }
 *     }) {}
 *
 *     caller                                  handler
 *       | ---- Request { id, call, payload } --> |  one fiber a call, as many as `maxHandled`
 *       | <--- Success { id, call, value } ----- |
 *       | <--- Failure { id, call, error } ----- |  an error of the call's Schema
 *       | <--- Rejected { id, reason } --------- |  "busy", or "failed": a defect, of which nothing is told
 *       | ---- Interrupt { id } ---------------> |  nobody waits any more
 *       | ---- Notification { call, payload } -> |  in order, without an answer
 *
 * `client` is what the client calls, and so what the server handles; `server` is the other way round. The contract:
 *
 * - The envelopes are values of a Schema (`Envelope`), so they run over every codec of messages, and anybody can speak them. A call that is not in the
 *   definition, or a payload that its Schema doesn't admit, is `Undecodable`, which ends the connection.
 * - A call fails with its own error, or with a `ConnectionError`: `TimedOut` after 30 seconds, `Busy`, `PeerFailed`, `Unencodable`,
 *   or the reason for which the connection ended. Calls beyond `maxInFlight` wait, and that counts for their time.
 * - A call that is interrupted, or takes too long, interrupts its handler. An answer that comes later is counted, and otherwise ignored.
 * - Handlers run concurrently. Those beyond `maxHandled` are refused as busy; a peer that does not read its refusals is cut off at twice
 *   that number. A handler that dies is reported (`onDefect`), and the peer is told no more than that there is no answer.
 * - Two calls of a peer with one id, or an answer to another call than was asked, are a `Violation`, which cuts the connection.
 * - Notifications are handled one at a time. While `maxHandled` of them wait nothing further is read, so their handlers should be quick,
 *   and not wait for an answer of the peer.
 * - When the connection is over, calls fail, and notifications that came before are still handled. Handlers of calls are interrupted once
 *   nobody can get their answer; a listener that drains lets them end first, within the time of the drain. A session whose peer asks nothing more
 *   answers what was asked, and closes.
 *
 * When to use `effect/rpc` instead: for HTTP, for streams as answers, for middleware and headers, and for what `effect/cluster` needs. It
 * brings its own transports and serialization; on a stack of layers it runs over an Effect `Socket`. This is for calls on a protocol
 * that is negotiated, framed and closed like every other one here, and that peers without Effect can speak.
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "../ConnectError.ts"
import type { Connection } from "../Connection.ts"
import type { ConnectionError } from "../ConnectionError.ts"
import type * as Endpoint from "../Endpoint.ts"
import { type AnyHandlers, Conversation } from "../internal/requests/Conversation.ts"
import { envelope } from "../internal/requests/envelope.ts"
import { type Listener, type RunOptions, runScoped, withRun } from "../Listener.ts"
import type { ListenError } from "../ListenError.ts"
import type * as Protocol from "../Protocol.ts"
import type { At, Connect, ConnectOptions, Listen, ListenOptions, Message, Shape } from "../Transport.ts"
import type { Carried, Codec } from "./Codec.ts"
import * as Subprotocol from "./Subprotocol.ts"

/** A call: what is asked, what is answered, and how it may fail. */
export interface Call<P extends Carried, A extends Carried, E extends Carried> {
  readonly _tag: "Call"
  readonly payload: P
  readonly success: A
  readonly error: E
}

/** A message without an answer. */
export interface Notification<P extends Carried> {
  readonly _tag: "Notification"
  readonly payload: P
}

/** Calls and notifications by name. */
export interface Calls {
  readonly [name: string]: Call<Carried, Carried, Carried> | Notification<Carried>
}

/** The Schemas of a call. */
export interface CallSchemas {
  readonly payload?: Carried
  readonly success?: Carried
  readonly error?: Carried
}

/** One of them, or what stands for it if it is left out. */
type Or<S extends CallSchemas, Key extends keyof CallSchemas, Default extends Carried> = S[Key] extends Carried ? S[Key]
  : Default

/** The call that they define. */
export type CallOf<S extends CallSchemas> = Call<
  Or<S, "payload", typeof Schema.Void>,
  Or<S, "success", typeof Schema.Void>,
  Or<S, "error", typeof Schema.Never>
>

/**
 * Defines a call. What is left out is nothing: no payload, no value as success, no error.
 *
 * @category constructors
 */
export const call = <const S extends CallSchemas = {}>(schemas?: S): CallOf<S> =>
  ({ _tag: "Call", payload: Schema.Void, success: Schema.Void, error: Schema.Never, ...schemas }) as any

/**
 * Defines a notification.
 *
 * @category constructors
 */
export const notification = <P extends Carried>(payload: P): Notification<P> => ({ _tag: "Notification", payload })

/** Of which trace a call is a part (see `TraceContext`), in protocols that say so. */
export interface Traced {
  readonly traceparent?: string
}

/** What is said on the wire. */
export type Envelope =
  /** `id` is positive, and chosen by who calls; it may be used again once it is answered. */
  | { readonly _tag: "Request"; readonly id: number; readonly call: string; readonly payload: unknown } & Traced
  | { readonly _tag: "Notification"; readonly call: string; readonly payload: unknown } & Traced
  | { readonly _tag: "Success"; readonly id: number; readonly call: string; readonly value: unknown }
  | { readonly _tag: "Failure"; readonly id: number; readonly call: string; readonly error: unknown }
  | { readonly _tag: "Rejected"; readonly id: number; readonly reason: "busy" | "failed" }
  | { readonly _tag: "Interrupt"; readonly id: number }

/** What may be asked of a single call. */
export interface CallOptions {
  /** How long it may take; by default what the session has. */
  readonly within?: Duration.Input
}

/** How calls are made and handled on a connection. */
export interface SessionOptions {
  /** How many of our calls wait for their answer at once; those beyond wait for their turn. 128 by default. */
  readonly maxInFlight?: number
  /** How many calls of the peer are handled at once; those beyond are refused. 256 by default. */
  readonly maxHandled?: number
  /** How long a call may take, from when it is made; 30 seconds by default. */
  readonly callWithin?: Duration.Input
  /** Told of handlers that died, or answered what their Schema doesn't admit; by default an error is logged. */
  readonly onDefect?: (call: string, cause: Cause.Cause<unknown>) => Effect.Effect<void>
}

/** The calls as functions. */
export type Calling<C extends Calls> = {
  readonly [Name in keyof C]: C[Name] extends Call<infer P, infer A, infer E>
    ? (payload: P["Type"], options?: CallOptions) => Effect.Effect<A["Type"], E["Type"] | ConnectionError>
    : (payload: C[Name]["payload"]["Type"]) => Effect.Effect<void, ConnectionError>
}

/** What has become of calls. */
export interface Counts {
  /** Calls that wait for their answer. */
  readonly waiting: number
  /** Answers that nobody waited for any more. */
  readonly late: number
  /** Answers to what was never asked. */
  readonly unasked: number
}

/** One end of a connection: the calls it can make. */
export interface Session<Name, C extends Calls, D = never>
  extends Pick<Connection<never, never, D>, "abort" | "closed" | "details">
{
  readonly protocol: Name
  /** Makes a call. Safe to interrupt: its handler is then interrupted too. */
  readonly call: Calling<C>
  readonly counts: Counts
}

/**
 * A handler for every call and notification; `peer` calls back. The `Scope` that a handler finds is that of the connection, so what it forks
 * there may go on after its answer; what it acquires for one call alone belongs into `Effect.scoped`.
 */
export type Handlers<C extends Calls, Peer> = {
  readonly [Name in keyof C]: C[Name] extends Call<infer P, infer A, infer E>
    ? (payload: P["Type"], peer: Peer) => Effect.Effect<A["Type"], E["Type"], any>
    : (payload: C[Name]["payload"]["Type"], peer: Peer) => Effect.Effect<void, never, any>
}

/** A bound server: as `Listener`, with handlers for its calls. */
export interface RequestsListener<Name, C extends Calls, S extends Calls, D = never>
  extends Omit<Listener<never, never, D>, "run">
{
  /** Handles the calls of every connection until interrupted; a listener is run once. */
  readonly run: <const H extends Handlers<C, Session<Name, S, D>>>(
    handlers: H,
    options?: SessionOptions & RunOptions
  ) => Effect.Effect<never, ListenError, Exclude<Subprotocol.HandlerServices<H>, Scope.Scope>>
}

/** A protocol of calls as a class, which is its shape and has its operations. */
export interface Service<Self, Name extends string, C extends Calls, S extends Calls>
  extends Shape<Self, Envelope, Envelope>, Subprotocol.AnyService
{
  new(_: never): {
    readonly "~@wirestack/protocol/Requests": {
      readonly protocol: Name
      readonly client: C
      readonly server: S
    }
  }
  readonly protocol: Name
  /** What the client calls, and what the server does. */
  readonly calls: { readonly client: C; readonly server: S }
  /** Whether calls say of which trace they are a part. */
  readonly trace: boolean
  /** The envelopes of the client. */
  readonly client: Carried<Envelope>
  /** The envelopes of the server. */
  readonly server: Carried<Envelope>
  /** The operator that puts the protocol on a stack of messages. Records have one Schema a tag, and envelopes one a call. */
  readonly over: (
    codec: Codec<"messages", Message, Carried<Envelope>>,
    options?: Subprotocol.OverOptions
  ) => Protocol.Over<"messages", never, Self, never>
  /** Connects as the client; `D` names the details that must be below. The connection lives as long as the scope. */
  readonly connect: <D = never>() => <const H extends Handlers<S, Session<Name, C, D>>>(
    endpoint: Endpoint.Inputs,
    handlers: H,
    options?: ConnectOptions & SessionOptions
  ) => Effect.Effect<
    Session<Name, C, D>,
    ConnectError,
    Scope.Scope | At<Self, Connect | D> | Subprotocol.HandlerServices<H>
  >
  /** Listens as the server; `D` as in `connect`. */
  readonly listen: <D = never>(
    endpoint: Endpoint.Input,
    options?: ListenOptions
  ) => Effect.Effect<RequestsListener<Name, C, S, D>, ListenError, Scope.Scope | At<Self, Listen | D>>
  /** A layer that serves for as long as it is provided; `D` as in `connect`. */
  readonly serve: <D = never>() => <const H extends Handlers<C, Session<Name, S, D>>>(
    endpoint: Endpoint.Input,
    handlers: H,
    options?: ListenOptions & RunOptions & SessionOptions
  ) => Layer.Layer<never, ListenError, At<Self, Listen | D> | Exclude<Subprotocol.HandlerServices<H>, Scope.Scope>>
}

/** A protocol of calls, as far as it says what is called. */
export interface Definition<Name, C extends Calls, S extends Calls> {
  readonly protocol: Name
  readonly calls: { readonly client: C; readonly server: S }
  readonly trace: boolean
}

/** A connection of envelopes, such as that of a version of a `Subprotocol.Family`, or of `Transport.listen(Files)`. */
export type Line<D = never, Spoken extends string = string> = Connection<Envelope, Envelope, D> & {
  /** Which protocol it speaks, as far as it is known. */
  readonly protocol?: Spoken
}

/** Says in the compiler's message which protocol a line must speak. */
export type Speaks<Name, Spoken> = Name extends Spoken ? unknown : { readonly "the line must speak": Name }

/**
 * Calls on a connection that is there already, as the client. The peer is listened to for as long as the scope is open; nobody else
 * may pull.
 *
 * @category constructors
 */
export const asClient =
  <Name extends string, C extends Calls, S extends Calls>(definition: Definition<Name, C, S>) =>
  <D, Spoken extends string, const H extends Handlers<S, Session<Name, C, D>>>(
    connection: Line<D, Spoken> & Speaks<Name, Spoken>,
    handlers: H,
    options?: SessionOptions
  ): Effect.Effect<Session<Name, C, D>, never, Scope.Scope | Subprotocol.HandlerServices<H>> =>
    Effect.flatMap(
      Conversation.make(definition, connection, definition.calls.client, handlers as unknown as AnyHandlers, options),
      ({ begin }) => begin
    )

/**
 * The same as the server. Handlers are interrupted when the scope closes, so wait for the session's `closed` first: it comes when all
 * that the peer has said is handled.
 *
 * @category constructors
 */
export const asServer =
  <Name extends string, C extends Calls, S extends Calls>(definition: Definition<Name, C, S>) =>
  <D, Spoken extends string, const H extends Handlers<C, Session<Name, S, D>>>(
    connection: Line<D, Spoken> & Speaks<Name, Spoken>,
    handlers: H,
    options?: SessionOptions
  ): Effect.Effect<Session<Name, S, D>, never, Scope.Scope | Subprotocol.HandlerServices<H>> =>
    Effect.flatMap(
      Conversation.make(definition, connection, definition.calls.server, handlers as unknown as AnyHandlers, options),
      ({ begin }) => begin
    )

/**
 * Defines a protocol of calls: `class Files extends Service<Files>()("files.v1", { client, server }) {}`. The name is negotiated as that of
 * any `Subprotocol`. With `trace: true` a call and a notification say of which trace they are a part, if the program that makes them has
 * `Telemetry`, and their handlers continue it: among programs that trust each other. Peers that know nothing of it are not disturbed.
 *
 * @category constructors
 */
export const Service = <Self>() =>
<const Name extends string, const C extends Calls = {}, const S extends Calls = {}>(
  protocol: Name,
  calls: { readonly client?: C; readonly server?: S; readonly trace?: boolean }
): Service<Self, Name, C, S> => {
  const { client = {} as C, server = {} as S, trace = false } = calls
  const Envelopes = Subprotocol.Service<Self>()(protocol, {
    client: envelope(client, server, trace),
    server: envelope(server, client, trace)
  })
  const definition = { protocol, calls: { client, server }, trace }
  const asking = (handlers: AnyHandlers, options?: SessionOptions) => (connection: Line) =>
    Effect.flatMap(Conversation.make(definition, connection, client, handlers, options), ({ begin }) => begin)
  const answering = (handlers: AnyHandlers, options?: SessionOptions) => (connection: Line) =>
    Effect.flatMap(Conversation.make(definition, connection, server, handlers, options), ({ run }) => run)
  const listen = (endpoint: Endpoint.Input, options?: ListenOptions) =>
    Effect.map(Envelopes.listen(endpoint, options), (listener) =>
      withRun(
        listener,
        (handlers: AnyHandlers, options?: SessionOptions & RunOptions) =>
          listener.run(answering(handlers, options), options)
      ))
  return class {
    static readonly key = Envelopes.key
    static readonly offers = Envelopes.offers
    static readonly protocol = protocol
    static readonly calls = definition.calls
    static readonly trace = trace
    static readonly client = Envelopes.client
    static readonly server = Envelopes.server
    static readonly over = Envelopes.over
    static readonly connect =
      () => (endpoint: Endpoint.Inputs, handlers: AnyHandlers, options?: ConnectOptions & SessionOptions) =>
        Effect.flatMap(Envelopes.connect(endpoint, options), asking(handlers, options))
    static readonly listen = listen
    static readonly serve =
      () => (endpoint: Endpoint.Input, handlers: AnyHandlers, options?: ListenOptions & RunOptions & SessionOptions) =>
        Layer.effectDiscard(
          Effect.flatMap(listen(endpoint, options), (listener) => runScoped(listener.run(handlers, options)))
        )
  } as any
}
