/**
 * The compliance suite, in a page. As pages can't listen, the server's TCP connections come through a tunnel, a channel each, and our
 * WebSocket server runs on them in the page, too.
 */
import * as Channels from "@wirestack/protocol/Channels"
import * as Unframed from "@wirestack/protocol/framers/Unframed"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { Origin, WebSocket } from "@wirestack/websocket"
import { BrowserWebSocket } from "@wirestack/websocket/browser"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { capabilities, codes, joined } from "../../support/browserStacks.ts"

interface Tunnel {
  /** Where the channels come from. */
  readonly tunnel: string
  /** Where to connect to. */
  readonly url: string
  /** Where nobody listens. */
  readonly nobody: string
  readonly api: "websocket" | "stream"
}

const listening = (session: Channels.Session) =>
  Transport.layer<
    "messages",
    Transport.Message,
    Transport.Message,
    Transport.Message,
    Transport.Message,
    Transport.Listen
  >(
    Transport.Messages,
    Effect.succeed({
      connect: () => Effect.die("the tunnel leads one way"),
      listen: ({ closeWithin, drain }) =>
        session.listen({
          ...closeWithin === undefined ? undefined : { closeWithin },
          ...drain === undefined ? undefined : { drain }
        })
    })
  ).pipe(Unframed.over(), WebSocket.server({ origins: Origin.any }))

/** Runs the cases one after the other, and gives the name of each, with what went wrong if something did. */
export const compliance = (
  { api, nobody, tunnel, url }: Tunnel
): Promise<ReadonlyArray<readonly [string, string | undefined]>> =>
  Effect.gen(function*() {
    const session = yield* Effect.flatMap(Transport.connect(Transport.Messages)(tunnel), Channels.client)
    const suite = transportSuite({
      shape: Transport.Messages,
      layer: () => joined(BrowserWebSocket.layer({ api, codes }), listening(session)),
      endpoint: () => "memory:tunnel",
      connectTo: () => url,
      nobody,
      samples: Samples.messages({ text: true }),
      capabilities
    })
    return yield* Effect.forEach(suite, ({ name, run }) =>
      Effect.map(Effect.exit(run), (exit) =>
        [name, Exit.isSuccess(exit) ? undefined : Cause.pretty(exit.cause)] as const))
  }).pipe(Effect.scoped, Effect.provide(BrowserWebSocket.layer()), Effect.runPromise)
