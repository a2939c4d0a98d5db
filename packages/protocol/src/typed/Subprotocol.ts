/**
 * A typed application protocol: a name, and a Schema for what each side sends. One definition serves both ends.
 *
 *     class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: FromClient, server: FromServer }) {}
 *
 *     client   Connection<FromServer, FromClient>  <---- "chat.v1" ---->  Connection<FromClient, FromServer>   server
 *
 * Its name is what the layers below negotiate: the subprotocol of a WebSocket, the ALPN name of TLS. The contract:
 *
 * - The names are offered to the layers below. If one of them negotiates (it tells `Negotiated`), the name it agreed on
 *   is binding: another one, or none, fails the handshake with `NothingNegotiated`. If several negotiate, the uppermost
 *   one decides. If none does, a single protocol is taken as agreed elsewhere, and a family of versions does not compile.
 * - What is sent and received is what the Schemas say; how it looks on the wire is the `Codec`'s, given with `over`.
 *
 * Versions of a protocol make a family. Its client gets a union of connections, told apart by `protocol`; its server
 * gives a handler for every version, and a forgotten one does not compile.
 *
 *     class Chats extends Subprotocol.Family<Chats>()({ "chat.v2": ChatV2, "chat.v1": ChatV1 }) {}
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import { type Negotiated, offersOf } from "../Ask.ts"
import type { ConnectError } from "../ConnectError.ts"
import type { Batch, Connection } from "../Connection.ts"
import type { ConnectionError } from "../ConnectionError.ts"
import type * as Endpoint from "../Endpoint.ts"
import { compile, offering, speak } from "../internal/speak.ts"
import { type DrainOptions, type DrainReport, type Listener, type RunOptions, withRun } from "../Listener.ts"
import type { ListenError } from "../ListenError.ts"
import * as Protocol from "../Protocol.ts"
import * as Transport from "../Transport.ts"
import type { At, Connect, ConnectOptions, Listen, ListenOptions, Shape } from "../Transport.ts"
import type { Carried, Codec, Received } from "./Codec.ts"

/** How a protocol is put on a stack. */
export interface OverOptions {
  /**
   * What to do if a layer below negotiates and agreed on no name: `"refuse"` by default. `"accept"` is for peers that
   * speak the protocol and don't know its name. Another name than ours is always refused.
   */
  readonly unnamed?: "refuse" | "accept"
}

/** A connection that says which protocol it speaks. */
export type Speaking<Name, In, Out, D = never> = Connection<In, Out, D> & { readonly protocol: Name }

/** A bound server whose connections say which protocol they speak; else as `Listener`. */
export interface SpeakingListener<Name, In, Out, D = never> extends Omit<Listener<In, Out, D>, "run"> {
  /** Handles connections until interrupted; a listener is run once. */
  readonly run: <E, R>(
    handler: (connection: Speaking<Name, In, Out, D>) => Effect.Effect<void, E, R>,
    options?: RunOptions
  ) => Effect.Effect<never, ListenError, Exclude<R, Scope.Scope>>
}

/** What can be done with a protocol: `Name` is what it is called, and the others are what the client and the server receive and send. */
export interface Operations<Self, Name, CIn, COut, SIn, SOut> extends Shape<Self, CIn, COut, SIn, SOut> {
  /** Connects as the client; `D` names the details that must be below. Safe to interrupt: what fails leaves nothing open. */
  readonly connect: <D = never>(
    endpoint: Endpoint.Inputs,
    options?: ConnectOptions
  ) => Effect.Effect<Speaking<Name, CIn, COut, D>, ConnectError, Scope.Scope | At<Self, Connect | D>>
  /** Listens as the server; `D` as in `connect`. */
  readonly listen: <D = never>(
    endpoint: Endpoint.Input,
    options?: ListenOptions<Connection<SIn, SOut, D>>
  ) => Effect.Effect<SpeakingListener<Name, SIn, SOut, D>, ListenError, Scope.Scope | At<Self, Listen | D>>
  /** A layer that serves for as long as it is provided; `D` as in `connect`. */
  readonly serve: <D = never>() => <E, R>(
    endpoint: Endpoint.Input,
    handler: (connection: Speaking<Name, SIn, SOut, D>) => Effect.Effect<void, E, R>,
    options?: ListenOptions<Connection<SIn, SOut, D>> & RunOptions
  ) => Layer.Layer<never, ListenError, At<Self, Listen | D> | Exclude<R, Scope.Scope>>
}

/** A protocol as a class, which is its shape and has its operations. */
export interface Service<Self, Name extends string, C extends Carried, S extends Carried>
  extends Operations<Self, Name, Received<S>, C["Type"], Received<C>, S["Type"]>
{
  new(_: never): {
    readonly "~@wirestack/protocol/Subprotocol": {
      readonly protocol: Name
      readonly client: C["Type"]
      readonly server: S["Type"]
    }
  }
  /** The name of the protocol, as it is negotiated. */
  readonly protocol: Name
  /** What the client sends. */
  readonly client: C
  /** What the server sends. */
  readonly server: S
  /** The operator that puts the protocol on a stack of what the codec stands on: messages, mostly. */
  readonly over: <L, M>(codec: Codec<L, M, C | S>, options?: OverOptions) => Protocol.Over<L, never, Self, never>
}

/** What the client of a protocol has in hand. */
export type ClientConnection<P extends AnyService, D = never> = Speaking<
  P["protocol"],
  Received<P["server"]>,
  P["client"]["Type"],
  D
>

/** What the server of a protocol has in hand. */
export type ServerConnection<P extends AnyService, D = never> = Speaking<
  P["protocol"],
  Received<P["client"]>,
  P["server"]["Type"],
  D
>

/** Any protocol. */
export interface AnyService {
  readonly protocol: string
  readonly client: Carried
  readonly server: Carried
}

/**
 * Defines a protocol: `class Chat extends Service<Chat>()("chat.v1", { client, server }) {}`. The name must be unique
 * among the protocols of a program.
 *
 * @category constructors
 */
export const Service = <Self>() =>
<const Name extends string, C extends Carried, S extends Carried>(
  protocol: Name,
  messages: { readonly client: C; readonly server: S }
): Service<Self, Name, C, S> => {
  const { client, server } = messages
  const shape = Transport.shape<Self, Received<S>, C["Type"], Received<C>, S["Type"]>(`Subprotocol/${protocol}`, [
    protocol
  ])
  const over = <L, M>(codec: Codec<L, M, C | S>, options?: OverOptions): Protocol.Over<L, never, Self, never> => {
    const machines = compile(codec, { protocol, client, server })
    const accepted = options?.unnamed === "accept" ? "unnamed" : "unnegotiated"
    return Protocol.make(codec.below, shape, {
      layer: protocol,
      below: offering([protocol]),
      client: (lower) => speak(lower, [machines], "client", accepted),
      server: (lower) => speak(lower, [machines], "server", accepted)
    })
  }
  return class {
    static readonly key = shape.key
    static readonly offers = shape.offers
    static readonly protocol = protocol
    static readonly client = client
    static readonly server = server
    static readonly over = over
    static readonly connect = Transport.connect(shape)
    static readonly listen = Transport.listen(shape)
    static readonly serve = Transport.serve(shape)
  } as any
}

/** The versions of a family, by name, the most wanted first. */
export interface Versions {
  readonly [name: string]: AnyService
}

/** The Schemas of all versions. */
export type Sides<V extends Versions> = V[keyof V]["client" | "server"]

/** Says in the compiler's message which key a version must have. */
export type Named<V extends Versions> = {
  readonly [Name in keyof V]: V[Name]["protocol"] extends Name ? unknown
    : { readonly "the key must be": V[Name]["protocol"] }
}

/** What the client of a family has in hand: one of its versions, told apart by `protocol`. */
export type AnyClientConnection<V extends Versions, D = never> = {
  readonly [Name in keyof V]: ClientConnection<V[Name], D>
}[keyof V]

/** A handler for every version of a family. */
export type Handlers<V extends Versions, D = never> = {
  readonly [Name in keyof V]: (connection: ServerConnection<V[Name], D>) => Effect.Effect<void, any, any>
}

/** What the handlers of a record need. */
export type HandlerServices<H> = {
  readonly [Name in keyof H]: H[Name] extends (...args: any) => Effect.Effect<any, any, infer R> ? R : never
}[keyof H]

/** A bound server of a family: as `Listener`, with a handler for every version. */
export interface FamilyListener<V extends Versions, D = never>
  extends Omit<Listener<never, never, D>, "run" | "drain">
{
  /** As that of a `Listener`. */
  readonly drain: (options?: DrainOptions<AnyServerConnection<V, D>>) => Effect.Effect<DrainReport>
  /** Handles connections until interrupted, each by the handler of the version that was agreed on. */
  readonly run: <const H extends Handlers<V, D>>(
    handlers: H,
    options?: RunOptions
  ) => Effect.Effect<never, ListenError, Exclude<HandlerServices<H>, Scope.Scope>>
}

/** A family as a class, which is its shape and has its operations. */
export interface Family<Self, V extends Versions> extends
  Shape<
    Self,
    Received<V[keyof V]["server"]>,
    never,
    Received<V[keyof V]["client"]>,
    never
  >
{
  new(_: never): {
    readonly "~@wirestack/protocol/Subprotocol": {
      readonly protocol: keyof V
      readonly client: V[keyof V]["client"]["Type"]
      readonly server: V[keyof V]["server"]["Type"]
    }
  }
  /** The versions, by name, the most wanted first. */
  readonly versions: V
  /** The operator that puts the family on a stack, of what the codec stands on, in which a layer negotiates. */
  readonly over: <L, M>(codec: Codec<L, M, Sides<V>>) => Protocol.Over<L, Negotiated, Self, never>
  /** Connects as the client; `D` names the details that must be below. Safe to interrupt: what fails leaves nothing open. */
  readonly connect: <D = never>(
    endpoint: Endpoint.Inputs,
    options?: ConnectOptions
  ) => Effect.Effect<AnyClientConnection<V, D>, ConnectError, Scope.Scope | At<Self, Connect | D>>
  /** Listens as the server; `D` as in `connect`. */
  readonly listen: <D = never>(
    endpoint: Endpoint.Input,
    options?: ListenOptions<AnyServerConnection<V, D>>
  ) => Effect.Effect<FamilyListener<V, D>, ListenError, Scope.Scope | At<Self, Listen | D>>
  /** A layer that serves for as long as it is provided; `D` as in `connect`. */
  readonly serve: <D = never>() => <const H extends Handlers<V, D>>(
    endpoint: Endpoint.Input,
    handlers: H,
    options?: ListenOptions<AnyServerConnection<V, D>> & RunOptions
  ) => Layer.Layer<never, ListenError, At<Self, Listen | D> | Exclude<HandlerServices<H>, Scope.Scope>>
}

/**
 * Defines a family of versions: `class Chats extends Family<Chats>()({ "chat.v2": ChatV2, "chat.v1": ChatV1 }) {}`.
 * The first is the most wanted. A key is the name of its version; it must not be a number, whose place in the order a
 * record does not keep.
 *
 * @category constructors
 */
export const Family = <Self>() => <const V extends Versions>(versions: V & Named<V>): Family<Self, V> => {
  const names = offersOf(versions)
  const id = `Subprotocol/Family/${names.join(",")}`
  const shape = Transport.shape<Self, any, any, any, any>(id, names)
  const over = <L, M>(codec: Codec<L, M, Sides<V>>): Protocol.Over<L, never, Self, never> => {
    const machines = names.map((name) => compile(codec, versions[name]))
    return Protocol.make(codec.below, shape, {
      layer: names.join(", "),
      below: offering(names),
      client: (lower) => speak(lower, machines, "client", "named"),
      server: (lower) => speak(lower, machines, "server", "named")
    })
  }
  const dispatch = (handlers: Handlers<V, any>) => (connection: Connection<any, any>) =>
    handlers[(connection as Speaking<string, any, any, any>).protocol](connection as any)
  const listen = Transport.listen(shape)
  const serve = Transport.serve(shape)()
  return class {
    static readonly key = shape.key
    static readonly offers = shape.offers
    static readonly versions = versions
    static readonly over = over
    static readonly connect = Transport.connect(shape)
    static readonly listen = (endpoint: Endpoint.Input, options?: ListenOptions<any>) =>
      Effect.map(listen(endpoint, options), (listener) =>
        withRun(
          listener,
          (handlers: Handlers<V, any>, options?: RunOptions) => listener.run(dispatch(handlers), options)
        ))
    static readonly serve =
      () => (endpoint: Endpoint.Input, handlers: Handlers<V, any>, options?: ListenOptions<any> & RunOptions) =>
        serve(endpoint, dispatch(handlers), options)
  } as any
}

/** What the server of a family has in hand: one of its versions, told apart by `protocol`. */
export type AnyServerConnection<V extends Versions, D = never> = {
  readonly [Name in keyof V]: ServerConnection<V[Name], D>
}[keyof V]

const on = (role: "client" | "server") => <P extends AnyService, M>(protocol: P, codec: Codec<any, M, any>) => {
  const machines = [compile(codec, protocol)]
  return (lower: Connection<M, M>): Effect.Effect<any, ConnectError, Scope.Scope> =>
    speak(lower, machines, role, "unnamed")
}

/**
 * Speaks a protocol, as the client, on a connection that is there already, such as a channel. If a name was negotiated on it, it must be
 * that of the protocol. The Schemas are compiled once: `const speak = asClient(Chat, Codec.json())`.
 */
export const asClient: <P extends AnyService, M>(
  protocol: P,
  codec: Codec<any, M, P["client"] | P["server"]>
) => <D>(lower: Connection<M, M, D>) => Effect.Effect<ClientConnection<P, D>, ConnectError, Scope.Scope> = on("client")

/** The same as the server. */
export const asServer: <P extends AnyService, M>(
  protocol: P,
  codec: Codec<any, M, P["client"] | P["server"]>
) => <D>(lower: Connection<M, M, D>) => Effect.Effect<ServerConnection<P, D>, ConnectError, Scope.Scope> = on("server")

/**
 * Speaks one of these protocols, as the server, over connections on which its name was agreed on: for who accepts connections by
 * other means than a listener of the protocol. The Schemas are compiled once.
 */
export const serverOn = <const V extends Versions, M>(versions: V & Named<V>, codec: Codec<any, M, Sides<V>>) => {
  const machines = Object.keys(versions).map((name) => compile(codec, versions[name]))
  return <D>(
    lower: Connection<M, M, D>
  ): Effect.Effect<AnyServerConnection<V, D>, ConnectError, Scope.Scope> =>
    speak(lower, machines, "server", "named") as any
}

/** Messages that a tag tells apart. */
export interface Tagged {
  readonly _tag: string
}

/** A handler for every message, by its tag. */
export type TagHandlers<In extends Tagged> = {
  readonly [Tag in In["_tag"]]: (message: Extract<In, { readonly _tag: Tag }>) => Effect.Effect<void, any, any>
}

/** Says in the compiler's message which handlers are for no message. */
export type OnlyTags<In extends Tagged, H> = [Exclude<keyof H, In["_tag"]>] extends [never] ? unknown
  : { readonly "there is no message": Exclude<keyof H, In["_tag"]> }

/** What the handlers of a record fail with. */
export type HandlerErrors<H> = {
  readonly [Name in keyof H]: H[Name] extends (...args: any) => Effect.Effect<any, infer E, any> ? E : never
}[keyof H]

/**
 * Handles each message of a connection by its tag, one after the other, until the peer sends no more. A message without a handler does not
 * compile. Safe to interrupt; a batch that was pulled is then not handled to its end.
 */
export const byTag = <In extends Tagged, Out, D, const H extends TagHandlers<In>>(
  connection: Connection<In, Out, D>,
  handlers: H & OnlyTags<In, H>
): Effect.Effect<void, ConnectionError | HandlerErrors<H>, HandlerServices<H>> => {
  const handle = (message: In): Effect.Effect<void, any, any> => (handlers as any)[message._tag](message)
  const handleAll = (batch: Batch<In>) => Effect.forEach(batch, handle, { discard: true })
  return Pull.catchDone(Effect.forever(Effect.flatMap(connection.pull, handleAll)), () => Effect.void)
}
