import { describe, it } from "@effect/vitest"
import { Transport } from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { resources } from "@wirestack/test-support"
import { byteStacks } from "./support/stacks.ts"

for (const { name, ...stack } of byteStacks) {
  describe(name, () => {
    const suite = transportSuite({
      ...stack,
      shape: Transport.Bytes,
      samples: Samples.bytes,
      capabilities: {
        halfClose: true,
        statuses: "bytes carry no reason",
        abortIsSeen: name === "Unix" ? "Unix sockets have no RST" : true
      },
      resources
    })
    for (const { name, run } of suite) it.live(name, () => run)
  })
}
