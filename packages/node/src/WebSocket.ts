/**
 * WebSockets on Node in one line: the URL says whether there is TLS.
 *
 *     const connection = yield* WebSocket.connect("wss://chat.example/rooms/sea")
 *
 * It is the stack of `Tcp`, `Tls` and `WebSocket` that one would write oneself; so a typed protocol goes on top of `client` and
 * `server`, and whatever they don't offer is there in the parts. A server at `wss://` is given its identity as `tls`.
 */
import type { Negotiated } from "@wirestack/protocol/Ask"
import { type ConnectError, InvalidEndpoint } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import { format, type Input, type Inputs } from "@wirestack/protocol/Endpoint"
import { type RunOptions, runScoped } from "@wirestack/protocol/Listener"
import { ListenError } from "@wirestack/protocol/ListenError"
import * as Transport from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import type { TcpInfo } from "@wirestack/transport-tcp/TcpInfo"
import type { CredentialsError } from "@wirestack/transport-tls/CredentialsError"
import * as Tls from "@wirestack/transport-tls/Tls"
import type { Any } from "@wirestack/websocket/routing/Route"
import * as Router from "@wirestack/websocket/routing/Router"
import * as WebSocketLayer from "@wirestack/websocket/WebSocket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Compressing, engines, extensionsOf } from "./internal/compressing.ts"

/** A WebSocket's own facts and operations, among the details of its connection. */
export { WebSocket } from "@wirestack/websocket/WebSocket"

/** What the layers below are told. */
interface Below extends Compressing {
  readonly tcp?: Tcp.Options
}

/** How a client connects. */
export interface ClientOptions
  extends Omit<WebSocketLayer.ClientOptions, "extensions">, WebSocketLayer.Deadline, Below
{
  /** How TLS is done for `wss://`; by default the system's authorities are trusted. */
  readonly tls?: Tls.ClientOptions
}

/** How a server listens. */
interface Serving extends Below {
  /** The identity of a server for `wss://`. */
  readonly tls?: Tls.ServerOptions
}

export interface ServerOptions
  extends Omit<WebSocketLayer.ServerOptions, "extensions">, WebSocketLayer.Deadline, Serving
{}

type Adds = WebSocketLayer.WebSocket | Negotiated

/** The transport for a URL: with TLS if that is asked for. */
const either = (
  options: ClientOptions
): Layer.Layer<Transport.ByteTransport<Transport.Connect | TcpInfo>, CredentialsError> =>
  Transport.layer(
    Transport.Bytes,
    Effect.gen(function*() {
      const plain = Context.get(yield* Layer.build(Tcp.layer(options.tcp)), Transport.Bytes.key)
      const secure = Context.get(
        yield* Layer.build(Tls.client(options.tls)(Tcp.layer(options.tcp))),
        Transport.Bytes.key
      )
      return { ...plain, connect: (ask) => (ask.demands.includes("tls") ? secure : plain).connect(ask) }
    })
  )

/**
 * A stack that connects to `ws://` and `wss://`, as the URL says.
 *
 * @category layers
 */
export const client = (
  options: ClientOptions = {}
): Layer.Layer<Transport.MessageTransport<Transport.Connect | TcpInfo | Adds>, CredentialsError> =>
  Layer.provide(
    WebSocketLayer.client({ ...options, extensions: extensionsOf(options) })(either(options)),
    engines(options)
  )

/**
 * A stack that listens, with TLS if it has an identity for it.
 *
 * @category layers
 */
export const server = (
  options: ServerOptions = {}
): Layer.Layer<Transport.MessageTransport<Transport.Listen | TcpInfo | Adds>, CredentialsError> =>
  Layer.provide(
    WebSocketLayer.server({ ...options, extensions: extensionsOf(options) })(listening(options)),
    engines(options)
  )

const listening = (
  { tcp, tls }: Serving
): Layer.Layer<Transport.ByteTransport<Transport.Listen | TcpInfo>, CredentialsError> =>
  tls === undefined ? Tcp.layer(tcp) : Tls.server(tls)(Tcp.layer(tcp))

/**
 * Connects to a `ws://` or `wss://` URL, or the first of several that can be connected to, offering `protocols`, the most wanted first. The scope owns the connection. What fails
 * leaves nothing open. Safe to interrupt.
 *
 * @category constructors
 */
export const connect = (
  url: Inputs,
  { protocols = [], ...options }: ClientOptions & Transport.ConnectOptions & {
    readonly protocols?: ReadonlyArray<string>
  } = {}
): Effect.Effect<
  Connection<Transport.Message, Transport.Message, TcpInfo | Adds>,
  ConnectError | CredentialsError,
  Scope.Scope
> =>
  Effect.flatMap(Layer.build(client(options)), (stack) =>
    Effect.provideContext(
      Transport.connect({ ...Transport.Messages, offers: protocols })<TcpInfo | Adds>(url, options),
      stack
    ))

/** How routes are served. */
export interface ServeOptions extends Omit<Router.Options, "extensions">, Serving {}

/** The URL says whether there is TLS, and the options whether there can be. */
const agreeing = (endpoint: Input, { tls }: Serving): Effect.Effect<void, ListenError> => {
  const isSecure = typeof endpoint === "string" ? endpoint.startsWith("wss://") : endpoint.demands.includes("tls")
  if (isSecure === (tls !== undefined)) return Effect.void
  const input = typeof endpoint === "string" ? endpoint : format(endpoint)
  const detail = isSecure ? "wss:// wants an identity, the option `tls`" : "with the option `tls` it is wss://"
  return Effect.fail(new ListenError({ layer: "endpoint", reason: new InvalidEndpoint({ input, detail }) }))
}

/**
 * Listens for these routes, with TLS at `wss://`. The scope owns the listener; port 0 asks the system for a free one, which is in its
 * `address`.
 *
 * @category constructors
 */
export const listen = <const Routes extends ReadonlyArray<Any>>(
  endpoint: Input,
  routes: Routes,
  options: ServeOptions = {}
): Effect.Effect<
  Router.RoutedListener<Router.RouteServices<Routes>>,
  ListenError | CredentialsError,
  Scope.Scope | Router.RouteServices<Routes>
> =>
  Effect.andThen(
    agreeing(endpoint, options),
    Effect.flatMap(
      Layer.build(Layer.merge(listening(options), engines(options))),
      (stack) =>
        Effect.provideContext(
          Router.listen(endpoint, routes, { ...options, extensions: extensionsOf(options) }),
          stack
        )
    )
  ) as any

/**
 * A layer that serves these routes for as long as it is provided, with TLS at `wss://`.
 *
 * @category layers
 */
export const serve = <const Routes extends ReadonlyArray<Any>>(
  endpoint: Input,
  routes: Routes,
  options?: ServeOptions & RunOptions
): Layer.Layer<never, ListenError | CredentialsError, Router.RouteServices<Routes>> =>
  Layer.effectDiscard(
    Effect.flatMap(listen(endpoint, routes, options), (listener) => runScoped(listener.run(options)))
  ) as any
