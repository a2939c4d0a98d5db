import { assert, describe, it } from "@effect/vitest"
import { MemoryTransport, Transport, Unframed } from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { Effect, Layer } from "effect"
import { failureOf } from "../support/failure.ts"

describe("a stream of bytes on messages", () => {
  const suite = transportSuite({
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    capabilities: { halfClose: true, statuses: "bytes carry no reason", abortIsSeen: true },
    shape: Transport.Bytes,
    layer: () => Unframed.over()(MemoryTransport.layerMessages()),
    samples: Samples.bytes
  })
  for (const { name, run } of suite) it.live(name, () => run)

  it.effect("is cut into messages of 64 KiB, without empty ones, and has no text", () =>
    Effect.gen(function*() {
      const lower = yield* Layer.build(MemoryTransport.layerMessages())
      const sizes: Array<number> = []
      const listener = yield* Effect.provideContext(Transport.listen(Transport.Messages)("memory:here"), lower)
      yield* Effect.forkScoped(
        listener.run((bare) =>
          Effect.gen(function*() {
            while (sizes.length < 3) sizes.push(...(yield* bare.pull).map(({ length }) => length))
            yield* bare.send("text")
          })
        )
      )
      const client = yield* Effect.provide(
        Transport.connect(Transport.Bytes)("memory:here"),
        Unframed.over()(Layer.succeedContext(lower))
      )
      yield* client.sendAll([new Uint8Array(100_000), new Uint8Array(0), new Uint8Array(1)])
      assert.deepInclude(failureOf(yield* Effect.exit(client.pull)), { layer: "unframed", tag: "Violation" })
      assert.deepStrictEqual(sizes, [65_536, 34_464, 1])
      yield* client.abort
    }).pipe(Effect.scoped))
})
