/** The typed chat, as a page is its client. */
import * as Connection from "@wirestack/protocol/Connection"
import * as Codec from "@wirestack/protocol/typed/Codec"
import { BrowserWebSocket } from "@wirestack/websocket/browser"
import * as Effect from "effect/Effect"
import { Chat } from "../../../src/chat/Chat.ts"

export interface Visit {
  readonly url: string
  readonly name: string
  readonly text: string
  readonly options?: BrowserWebSocket.Options
}

/** Joins a room, says something, and gives what it was told. */
export const chat = ({ name, options, text, url }: Visit) =>
  Effect.gen(function*() {
    const connection = yield* Chat.connect<BrowserWebSocket.BrowserWebSocket>(url)
    const heard: Array<typeof Chat.server.Type> = []
    yield* connection.send({ _tag: "Join", room: "lobby", name })
    while (!heard.some(({ _tag }) => _tag === "Joined")) heard.push(...yield* connection.pull)
    yield* connection.send({ _tag: "Say", room: "lobby", text })
    while (!heard.some(({ _tag }) => _tag === "Said")) heard.push(...yield* connection.pull)
    const { api, close, extensions } = Connection.detail(connection, BrowserWebSocket.BrowserWebSocket)
    const { clean, first, received } = yield* close(1000, "bye")
    return { api, extensions, heard, protocol: connection.protocol, outcome: { clean, first, received } }
  }).pipe(
    Effect.scoped,
    Effect.provide(Chat.over(Codec.json())(BrowserWebSocket.layer(options))),
    Effect.runPromise
  )
