import { describe, it } from "@effect/vitest"
import { MemoryTransport, Transport } from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"

const capabilities = { halfClose: true, statuses: "memory carries no reason", abortIsSeen: true } as const
const common = { endpoint: () => "memory:here", nobody: "memory:nobody", capabilities }

describe("bytes in memory", () => {
  const suite = transportSuite({
    ...common,
    shape: Transport.Bytes,
    layer: MemoryTransport.layer,
    samples: Samples.bytes
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

describe("messages in memory", () => {
  const suite = transportSuite({
    ...common,
    shape: Transport.Messages,
    layer: MemoryTransport.layerMessages,
    samples: Samples.messages({ text: true })
  })
  for (const { name, run } of suite) it.live(name, () => run)
})
