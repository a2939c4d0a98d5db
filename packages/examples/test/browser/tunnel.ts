/** Brings TCP connections into a page, a channel each, as pages can't listen. */
import * as Channels from "@wirestack/protocol/Channels"
import type { Connection } from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { runScoped } from "@wirestack/protocol/Listener"
import * as Transport from "@wirestack/protocol/Transport"
import { Tcp } from "@wirestack/transport-tcp"
import { Origin, WebSocket } from "@wirestack/websocket"
import { Effect, Layer } from "effect"

type Bytes = Connection<Uint8Array, Uint8Array>

/** What comes through it was bytes. */
type ChannelOfBytes = Connection<Uint8Array, Uint8Array, Channels.Channel>

type Carrier = Pick<Bytes, "end" | "abort" | "sendAll">

/** Carries what comes from one to the other until it ends, or is cut. */
const carry = (from: Pick<Bytes, "pull">, to: Carrier) =>
  Effect.catchTags(Effect.forever(Effect.flatMap(from.pull, to.sendAll)), {
    Done: () => Effect.ignore(to.end),
    ConnectionError: () => to.abort
  })

/** Opens it in the scope: where the page waits for channels, and where it connects to. */
export const openTunnel = Effect.gen(function*() {
  const messages = yield* Layer.build(WebSocket.server({ origins: Origin.any })(Tcp.layer()))
  const bytes = yield* Layer.build(Tcp.layer())
  const pages = yield* Effect.provideContext(Transport.listen(Transport.Messages)("ws://127.0.0.1:0/"), messages)
  const clients = yield* Effect.provideContext(Transport.listen(Transport.Bytes)("127.0.0.1:0"), bytes)
  yield* runScoped(pages.run((page) =>
    Effect.gen(function*() {
      const session = yield* Channels.server(page)
      yield* Effect.forkScoped(clients.run((client) =>
        Effect.gen(function*() {
          const channel = yield* session.open()
          const bytes = channel as ChannelOfBytes
          yield* Effect.all([carry(client, bytes), carry(bytes, client)], { concurrency: "unbounded" })
        })
      ))
      yield* session.closed
    })
  ))
  const url = (port: number | undefined) => `ws://127.0.0.1:${port}/`
  return { tunnel: url(Endpoint.portOf(pages.address)), url: url(Endpoint.portOf(clients.address)) }
})
