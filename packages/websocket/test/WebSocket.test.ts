import { describe, it } from "@effect/vitest"
import { MemoryTransport, Transport } from "@wirestack/protocol"
import { random, rechunk, Samples, transportSuite } from "@wirestack/protocol/testing"
import { WebSocket } from "@wirestack/websocket"
import { answering, capabilities, frames, parts } from "./shapes.ts"

const here = { endpoint: () => "memory:here", nobody: "memory:nobody", capabilities } as const
const inPieces = rechunk(() => random(7, 300))

const whole = (bytes: () => ReturnType<typeof MemoryTransport.layer>) =>
  transportSuite({
    ...here,
    shape: Transport.Messages,
    layer: () => WebSocket.over()(bytes()),
    samples: Samples.messages({ text: true })
  })

const streamed = (bytes: () => ReturnType<typeof MemoryTransport.layer>) =>
  transportSuite({
    ...here,
    shape: WebSocket.Parts,
    layer: () => WebSocket.streamed.over()(bytes()),
    samples: parts
  })

const raw = transportSuite({
  ...here,
  shape: WebSocket.Frames,
  layer: () => answering(WebSocket.raw.over()(MemoryTransport.layer())),
  samples: frames
})

const suites = {
  "over memory": whole(() => MemoryTransport.layer()),
  "over memory in random pieces": whole(() => inPieces(MemoryTransport.layer())),
  "messages in parts over memory": streamed(() => MemoryTransport.layer()),
  "messages in parts over memory in random pieces": streamed(() => inPieces(MemoryTransport.layer())),
  "frames over memory": raw
}

for (const [title, suite] of Object.entries(suites)) {
  describe(title, () => {
    for (const { name, run } of suite) it.live(name, () => run)
  })
}
