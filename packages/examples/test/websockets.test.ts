import { describe, it } from "@effect/vitest"
import { Transport } from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { resources } from "@wirestack/test-support"
import { WebSocket } from "@wirestack/websocket"
import { byteStacks } from "./support/stacks.ts"

/** What is under a WebSocket that differs for it. */
const stacks = byteStacks.filter(({ name }) => ["TCP", "TLS over TCP", "TLS over memory"].includes(name))

for (const { layer, name, ...stack } of stacks) {
  describe(`WebSocket over ${name}`, () => {
    const suite = transportSuite({
      ...stack,
      shape: Transport.Messages,
      layer: () => WebSocket.over()(layer()),
      samples: Samples.messages({ text: true }),
      capabilities: {
        halfClose: "a Close frame ends both directions",
        statuses: { done: 1000, failed: 1011, away: 1001 },
        abortIsSeen: true
      },
      resources
    })
    for (const { name, run } of suite) it.live(name, () => run)
  })
}
