/** The same in a session that outlives its connections. */
import { Codec, Resume } from "@wirestack/protocol"
import { BrowserWebSocket } from "@wirestack/websocket/browser"
import { Effect } from "effect"
import { Chat, program } from "./chat.ts"

const stack = BrowserWebSocket.layer().pipe(Resume.client(), Chat.over(Codec.json()))

Effect.runFork(Effect.provide(Effect.scoped(program), stack))
