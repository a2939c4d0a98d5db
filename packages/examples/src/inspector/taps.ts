/** Taps at every boundary of the chat's stack: between its layers, and on the connections of a route that is mounted. */
import * as Redact from "@wirestack/protocol/tap/Redact"
import * as Tap from "@wirestack/protocol/tap/Tap"
import * as Transport from "@wirestack/protocol/Transport"
import type { Codec } from "@wirestack/protocol/typed/Codec"
import * as Route from "@wirestack/websocket/routing/Route"
import type { Request } from "@wirestack/websocket/WebSocket"
import * as Effect from "effect/Effect"
import { Chat } from "../chat/Chat.ts"
import type { Member } from "../chat/Rooms.ts"

/** Where what passes is shown; if nowhere, there are no taps. */
export type To = ReadonlyArray<Tap.Sink>

/** By what somebody is known again; at the top it is `Redacted` anyway. */
const redact = Redact.fields("secret")

const aboveWebSocket = (to: To) => ({ name: "messages", to, redact }) as const
const atTheTop = (to: To) => ({ name: "chat.v1", to }) as const

/** The tap above TCP: TLS goes through it instead of standing on the socket. */
export const ciphertext = (to: To) => Tap.over(Transport.Bytes)({ name: "ciphertext", to })

export const plaintext = (to: To) => Tap.over(Transport.Bytes)({ name: "plaintext", to })

export const messages = (to: To) => Tap.over(Transport.Messages)(aboveWebSocket(to))

export const values = (to: To) => Tap.over(Chat)(atTheTop(to))

const whereOf = ({ host, path }: Request) => ({ role: "server", endpoint: `ws://${host}${path}` }) as const

/** The chat's route: what is below its messages belongs to the HTTP server, which has read the handshake. */
export const route = <E, R>(
  to: To,
  path: "/chat",
  codec: Codec,
  handle: (member: Member) => Effect.Effect<void, E, R>
): Route.Route<R> => {
  const chat = Route.protocol(
    path,
    Chat,
    codec,
    (member, request) => Effect.flatMap(Tap.on(Chat, atTheTop(to))(member, whereOf(request)), handle)
  )
  return {
    ...chat,
    handle: (connection, request) =>
      Effect.flatMap(
        Tap.on(Transport.Messages, aboveWebSocket(to))(connection, whereOf(request)),
        (tapped) => chat.handle(tapped, request)
      )
  } as Route.Route<R>
}
