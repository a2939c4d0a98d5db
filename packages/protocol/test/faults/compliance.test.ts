import { describe, it } from "@effect/vitest"
import { Faults, MemoryTransport, Transport } from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"

/** Whatever a network does short of losing something, a stream over it is a stream. */
describe("bytes over a bad network", () => {
  const harsh = {
    seed: 5,
    sent: { split: 40_000, delay: "1 millis", jitter: "2 millis" },
    received: { merge: "2 millis", jitter: "1 millis", bandwidth: 50_000_000 }
  } as const
  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: () => MemoryTransport.layer().pipe(Faults.over(Transport.Bytes)({ plan: harsh })),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "memory carries no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})
