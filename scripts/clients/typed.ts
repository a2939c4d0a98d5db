/** A typed client, as a page has it. */
import { Codec } from "@wirestack/protocol"
import { BrowserWebSocket } from "@wirestack/websocket/browser"
import { Effect } from "effect"
import { Chat, program } from "./chat.ts"

Effect.runFork(Effect.provide(Effect.scoped(program), Chat.over(Codec.json())(BrowserWebSocket.layer())))
