/**
 * WebSocket (RFC 6455) as a layer: messages over any byte transport, for clients and servers.
 *
 *     client                                                server
 *       | -- GET /chat, Upgrade: websocket, Key ------------> |   the opening handshake, section 4
 *       | <- 101 Switching Protocols, Accept ---------------- |
 *       | <================ messages ======================> |   frames, section 5
 *       | -- Close 1000 ------------------------------------> |   the closing handshake, section 7
 *       | <------------------------------------ Close 1000 -- |
 *       | <-------------------- the layer below is ended ---- |   by the server first
 *
 * The contract, beyond the one of `Connection`:
 *
 * - Text is a string, binary is a `Uint8Array`. A message is bounded by `maxMessageSize` (1 MiB) and `maxFragments`. Messages
 *   larger than memory are for `streamed`, and frames by hand for `raw`.
 * - The head of the handshake is bounded by `maxHeadSize` (16 KiB), the handshake by `handshakeWithin` (10 seconds).
 * - The names offered by the layers above are negotiated as subprotocols; what was chosen is in the details. A server on
 *   which a layer offers names refuses a client that offers none of them.
 * - A server lets a browser in only from its own origin, unless it is told otherwise (`origins`).
 * - Pings are answered, and a peer that is gone is found out (`heartbeat`). What the peer does wrong is answered with the code
 *   that says so, and fails the connection.
 */
import type { Headers } from "@wirestack/http/Headers"
import type { Negotiated } from "@wirestack/protocol/Ask"
import type { ClosePolicy } from "@wirestack/protocol/ClosePolicy"
import type * as Pulse from "@wirestack/protocol/liveness/Pulse"
import * as Protocol from "@wirestack/protocol/Protocol"
import { Bytes, type Connect, type Listen, Messages, type Shape, shape } from "@wirestack/protocol/Transport"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Extension } from "./extensions/Extension.ts"
import type * as Origin from "./handshake/Origin.ts"
import type { Refusal } from "./handshake/Refusal.ts"
import type { Decision, Upgrade } from "./handshake/ServerHandshake.ts"
import { client as connecting } from "./internal/client.ts"
import { facts, layer, type WebSocket } from "./internal/details.ts"
import * as Role from "./internal/Role.ts"
import { server as accepting } from "./internal/server.ts"
import { type Frame, FrameMachine } from "./machines/FrameMachine.ts"
import { type OutgoingPart, type Part, StreamedMachine } from "./machines/StreamedMachine.ts"
import { type Message, WebSocketMachine } from "./machines/WebSocketMachine.ts"

// They are part of the error types, so who imports this module is to know them.
export type * from "./handshake/HandshakeReason.ts"
export type * from "./WebSocketReason.ts"

export { layer, WebSocket } from "./internal/details.ts"

/** What client and server have in common; `M` is what messages look like, `R` what the options need. */
export interface CommonOptions<M = Message, R = never> {
  /** The largest message to receive, in bytes; 1 MiB by default, for streamed messages none. */
  readonly maxMessageSize?: number
  /** The most fragments of a message to receive; 131,072 by default, for streamed messages any number. */
  readonly maxFragments?: number
  /**
   * The largest payload of a frame to send, in bytes before an extension transforms it; larger messages become several, and control
   * frames go in between. 1 MiB by default, and 64 KiB where extensions are in use.
   */
  readonly maxFrameSize?: number
  /**
   * To whom a large binary message (16 KiB and more) belongs: `"owned"` by its receiver, for good, which is the default; or
   * `"lent"`, until the receiver asks for what is next, or has sent it. Then its memory is used again, which is 2 times as fast for
   * messages of 1 MiB; `slice()` keeps one, and views that are kept turn out empty. What works on a message behind the program's back, such as
   * `fs.write`, has to be done with it before. Whole messages only, and
   * only where no layer is above.
   */
  readonly payloads?: "owned" | "lent"
  /** The largest head of the opening handshake, in bytes; 16 KiB by default. */
  readonly maxHeadSize?: number
  /**
   * How many messages a second to receive; a burst may have those of one second at once. More is a violation of policy (1008). As
   * many as come by default.
   */
  readonly maxMessagesPerSecond?: number
  /** How many bytes of messages a second to receive; a message may be larger, and then the next has to wait for its time. */
  readonly maxBytesPerSecond?: number
  /**
   * How many pings and pongs a second to receive; a burst may have those of one second at once. More is a violation of policy (1008).
   * 1,000 by default.
   */
  readonly maxControlsPerSecond?: number
  /** Whether pings are answered by themselves; true by default. Otherwise the user does it: `pings` and `pong`. */
  readonly answersPings?: boolean
  /** When to ask whether the peer is still there; after 20 seconds of silence by default. */
  readonly heartbeat?: Pulse.Options | "off"
  /**
   * Whether the handshake says of which trace it is a part (`traceparent`, see `TraceContext`), if the program has `Telemetry`: a client
   * sends it, and a server continues the trace that it is sent. False by default, as a trace is none of a stranger's business.
   */
  readonly trace?: boolean
  /** Extensions to offer and accept, the most wanted first, such as `PerMessageDeflate.make()`; none by default. */
  readonly extensions?: ReadonlyArray<Effect.Effect<Extension, never, R>>
  /** Which messages to send extensions may transform, such as compress; all by default. */
  readonly transforms?: (message: M) => boolean
  /** How long each phase of closing may take, within the budget of the connection (5 seconds by default). */
  readonly closePolicy?: ClosePolicy
  /** Both ends are agreed already: there is no opening handshake; false by default. */
  readonly skipHandshake?: boolean
}

/** How long a handshake may take. */
export interface Deadline {
  /** From the moment the layer below is ready; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}

/** How a client asks. */
export interface ClientOptions<M = Message, R = never> extends CommonOptions<M, R> {
  /** The resource, path and query; by default what the endpoint's URL says, else `/`. */
  readonly path?: string
  /** The site on whose behalf a browser connects; none by default. */
  readonly origin?: string
  /** Further headers of the request, such as `Authorization`; a URL's user and password become one, too. */
  readonly headers?: Headers
  /** Sent as one `Cookie` header. */
  readonly cookies?: Readonly<Record<string, string>>
  /**
   * How many redirects to follow; none by default. They lead where the stack can go, never from wss to ws, and credentials
   * stay behind where the origin changes.
   */
  readonly maxRedirects?: number
  /** How many handshakes go on at once with one host and port; others wait. 1 by default, as section 4.1 demands. */
  readonly maxConnecting?: number
}

/** A request as a server sees it before it decides. */
export interface Request extends Upgrade {
  /** What the layers below know of the connection, such as `TcpInfo` and `TlsInfo`. */
  readonly details: Context.Context<never>
}

/** How a server answers. */
export interface ServerOptions<M = Message, R = never> extends CommonOptions<M, R> {
  /** The only path to accept; any by default. Another one is answered with 404. */
  readonly path?: string
  /**
   * From which origins browsers are let in (section 10.2); others are answered with 403. By default the server's own:
   * `authorities`, or the address it listens on.
   */
  readonly origins?: Origin.Policy
  /** Under which names the server is reached, such as `chat.example` or `chat.example:8443`. */
  readonly authorities?: ReadonlyArray<string>
  /** Further headers of the answer. */
  readonly headers?: Headers
  /**
   * Decides about a request that keeps the rules: to choose a subprotocol and add headers, or to refuse by failing with a `Refusal`.
   * It has the time of the handshake, and is interrupted with it.
   */
  readonly accept?: (request: Request) => Effect.Effect<Pick<Decision, "protocol" | "headers"> | void, Refusal, R>
  /** How long the first message may take after the handshake, before 1008 is the answer; any time by default. */
  readonly firstMessageWithin?: Duration.Input
  /** How many handshakes go on at once; those beyond are refused. No limit of its own by default. */
  readonly maxHandshakes?: number
}

/** The shape of messages in parts. */
export const Parts: Shape<"websocket/parts", Part, OutgoingPart> = shape("websocket/parts")

/** The shape of frames. */
export const Frames: Shape<"websocket/frames", Frame, Frame> = shape("websocket/frames")

type OverBytes<S, R, Drop = never> = Protocol.Over<"bytes", never, S, WebSocket | Negotiated, Drop, never, R>

/** The operators that put a WebSocket on a byte stack, for one way to look at messages. */
interface Layers<S, M> {
  /** In both roles. */
  readonly over: <R1 = never, R2 = never>(
    options?: Deadline & { readonly client?: ClientOptions<M, R1>; readonly server?: ServerOptions<M, R2> }
  ) => OverBytes<S, R1 | R2>
  /** As a client only: what results can't listen. */
  readonly client: <R = never>(options?: ClientOptions<M, R> & Deadline) => OverBytes<S, R, Listen>
  /** As a server only: what results can't connect. */
  readonly server: <R = never>(options?: ServerOptions<M, R> & Deadline) => OverBytes<S, R, Connect>
}

const layers = <S, In, Out, M>(
  above: Shape<S, In, Out>,
  machine: Role.MakeMachine<In, Out>,
  defaults?: CommonOptions<any, any>
): Layers<S, M> => {
  const make = (
    { handshakeWithin }: Deadline,
    clientOptions: ClientOptions<M, any> | undefined,
    serverOptions: ServerOptions<M, any> | undefined
  ): OverBytes<any, any, any> => {
    const asClient: ClientOptions<any, any> | undefined = clientOptions && { ...defaults, ...clientOptions }
    const asServer: ServerOptions<any, any> | undefined = serverOptions && { ...defaults, ...serverOptions }
    return Protocol.make<
      "bytes",
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      S,
      In,
      Out,
      In,
      Out,
      WebSocket | Negotiated,
      never,
      never,
      any,
      any
    >(Bytes, above, () => ({
      layer,
      handshakeWithin,
      maxHandshakes: asServer?.maxHandshakes,
      facts,
      ...asClient === undefined
        ? undefined
        : connecting(Role.make("client", asClient, machine), asClient, handshakeWithin),
      ...asServer === undefined ? undefined : accepting(Role.make("server", asServer, machine), asServer)
    }))
  }
  return {
    over: ({ client = {}, server = {}, ...options } = {}) => make(options, client, server),
    client: (options = {}) => make(options, options, undefined),
    server: (options = {}) => make(options, undefined, options)
  }
}

export const {
  /** WebSocket on a byte stack, in both roles. */
  over,
  /** WebSocket on a byte stack, as a client only: what results can't listen. */
  client,
  /** WebSocket on a byte stack, as a server only: what results can't connect. */
  server
} = layers<"messages", Message, Message, Message>(
  Messages,
  (options, transforms) => new WebSocketMachine({ ...options, transforms })
)

/** The same with messages that may be larger than memory: they come and go in parts; see `StreamedMessage`. */
export const streamed: Layers<"websocket/parts", never> = layers(Parts, (options) => new StreamedMachine(options))

/**
 * The same by hand: frames are received and sent as they are, pings, pongs and Close among them. There is no heartbeat unless one is
 * asked for. Extensions are only negotiated: what their bits mean is for the user to know.
 */
export const raw: Layers<"websocket/frames", never> = layers(
  Frames,
  (options) => new FrameMachine(options),
  { heartbeat: "off" }
)
