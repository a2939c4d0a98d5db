import { describe, it } from "@effect/vitest"
import { Codec, LengthPrefixed } from "@wirestack/protocol"
import { type Samples, transportSuite } from "@wirestack/protocol/testing"
import { resources } from "@wirestack/test-support"
import { WebSocket } from "@wirestack/websocket"
import { Chat, type ClientMessage, type ServerMessage } from "../src/chat/Chat.ts"
import { byteStacks } from "./support/stacks.ts"

const sized = (n: number, size: number) => `${n}:${"é".repeat(Math.min(1_900, size))}`

const samples: Samples.Samples<ServerMessage, ClientMessage, ClientMessage, ServerMessage> = {
  toServer: (n, size) => ({ _tag: "Say", room: "lobby", text: sized(n, size), key: `${n}` }),
  toClient: (n, size) => ({ _tag: "Said", room: "lobby", n, at: 0, name: "ada", text: sized(n, size) }),
  digest: (messages) => JSON.stringify(messages),
  size: (message) => JSON.stringify(message).length,
  boundaries: true
}

const { layer, ...tls } = byteStacks.find(({ name }) => name === "TLS over TCP")!

describe("chat over WebSocket", () => {
  const suite = transportSuite({
    ...tls,
    shape: Chat,
    layer: () => Chat.over(Codec.json())(WebSocket.over()(layer())),
    samples,
    capabilities: {
      halfClose: "a Close frame ends both directions",
      statuses: { done: 1000, failed: 1011, away: 1001 },
      abortIsSeen: true
    },
    resources
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

describe("chat over length-prefixed frames on TLS, without WebSocket", () => {
  const suite = transportSuite({
    ...tls,
    shape: Chat,
    layer: () => Chat.over(Codec.json())(LengthPrefixed.over()(layer())),
    samples,
    capabilities: { halfClose: true, statuses: "frames carry no reason", abortIsSeen: true },
    resources
  })
  for (const { name, run } of suite) it.live(name, () => run)
})
