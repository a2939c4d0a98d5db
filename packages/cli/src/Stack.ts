/**
 * From the URL of a stack to the stack: a Layer, as one would write it by hand, and connections and listeners on it.
 *
 *     const url = Result.getOrThrow(StackUrl.make("wss+lines://chat.example/"))
 *     const connection = yield* Stack.connect(url, { tls: { trust } })
 *
 * What is on top is messages or bytes (`StackUrl.shapeOf`). Both are given as a connection of messages; one of bytes takes bytes only, and
 * its messages are whatever the network made of them.
 */

import * as NodeZlib from "@wirestack/node/NodeZlib"
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import * as Cobs from "@wirestack/protocol/framers/Cobs"
import * as ContentLength from "@wirestack/protocol/framers/ContentLength"
import * as Datagrams from "@wirestack/protocol/framers/Datagrams"
import * as Delimited from "@wirestack/protocol/framers/Delimited"
import * as LengthPrefixed from "@wirestack/protocol/framers/LengthPrefixed"
import * as Lines from "@wirestack/protocol/framers/Lines"
import * as Netstring from "@wirestack/protocol/framers/Netstring"
import * as Unframed from "@wirestack/protocol/framers/Unframed"
import * as VarintPrefixed from "@wirestack/protocol/framers/VarintPrefixed"
import type { Listener } from "@wirestack/protocol/Listener"
import type { ListenError } from "@wirestack/protocol/ListenError"
import type { Over } from "@wirestack/protocol/Protocol"
import * as Tap from "@wirestack/protocol/tap/Tap"
import * as Transport from "@wirestack/protocol/Transport"
import * as HttpConnect from "@wirestack/transport-proxy/HttpConnect"
import * as Socks5 from "@wirestack/transport-proxy/Socks5"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as Unix from "@wirestack/transport-tcp/Unix"
import type { CredentialsError } from "@wirestack/transport-tls/CredentialsError"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as Udp from "@wirestack/transport-udp/Udp"
import * as PerMessageDeflate from "@wirestack/websocket/extensions/PerMessageDeflate"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Framing, type Proxy, type StackUrl, StackUrlInvalid } from "./StackUrl.ts"

/** What both ends can be told. */
interface Common {
  /** The largest message, in bytes; the default of each layer by default. */
  readonly maxMessageSize?: number | undefined
  /** Whether a WebSocket compresses its messages (permessage-deflate); false by default. */
  readonly compression?: boolean
  /** What is shown of what passes above a layer, by the name of the layer in the URL (`tcp`, `tls`, `ws`, `lines`); nothing by default. */
  readonly tap?: (layer: string) => Tap.Options | undefined
}

/** What a client can be told of its layers; those that are not in the URL are not there. */
export interface ClientOptions extends Common {
  readonly tls?: Tls.ClientOptions
  readonly webSocket?: Omit<WebSocket.ClientOptions, "extensions" | "maxMessageSize">
}

/** What a server can be told of its layers. */
export interface ServerOptions extends Common {
  /** Needed where the URL has TLS. */
  readonly tls?: Tls.ServerOptions
  readonly webSocket?: Omit<WebSocket.ServerOptions, "extensions" | "maxMessageSize">
}

/** A connection on top of any stack. */
export type Top = Connection<Transport.Message, Transport.Message>

/** What can go wrong while a stack is built. */
export type BuildError = StackUrlInvalid | CredentialsError

type Bytes = Layer.Layer<Transport.ByteTransport<any>, BuildError>
type Messages = Layer.Layer<Transport.MessageTransport<any>, BuildError>

/** A stack, and what stands at its top. */
export type Stack =
  | { readonly shape: "bytes"; readonly layer: Bytes }
  | { readonly shape: "messages"; readonly layer: Messages }

type Framer = Over<"bytes", never, "messages", never>

/** A last line that has no end is shown all the same. */
const unterminated = "deliver"

const prefixed =
  (lengthBytes: 1 | 2 | 3 | 4 | 8, endian: "big" | "little" = "big") => (limit: { size?: number }): Framer =>
    LengthPrefixed.over({ lengthBytes, endian, ...limit.size === undefined ? undefined : { maxFrameSize: limit.size } })

const frames = ({ size }: { size?: number }) => size === undefined ? {} : { maxFrameSize: size }

/** A framer by its name, with the largest message if there is a limit of one's own. */
const framers: Readonly<Record<Exclude<Framing, "bytes">, (limit: { size?: number }) => Framer>> = {
  lines: ({ size }) => Lines.over({ unterminated, ...size === undefined ? undefined : { maxLineSize: size } }),
  crlf: ({ size }) =>
    Lines.over({ unterminated, delimiter: "\r\n", ...size === undefined ? undefined : { maxLineSize: size } }),
  null: (limit) => Delimited.over({ unterminated, delimiter: "\0", ...frames(limit) }),
  netstring: (limit) => Netstring.over(frames(limit)),
  varint: (limit) => VarintPrefixed.over(frames(limit)),
  "content-length": ({ size }) => ContentLength.over(size === undefined ? {} : { maxContentSize: size }),
  cobs: (limit) => Cobs.over(frames(limit)),
  length8: prefixed(1),
  length16: prefixed(2),
  length16le: prefixed(2, "little"),
  length24: prefixed(3),
  length24le: prefixed(3, "little"),
  length32: prefixed(4),
  length32le: prefixed(4, "little"),
  length64: prefixed(8),
  length64le: prefixed(8, "little")
}

/** The same, tapped if that is asked for. */
const tapped = <S, In, Out>({ tap }: Common, layer: string, shape: Transport.Shape<S, In, Out>) =>
(
  stack: Layer.Layer<Transport.At<S, any>, BuildError>
): Layer.Layer<Transport.At<S, any>, BuildError> => {
  const options = tap?.(layer)
  return options === undefined ? stack : Tap.over(shape)(options)(stack)
}

const framed = ({ framing }: StackUrl, options: Common, webSocket: Messages | undefined, bytes: Bytes): Stack => {
  if (framing === undefined) {
    return webSocket === undefined ? { shape: "bytes", layer: bytes } : { shape: "messages", layer: webSocket }
  }
  const below = webSocket === undefined ? bytes : Unframed.over()(webSocket)
  if (framing === "bytes") return { shape: "bytes", layer: below }
  const { maxMessageSize } = options
  const framer = framers[framing](maxMessageSize === undefined ? {} : { size: maxMessageSize })
  return { shape: "messages", layer: tapped(options, framing, Transport.Messages)(framer(below)) }
}

const webSocketOptions = ({ compression = false, maxMessageSize }: Common) => ({
  ...maxMessageSize === undefined ? undefined : { maxMessageSize },
  extensions: compression ? [PerMessageDeflate.make()] : []
})

const datagrams = (options: Common): Stack => ({
  shape: "messages",
  layer: Datagrams.over()(tapped(options, "udp", Transport.Datagrams)(Udp.layer()))
})

/** Puts TLS and a WebSocket on a ground, as far as the URL has them. */
const raised = (
  url: StackUrl,
  options: Common,
  ground: Bytes,
  tls: ((lower: Bytes) => Bytes) | undefined,
  webSocket: (lower: Bytes) => Layer.Layer<Transport.MessageTransport<any>, BuildError, any>
): Stack => {
  const lowest = tapped(options, url.ground, Transport.Bytes)(ground)
  const bytes = tls === undefined ? lowest : tapped(options, "tls", Transport.Bytes)(tls(lowest))
  if (!url.webSocket) return framed(url, options, undefined, bytes)
  const above = webSocket(bytes)
  const messages = (options.compression === true ? Layer.provide(above, NodeZlib.layer) : above) as Messages
  return framed(url, options, tapped(options, "ws", Transport.Messages)(messages), bytes)
}

const proxied = ({ endpoint, protocol }: Proxy): Bytes => {
  if (endpoint === undefined) {
    const detail = `${protocol} is somewhere: #proxy=host:port`
    return Layer.unwrap(Effect.fail(new StackUrlInvalid({ part: "parameters", detail })))
  }
  const over = protocol === "socks5" ? Socks5.over : HttpConnect.over
  return over({ proxy: endpoint })(Tcp.layer())
}

/** The stack of a client. */
export const client = (url: StackUrl, options: ClientOptions = {}): Stack => {
  if (url.ground === "udp") return datagrams(options)
  const tcp = url.proxy === undefined ? Tcp.layer : () => proxied(url.proxy!)
  const tls = url.tls ? Tls.client(options.tls) : undefined
  const webSocket = WebSocket.client({ ...options.webSocket, ...webSocketOptions(options) })
  return raised(url, options, url.ground === "unix" ? Unix.layer() : tcp(), tls, webSocket)
}

/** The stack of a server. Without an identity it has no TLS, and an URL that wants it can't be listened on. */
export const server = (url: StackUrl, options: ServerOptions = {}): Stack => {
  if (url.ground === "udp") return datagrams(options)
  const tls = options.tls && Tls.server(options.tls)
  const webSocket = WebSocket.server({ ...options.webSocket, ...webSocketOptions(options) })
  return raised(url, options, url.ground === "unix" ? Unix.layer() : Tcp.layer(), tls, webSocket)
}

/** Connects to where the URL leads, offering `protocols` as subprotocols (or ALPN names). The scope owns the connection and its stack. */
export const connect = (
  url: StackUrl,
  { protocols = [], ...options }: ClientOptions & Transport.ConnectOptions & {
    readonly protocols?: ReadonlyArray<string>
  } = {}
): Effect.Effect<Top, ConnectError | BuildError, Scope.Scope> => {
  const stack = client(url, options)
  const connected = stack.shape === "bytes"
    ? Transport.connect({ ...Transport.Bytes, offers: protocols })<any>(url.endpoint, options)
    : Transport.connect({ ...Transport.Messages, offers: protocols })<any>(url.endpoint, options)
  return on(stack, connected)
}

/** Listens where the URL leads; a scheme with a proxy does not lead anywhere. The scope owns the listener and its stack. */
export const listen = (
  url: StackUrl,
  { protocols = [], ...options }: ServerOptions & Transport.ListenOptions<any> & {
    readonly protocols?: ReadonlyArray<string>
  } = {}
): Effect.Effect<Listener<Transport.Message, Transport.Message>, ListenError | BuildError, Scope.Scope> => {
  if (url.proxy !== undefined) {
    return Effect.fail(new StackUrlInvalid({ part: "scheme", detail: `${url.proxy.protocol} can't be listened on` }))
  }
  const stack = server(url, options)
  const listening = stack.shape === "bytes"
    ? Transport.listen({ ...Transport.Bytes, offers: protocols })<any>(url.endpoint, options)
    : Transport.listen({ ...Transport.Messages, offers: protocols })<any>(url.endpoint, options)
  return on(stack, listening)
}

/** On a stack that lives as long as the scope. */
const on = <A, E>(
  { layer }: Stack,
  effect: Effect.Effect<unknown, E, any>
): Effect.Effect<A, E | BuildError, Scope.Scope> =>
  Effect.flatMap(
    Layer.build(layer as Layer.Layer<never, BuildError>),
    (context) => Effect.provideContext(effect, context)
  ) as Effect.Effect<A, E | BuildError, Scope.Scope>
