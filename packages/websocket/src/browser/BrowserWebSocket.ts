/**
 * The browser's own WebSocket as a transport of messages, for clients in pages and workers.
 *
 *     BrowserWebSocket.layer().pipe(Chat.over(Codec.json()))
 *     Chat.connect("wss://chat.example/")
 *
 * It is the bottom of its stack: the browser resolves names, speaks TLS and HTTP, frames, masks, compresses and answers pings. So it
 * meets what a `wss://` demands by itself, and has only those details that a browser tells. Any runtime with a global `WebSocket` will do.
 *
 * The contract, beyond the one of `Connection`:
 *
 * - **Opening.** The names that the layers above offer are offered as subprotocols; a server that selects none of them is refused by the
 *   browser. Why no WebSocket was opened browsers don't tell (`OpeningFailed`). There are no headers: cookies are sent by the browser's
 *   own rules, and the origin is always told.
 * - **Receiving.** Where there is `WebSocketStream`, who does not pull holds the peer back. A `WebSocket` can't be held back: what is not
 *   pulled waits, up to `maxInboxSize`; beyond that the connection fails with `TooLarge`, after what has come. A message that is larger
 *   than `maxMessageSize` has been received as a whole by then.
 * - **Sending.** A sender waits while the browser holds more than `maxBufferedAmount`. A `WebSocket` does not say when it holds less, so
 *   that is looked at every 1 to 32 milliseconds; browsers do so less often in a page that nobody sees.
 * - **Closing.** A page may say 1000 and 3000 to 4999 only (`BrowserCloseCode`): why our side closes is a code of `codes`, or 1000 and a
 *   word for it. With what a browser answers the peer's Close it does not tell, so then there is no `sent`. What is not sent when the
 *   connection is cut is told in bytes.
 * - **Aborting.** A page can't cut: what the browser holds is still sent, then a Close without a status (1005), and nobody waits for it.
 *
 * @see https://websockets.spec.whatwg.org/
 */
import { type Ask, lacking, met, Negotiated } from "@wirestack/protocol/Ask"
import { ConnectError, type ConnectReason, Forbidden, InvalidEndpoint } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import { ConnectionError, Unencodable } from "@wirestack/protocol/ConnectionError"
import { format } from "@wirestack/protocol/Endpoint"
import type { Outcome, Why } from "@wirestack/protocol/Outcome"
import { Other, TimedOut } from "@wirestack/protocol/Reason"
import * as Transport from "@wirestack/protocol/Transport"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { maxReasonSize } from "../frames/CloseBody.ts"
import { type BrowserWire, fitting, layer as layerName, type Opened } from "../internal/browser/BrowserWire.ts"
import { type Alarm, EventWire } from "../internal/browser/EventWire.ts"
import { globals } from "../internal/browser/sockets.ts"
import { StreamWire } from "../internal/browser/StreamWire.ts"
import { millis } from "../internal/millis.ts"
import { type BrowserCloseCode, isBrowserCloseCode } from "./BrowserCloseCode.ts"
import { OpeningFailed } from "./OpeningFailed.ts"

// It is part of the error types, so who imports this module is to know it.
export type * from "./OpeningFailed.ts"

/** How the browser's WebSocket is used. */
export interface Options {
  /**
   * Which of the browser's two it is: `"auto"`, the default, is a `WebSocketStream` where there is one, as it holds back who sends more
   * than is read, and a `WebSocket` elsewhere.
   */
  readonly api?: "auto" | "websocket" | "stream"
  /** How long the browser may take to open it; 10 seconds by default. */
  readonly openWithin?: Duration.Input
  /** The largest message to receive, in bytes or UTF-16 units; 1 MiB by default. */
  readonly maxMessageSize?: number
  /** How much may have arrived and not been pulled, in the same, with 64 more for each message; 16 MiB by default. */
  readonly maxInboxSize?: number
  /** How much the browser is given ahead of what it has passed on, in bytes; 256 KiB by default, and one message beyond. */
  readonly maxBufferedAmount?: number
  /** The codes that tell the peer why our side closes; by default 1000, with a word for it as the reason. */
  readonly codes?: Codes
}

/** A code for why our side closes. */
export type Codes = { readonly [W in Why]?: BrowserCloseCode }

/** What a wire is bounded by, and what it says at its end. */
export type Bounds = Required<Pick<Options, "maxMessageSize" | "maxInboxSize" | "maxBufferedAmount" | "codes">>

const boundsOf = (
  { codes = {}, maxBufferedAmount = 262_144, maxInboxSize = 16_777_216, maxMessageSize = 1_048_576 }: Options
): Bounds => ({ codes, maxBufferedAmount, maxInboxSize, maxMessageSize })

/** What a browser tells of its WebSocket, among the details of its connection. It has no ping and no headers. */
export class BrowserWebSocket extends Context.Service<BrowserWebSocket, {
  /** Which of the browser's two it is. */
  readonly api: "websocket" | "stream"
  /** The URL, as the browser reads it. */
  readonly url: string
  /** The subprotocol that was chosen, if one was. */
  readonly protocol: string | undefined
  /** The extensions in use, as their header has them. */
  readonly extensions: string
  readonly openingTime: Duration.Duration
  /**
   * Closes with a code and a reason of at most 123 bytes in UTF-8, and gives the outcome. The codes of the type are those that a page may
   * send. Safe to interrupt: the closing goes on.
   */
  readonly close: (code: BrowserCloseCode, reason?: string) => Effect.Effect<Outcome, ConnectionError>
}>()("@wirestack/websocket/browser/BrowserWebSocket") {}

type Api = BrowserWebSocket["Service"]["api"]

const unusable = (ask: Ask, detail: string): InvalidEndpoint =>
  new InvalidEndpoint({ input: format(ask.endpoint), detail })

/** What a browser can open of what was asked for. */
const urlOf = (ask: Ask): Effect.Effect<string, ConnectReason> => {
  const { credentials, demands, place } = ask.endpoint
  if (place._tag !== "Tcp" || !demands.includes("websocket")) {
    return Effect.fail(unusable(ask, "a browser opens ws:// and wss://"))
  }
  if (credentials !== undefined) return Effect.fail(unusable(ask, "a browser sends no user name and password"))
  const missing = lacking(met(met(ask, "websocket"), "tls"))
  return missing === undefined ? Effect.succeed(format(ask.endpoint)) : Effect.fail(missing)
}

const absent = (name: string): Other => new Other({ cause: new Error(`there is no ${name} here`) })

/** Why a browser does not even try. */
const forbidden = (url: string, cause: unknown): ConnectReason =>
  (cause as Error | undefined)?.name === "SecurityError" ? new Forbidden({ address: url, cause }) : new Other({ cause })

interface Opening {
  readonly api: Api
  readonly url: string
  readonly offers: ReadonlyArray<string>
  readonly bounds: Bounds
  readonly alarm: Alarm
}

/** Has the browser open a socket; throws if it can't even begin. */
const begin = ({ alarm, api, bounds, offers, url }: Opening): BrowserWire => {
  const { WebSocket, WebSocketStream } = globals()
  if (api === "stream") {
    if (WebSocketStream === undefined) throw absent("WebSocketStream")
    return new StreamWire(new WebSocketStream(url, offers.length === 0 ? {} : { protocols: offers }), bounds)
  }
  if (WebSocket === undefined) throw absent("WebSocket")
  const socket = offers.length === 0 ? new WebSocket(url) : new WebSocket(url, offers)
  return new EventWire(socket, bounds, alarm)
}

interface Live {
  readonly wire: BrowserWire
  readonly opened: Opened
}

/** Waits until a socket is open. */
const opened = (wire: BrowserWire, { offers, url }: Opening): Effect.Effect<Live, OpeningFailed> =>
  Effect.callback((resume) =>
    wire.whenOpened((opened) =>
      resume(
        opened === "failed"
          ? Effect.fail(new OpeningFailed({ url, offered: offers }))
          : Effect.succeed({ wire, opened })
      )
    )
  )

const inTime = <A, E>(opening: Effect.Effect<A, E>, within: Duration.Input): Effect.Effect<A, E | TimedOut> =>
  Effect.timeoutOrElse(opening, {
    duration: within,
    orElse: () => Effect.fail(new TimedOut({ phase: "opening", after: Duration.toMillis(within) }))
  })

/** Opens a socket, and uses it; one that is not opened is let go. */
const open = <A, R>(
  opening: Opening,
  within: Duration.Input,
  use: (live: Live) => Effect.Effect<A, never, R>
): Effect.Effect<A, ConnectReason, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.try({
        try: () => begin(opening),
        catch: (cause) => cause instanceof Other ? cause : forbidden(opening.url, cause)
      }),
      (wire) =>
        Effect.flatMap(
          Effect.onError(restore(inTime(opened(wire, opening), within)), () => Effect.sync(() => wire.abort())),
          use
        )
    )
  )

const unsayable = (detail: string): Effect.Effect<never, ConnectionError> =>
  Effect.fail(new ConnectionError({ layer: layerName, reason: new Unencodable({ detail }) }))

const closing =
  (wire: BrowserWire, control: Connection.Control): BrowserWebSocket["Service"]["close"] => (code, reason = "") =>
    Effect.suspend(() => {
      if (!isBrowserCloseCode(code)) return unsayable(`${code} can't be sent as a close code by a page`)
      if (fitting(reason) !== reason) return unsayable(`a close reason is longer than ${maxReasonSize} bytes`)
      wire.closeWith({ code, reason })
      control.close("done")
      return control.closed
    })

const facts = (details: Context.Context<BrowserWebSocket>) => {
  const { api, extensions, protocol, url } = Context.get(details, BrowserWebSocket)
  return { api, url, subprotocol: protocol, extensions: extensions || undefined }
}

type Details = BrowserWebSocket | Negotiated

const connectionOf = ({ opened, wire }: Live, api: Api, ask: Ask, took: number) => {
  const protocol = opened.protocol === "" ? undefined : opened.protocol
  const { extensions, url } = opened
  const openingTime = Duration.millis(took)
  return Connection.make<Transport.Message, Transport.Message, Details>(wire, {
    ask,
    facts,
    details: (control) =>
      Context.make(BrowserWebSocket, {
        api,
        url,
        protocol,
        extensions,
        openingTime,
        close: closing(wire, control)
      }).pipe(Context.add(Negotiated, { protocol }))
  })
}

const apiOf = (api: Options["api"]): Api =>
  api === "auto" || api === undefined ? (globals().WebSocketStream === undefined ? "websocket" : "stream") : api

/** The live clock of the platform, or that of a test. */
const alarmOf = (context: Context.Context<never>): Alarm => (millis, ring) => {
  const fiber = Effect.runForkWith(context)(Effect.andThen(Effect.sleep(millis), Effect.sync(ring)))
  return () => fiber.interruptUnsafe()
}

const connecting = (options: Options) =>
(
  ask: Ask
): Effect.Effect<Connection.Connection<Transport.Message, Transport.Message, Details>, ConnectReason, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.flatMap(urlOf(ask), (url) => {
      const clock = Context.get(context, Clock.Clock)
      const started = millis(clock)
      const { api, openWithin = "10 seconds" } = options
      const opening = {
        api: apiOf(api),
        url,
        offers: ask.offers,
        bounds: boundsOf(options),
        alarm: alarmOf(context)
      }
      return open(opening, openWithin, (live) => connectionOf(live, opening.api, ask, millis(clock) - started))
    })
  )

/**
 * The browser's WebSocket as a transport of messages, that connects.
 *
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<Transport.MessageTransport<Transport.Connect | Details>> => {
  const connect = connecting(options)
  return Transport.layer(
    Transport.Messages,
    Effect.succeed<Transport.Transport<Transport.Message, Transport.Message>>({
      connect: (ask) => Effect.mapError(connect(ask), (reason) => new ConnectError({ layer: layerName, reason })),
      // Nothing that listens is in its type.
      listen: (ask) => Effect.die(unusable(ask, "a browser does not listen"))
    })
  )
}
