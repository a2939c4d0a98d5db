import { describe, it } from "@effect/vitest"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { resources } from "@wirestack/test-support"
import { Udp } from "@wirestack/transport-udp"

describe("UDP keeps what every transport must, but for what it lacks", () => {
  const cases = transportSuite({
    shape: Transport.Datagrams,
    layer: () => Udp.layer(),
    endpoint: () => "127.0.0.1:0",
    nobody: "127.0.0.1:1",
    greeting: Buffer.from("hello"),
    samples: Samples.datagrams(512),
    capabilities: {
      halfClose: "a datagram says nothing about the next",
      statuses: "there is no goodbye to carry one",
      abortIsSeen: "there is nothing to see it by",
      noGoodbye: "UDP has none",
      lossy: "UDP drops what there is no room for",
      neverRefused: "nothing is sent to connect"
    },
    resources
  })
  for (const { name, run } of cases) it.live(name, () => run)
})
