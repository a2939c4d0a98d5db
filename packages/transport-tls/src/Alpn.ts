/**
 * What ALPN (RFC 7301) has chosen decides which protocol stands on a connection, by type.
 *
 *                     +-- "chat.v2"  -- Lines     -- ChatV2       one of these a connection
 *     TCP -- TLS -----+
 *                     +-- "http/1.1" -- WebSocket
 *
 *     class Spoken extends Alpn.Choice<Spoken>()({
 *       "chat.v2": Alpn.branch(ChatV2, (tls) => tls.pipe(Lines.over(), ChatV2.over(codec))),
 *       "http/1.1": Alpn.branch(Transport.Messages, WebSocket.over())
 *     }) {}
 *
 *     Tcp.layer().pipe(Tls.over({ client, server }), Spoken.over())
 *
 * The contract:
 *
 * - The keys are what is offered, most wanted first. A branch stands on its connections as on any transport of bytes; it is built once a
 *   stack, so that what it bounds is bounded for all its connections together.
 * - The client gets a union of connections, told apart by `alpn`; the server gives a handler for every name, and a forgotten one does
 *   not compile.
 * - An agreement is binding: none, or another name, fails the handshake with `NothingNegotiated` before a branch sees the connection,
 *   unless `unnamed` says what peers speak that don't know ALPN.
 * - A demand of the URL for more than TLS (`wss://`) must be met by the branch that was chosen.
 */
import { type Negotiated, offersOf } from "@wirestack/protocol/Ask"
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import type { Input } from "@wirestack/protocol/Endpoint"
import {
  type DrainOptions,
  type DrainReport,
  type Listener,
  type RunOptions,
  withRun
} from "@wirestack/protocol/Listener"
import type { ListenError } from "@wirestack/protocol/ListenError"
import type * as Protocol from "@wirestack/protocol/Protocol"
import * as Transport from "@wirestack/protocol/Transport"
import type * as Subprotocol from "@wirestack/protocol/typed/Subprotocol"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { agreeing, branching, type Built } from "./internal/branching.ts"
import { ground } from "./internal/ground.ts"
import { unspeakable } from "./internal/unspeakable.ts"
import type { Adds } from "./Tls.ts"

type AnyShape = Transport.Shape<any, any, any, any, any>
type ShapeOf<T> = T extends Transport.Shape<infer S, any, any, any, any> ? S : never
type Roles = Transport.Connect | Transport.Listen

/** What a branch stands on. */
export type Ground = Layer.Layer<Transport.ByteTransport<Roles | Adds>>

/** What is spoken once a name was agreed on: layers on TLS, up to a shape. */
export interface Branch<T extends AnyShape, Can = Roles, E = never, R = never> {
  readonly shape: T
  readonly over: (tls: Ground) => Layer.Layer<Transport.At<ShapeOf<T>, Can>, E, R>
}

/**
 * Makes a branch of the layers that lead from TLS to a shape, such as `Transport.Messages` or a `Subprotocol`.
 *
 * @category constructors
 */
export const branch = <T extends AnyShape, Can, E, R>(
  shape: T,
  over: (tls: Ground) => Layer.Layer<Transport.At<ShapeOf<T>, Can>, E, R>
): Branch<T, Can, E, R> => ({ shape, over })

/** The branches, by ALPN name, the most wanted first. */
export interface Branches {
  readonly [name: string]: Branch<any, any, any, any>
}

type CanOf<B> = B extends Branch<any, infer Can, any, any> ? Can : never
type Failure<B extends Branches> = { [N in keyof B]: B[N] extends Branch<any, any, infer E, any> ? E : never }[keyof B]
type Services<B extends Branches> = { [N in keyof B]: B[N] extends Branch<any, any, any, infer R> ? R : never }[keyof B]

/** The roles that not every branch plays. */
type Dropped<B extends Branches> = { [N in keyof B]: Exclude<Roles, CanOf<B[N]>> }[keyof B]

/** A connection that says which name was agreed on. */
export type Chosen<Name, C> = C & { readonly alpn: Name }

type AtClient<T, D> = T extends Subprotocol.AnyService ? Subprotocol.ClientConnection<T, D>
  : T extends { readonly versions: infer V extends Subprotocol.Versions } ? Subprotocol.AnyClientConnection<V, D>
  : T extends Transport.Shape<any, infer In, infer Out, any, any> ? Connection<In, Out, D>
  : never

type AtServer<T, D> = T extends Subprotocol.AnyService ? Subprotocol.ServerConnection<T, D>
  : T extends { readonly versions: infer V extends Subprotocol.Versions } ? Subprotocol.AnyServerConnection<V, D>
  : T extends Transport.Shape<any, any, any, infer In, infer Out> ? Connection<In, Out, D>
  : never

/** What the client has in hand on a branch; its details are those of the branch's layers, and `D`. */
export type ClientConnection<Name, B, D = never> = B extends Branch<infer T, infer Can, any, any>
  ? Chosen<Name, AtClient<T, Exclude<Can, Roles> | D>>
  : never

/** What the server has in hand on a branch; its details are those of the branch's layers, and `D`. */
export type ServerConnection<Name, B, D = never> = B extends Branch<infer T, infer Can, any, any>
  ? Chosen<Name, AtServer<T, Exclude<Can, Roles> | D>>
  : never

/** What the client of a choice has in hand: one of its branches, told apart by `alpn`. */
export type AnyClientConnection<B extends Branches, D = never> = {
  readonly [Name in keyof B]: ClientConnection<Name, B[Name], D>
}[keyof B]

/** What the server of a choice has in hand: one of its branches, told apart by `alpn`. */
export type AnyServerConnection<B extends Branches, D = never> = {
  readonly [Name in keyof B]: ServerConnection<Name, B[Name], D>
}[keyof B]

/** A handler for every branch. */
export type Handlers<B extends Branches, D = never> = {
  readonly [Name in keyof B]: (connection: ServerConnection<Name, B[Name], D>) => Effect.Effect<void, any, any>
}

/** A bound server: as `Listener`, with a handler for every branch. */
export interface ChoiceListener<B extends Branches, D = never>
  extends Omit<Listener<never, never, D>, "run" | "drain">
{
  /** As that of a `Listener`. */
  readonly drain: (options?: DrainOptions<AnyServerConnection<B, D>>) => Effect.Effect<DrainReport>
  /** Handles connections until interrupted, each by the handler of the name that was agreed on. */
  readonly run: <const H extends Handlers<B, D>>(
    handlers: H,
    options?: RunOptions
  ) => Effect.Effect<never, ListenError, Exclude<Subprotocol.HandlerServices<H>, Scope.Scope>>
}

/** How a choice is put on a stack. */
export interface OverOptions<Name> {
  /** The branch for peers with which no name was agreed on, because they don't know ALPN. By default they are refused. */
  readonly unnamed?: Name
}

/** A choice as a class, which is its shape and has its operations. */
export interface Choice<Self, B extends Branches> extends Transport.Shape<Self, unknown, never> {
  new(_: never): { readonly "~@wirestack/transport-tls/Alpn": keyof B }
  /** The branches, by name, the most wanted first. */
  readonly branches: B
  /** The operator that puts the choice on a stack of bytes in which a layer negotiates. */
  readonly over: (
    options?: OverOptions<keyof B>
  ) => Protocol.Over<"bytes", Negotiated, Self, never, Dropped<B>, Failure<B>, Services<B>>
  /**
   * Connects as the client; `D` names the details that must be below the branches. Safe to interrupt: what fails leaves nothing open.
   */
  readonly connect: <D = never>(
    endpoint: Input,
    options?: Transport.ConnectOptions
  ) => Effect.Effect<
    AnyClientConnection<B, D>,
    ConnectError,
    Scope.Scope | Transport.At<Self, Transport.Connect | D>
  >
  /** Listens as the server; `D` as in `connect`. */
  readonly listen: <D = never>(
    endpoint: Input,
    options?: Transport.ListenOptions<AnyServerConnection<B, D>>
  ) => Effect.Effect<ChoiceListener<B, D>, ListenError, Scope.Scope | Transport.At<Self, Transport.Listen | D>>
  /** A layer that serves for as long as it is provided; `D` as in `connect`. */
  readonly serve: <D = never>() => <const H extends Handlers<B, D>>(
    endpoint: Input,
    handlers: H,
    options?: Transport.ListenOptions<AnyServerConnection<B, D>> & RunOptions
  ) => Layer.Layer<
    never,
    ListenError,
    Transport.At<Self, Transport.Listen | D> | Exclude<Subprotocol.HandlerServices<H>, Scope.Scope>
  >
}

/**
 * Defines a choice: `class Spoken extends Choice<Spoken>()({ "chat.v2": branch(...), "http/1.1": branch(...) }) {}`. The first is the
 * most wanted. A name has 1 to 255 bytes, and must not be a number, whose place in the order a record does not keep; a `RangeError`
 * says so.
 *
 * @category constructors
 */
export const Choice = <Self>() => <const B extends Branches>(branches: B): Choice<Self, B> => {
  const names = offersOf(branches)
  const name = unspeakable(names)
  if (name !== undefined) throw new RangeError(`"${name}" can't name a protocol: it has 1 to 255 bytes`)
  const shape = Transport.shape<Self, any, any, any, any>(`Alpn/${names.join(",")}`, names)
  const make = Effect.gen(function*() {
    const trunk = yield* Transport.Bytes.key
    const built = new Map<string, Built>()
    for (const name of names) {
      const { over, shape } = branches[name]
      const context = yield* Layer.build(over(ground()))
      built.set(name, { offers: shape.offers, transport: Context.get(context, shape.key as AnyShape["key"]) })
    }
    return branching(trunk, built)
  })
  const over =
    ({ unnamed }: OverOptions<string> = {}) => (lower: Layer.Layer<Transport.ByteTransport<any>, any, any>) =>
      Layer.provide(Transport.layer(shape, make as any), agreeing(names, unnamed)(lower))
  const dispatch = (handlers: Handlers<B, any>) => (connection: Connection<any, any>) =>
    handlers[(connection as Chosen<keyof B, Connection<any, any>>).alpn](connection as any)
  const listen = Transport.listen(shape)
  const serve = Transport.serve(shape)()
  return class {
    static readonly key = shape.key
    static readonly offers = shape.offers
    static readonly branches = branches
    static readonly over = over
    static readonly connect = Transport.connect(shape)
    static readonly listen = (endpoint: Input, options?: Transport.ListenOptions<any>) =>
      Effect.map(listen(endpoint, options), (listener) =>
        withRun(
          listener,
          (handlers: Handlers<B, any>, options?: RunOptions) => listener.run(dispatch(handlers), options)
        ))
    static readonly serve =
      () => (endpoint: Input, handlers: Handlers<B, any>, options?: Transport.ListenOptions<any> & RunOptions) =>
        serve(endpoint, dispatch(handlers), options)
  } as any
}
