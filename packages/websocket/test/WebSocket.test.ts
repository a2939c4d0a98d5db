import { describe, it } from "@effect/vitest"
import { MemoryTransport, Transport } from "@wirestack/protocol"
import { random, rechunk, Samples, transportSuite } from "@wirestack/protocol/testing"
import { WebSocket } from "@wirestack/websocket"
import type { Layer } from "effect"

const capabilities = {
  halfClose: "a Close frame ends both directions",
  statuses: { done: 1000, failed: 1011, away: 1001 },
  abortIsSeen: true
} as const

const subject = (layer: () => Layer.Layer<Transport.MessageTransport<Transport.Connect | Transport.Listen>>) =>
  ({
    shape: Transport.Messages,
    layer,
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.messages({ text: true }),
    capabilities
  }) as const

describe("over memory", () => {
  for (const { name, run } of transportSuite(subject(() => WebSocket.over()(MemoryTransport.layer())))) {
    it.live(name, () => run)
  }
})

describe("over memory in random pieces", () => {
  const layer = () => WebSocket.over()(rechunk(() => random(7, 300))(MemoryTransport.layer()))
  for (const { name, run } of transportSuite(subject(layer))) it.live(name, () => run)
})
