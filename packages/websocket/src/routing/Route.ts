/**
 * A resource of a server: where it is, how its messages look, and who handles its connections.
 *
 *     Route.protocol("/rooms/:room", Chat, Codec.json(), (connection, { params }) => join(params.room, connection))
 *
 * The handler sees the connection and the request that led to it. A path is a pattern, whose parameters are in the type of the request. A
 * route is a value; a `Router` serves a list of them.
 */
import type { Negotiated } from "@wirestack/protocol/Ask"
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import type * as Codec from "@wirestack/protocol/typed/Codec"
import * as Subprotocol from "@wirestack/protocol/typed/Subprotocol"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as HostPattern from "../handshake/HostPattern.ts"
import type { MakeMachine } from "../internal/Role.ts"
import { type Frame, FrameMachine } from "../machines/FrameMachine.ts"
import { type OutgoingPart, type Part, StreamedMachine } from "../machines/StreamedMachine.ts"
import { type Message, WebSocketMachine } from "../machines/WebSocketMachine.ts"
import type { Request, ServerOptions, WebSocket } from "../WebSocket.ts"
import * as PathPattern from "./PathPattern.ts"

/** What a route's handler sees of the request. */
export interface RoutedRequest<Path extends string> extends Request {
  /** The parameters of the path, percent-decoded. */
  readonly params: PathPattern.Params<Path>
}

/** What a route may say beyond its path. */
export interface Options<M = Message, R = never>
  extends Omit<ServerOptions<M, R>, "path" | "skipHandshake" | "maxHandshakes" | "maxHeadSize">
{
  /** The host it is at, such as `chat.example` or `*.example`; any by default. */
  readonly host?: string
}

/** A route whose connections are handled; `R` is what it needs. */
export interface Route<out R = never> {
  readonly path: PathPattern.PathPattern
  readonly host: HostPattern.HostPattern | undefined
  readonly options: Options<never, R>
  /** The subprotocols that are spoken here. */
  readonly protocols: ReadonlyArray<string>
  readonly machine: MakeMachine<any, any>
  /** Handles a connection, which is closed when this ends. */
  readonly handle: (
    connection: Connection<any, any, any>,
    request: RoutedRequest<any>
  ) => Effect.Effect<void, unknown, R>
}

/** Any route. It leaves out what it needs, so that in a list a handler's needs are inferred from the handler alone. */
export type Any = Pick<Route, "path" | "host" | "protocols">

type Handler<C, Path extends string, E, R> = (connection: C, request: RoutedRequest<Path>) => Effect.Effect<void, E, R>

type Details = WebSocket | Negotiated

const make = (
  path: string,
  protocols: ReadonlyArray<string>,
  machine: Route["machine"],
  handle: Route<any>["handle"],
  options: Options<never, any> = {}
): Route<any> => ({
  path: PathPattern.make(path),
  host: options.host === undefined ? undefined : HostPattern.make(options.host),
  options,
  protocols,
  machine,
  handle
})

const whole: Route["machine"] = (framed, transforms) => new WebSocketMachine({ ...framed, transforms })

/**
 * Whole messages, and no subprotocol.
 *
 * @category constructors
 */
export const messages = <const Path extends string, E, R, R2 = never>(
  path: PathPattern.Checked<Path>,
  handler: Handler<Connection<Message, Message, Details>, Path, E, R>,
  options?: Options<Message, R2>
): Route<Exclude<R, Scope.Scope> | R2> => make(path, [], whole, handler, options as Options<never, R2>)

/**
 * Messages in parts, for those larger than memory; see `StreamedMessage`.
 *
 * @category constructors
 */
export const streamed = <const Path extends string, E, R, R2 = never>(
  path: PathPattern.Checked<Path>,
  handler: Handler<Connection<Part, OutgoingPart, Details>, Path, E, R>,
  options?: Options<never, R2>
): Route<Exclude<R, Scope.Scope> | R2> => make(path, [], (framed) => new StreamedMachine(framed), handler, options)

/**
 * Frames by hand. There is no heartbeat and no extension but what these options ask for.
 *
 * @category constructors
 */
export const raw = <const Path extends string, E, R, R2 = never>(
  path: PathPattern.Checked<Path>,
  handler: Handler<Connection<Frame, Frame, Details>, Path, E, R>,
  options?: Options<never, R2>
): Route<Exclude<R, Scope.Scope> | R2> =>
  make(path, [], (framed) => new FrameMachine(framed), handler, { heartbeat: "off", extensions: [], ...options })

/**
 * A typed protocol, which a client must offer as its subprotocol.
 *
 * @category constructors
 */
export const protocol = <const Path extends string, P extends Subprotocol.AnyService, E, R, R2 = never>(
  path: PathPattern.Checked<Path>,
  spoken: P,
  codec: Codec.Codec,
  handler: Handler<Subprotocol.ServerConnection<P, Details>, Path, E, R>,
  options?: Options<Message, R2>
): Route<Exclude<R, Scope.Scope> | R2> =>
  protocols(path, { [spoken.protocol]: spoken } as any, codec, { [spoken.protocol]: handler } as any, options) as any

/** A handler for each of several protocols. */
export type Handlers<V extends Subprotocol.Versions, Path extends string> = {
  readonly [Name in keyof V]: Handler<Subprotocol.ServerConnection<V[Name], Details>, Path, any, any>
}

/**
 * Several typed protocols, each with its handler, of which a client must offer one; a forgotten handler does not compile.
 *
 * @category constructors
 */
export const protocols = <
  const Path extends string,
  const V extends Subprotocol.Versions,
  const H extends Handlers<V, Path>,
  R2 = never
>(
  path: PathPattern.Checked<Path>,
  versions: V & Subprotocol.Named<V>,
  codec: Codec.Codec,
  handlers: H,
  options?: Options<Message, R2>
): Route<Exclude<Subprotocol.HandlerServices<H>, Scope.Scope> | R2> => {
  const speak = Subprotocol.serverOn<V, Message>(versions, codec)
  const handle = (connection: Connection<Message, Message, Details>, request: RoutedRequest<Path>) =>
    Effect.flatMap(
      speak(connection) as Effect.Effect<Subprotocol.ServerConnection<V[keyof V], Details>, ConnectError, Scope.Scope>,
      (speaking) => handlers[speaking.protocol as keyof V](speaking as any, request)
    )
  return make(path, Object.keys(versions), whole, handle as any, options as Options<never, R2>)
}
