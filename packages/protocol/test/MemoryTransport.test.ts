import { assert, describe, it } from "@effect/vitest"
import { Connection, MemoryTransport, Transport } from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { reasonOf } from "@wirestack/test-support"
import { Cause, Effect } from "effect"
import { turns } from "./support/turns.ts"

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

it.effect("whoever still sends hears that the other side was cut, though it had ended its output before", () =>
  Effect.scoped(Effect.gen(function*() {
    const [near, far] = MemoryTransport.pair<string>()
    const [one, other] = [yield* Connection.make(near), yield* Connection.make(far)]
    yield* other.end
    assert.isTrue(Cause.isDone(yield* Effect.flip(one.pull)))
    yield* one.send("a")
    yield* other.abort
    yield* turns
    assert.strictEqual((yield* reasonOf(one.send("b")))._tag, "Reset")
  })))
