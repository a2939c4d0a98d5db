/** The WebSocket of browsers and our server, as one stack. */
import type { Capabilities } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { CloseCode } from "@wirestack/websocket"
import type { BrowserWebSocket } from "@wirestack/websocket/browser"
import { Context, Effect, Layer } from "effect"

type Transports<Can> = Layer.Layer<Transport.MessageTransport<Can>>

const transportOf = (stack: Transports<any>) =>
  Effect.map(Layer.build(stack), (context) => Context.get(context as Context.Context<any>, Transport.Messages.key))

/** One stack that connects as the first and listens as the second. */
export const joined = (
  near: Transports<Transport.Connect>,
  far: Transports<Transport.Listen>
): Transports<Transport.Connect | Transport.Listen> =>
  Transport.layer(
    Transport.Messages,
    Effect.gen(function*() {
      const { connect } = yield* transportOf(near)
      const { listen } = yield* transportOf(far)
      return { connect, listen }
    })
  )

/** The codes by which a page tells why it closes. */
export const codes = {
  failed: CloseCode.privateUse(4011),
  away: CloseCode.privateUse(4001)
} satisfies BrowserWebSocket.Codes

/** What a browser's WebSocket can't. */
export const capabilities: Capabilities = {
  halfClose: "a Close frame ends both directions",
  statuses: { done: 1000, failed: 1011, away: 1001 },
  clientStatuses: { done: 1000, ...codes },
  abortIsSeen: "a page can't cut a WebSocket",
  refusal: "OpeningFailed"
}
