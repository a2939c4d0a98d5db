import { assert, describe, it } from "@effect/vitest"
import {
  Codec,
  Connection,
  DataTransferReport,
  type Event,
  LengthPrefixed,
  MemoryTransport,
  Recording,
  Subprotocol,
  Tap,
  Tlv,
  Transport
} from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { Deferred, Effect, Exit, Layer, Logger, Redacted, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { utf8 } from "../support/bytes.ts"
import { turns } from "../support/turns.ts"
import { connected } from "./support.ts"

describe("a tap", () => {
  it.effect("shows what passes, when it did, and how it ended", () =>
    Effect.gen(function*() {
      const recording = Recording.make()
      const { client, close, server } = yield* connected(
        Tap.over(Transport.Bytes)({ name: "here", to: [recording.sink] })
      )
      yield* TestClock.adjust("20 millis")
      yield* client.send(utf8("hello"))
      assert.deepStrictEqual(yield* server.pull, [utf8("hello")])
      yield* TestClock.adjust("30 millis")
      yield* server.send(utf8("you"))
      yield* client.pull
      yield* server.end
      yield* turns
      yield* close
      console.log(recording.events)
    }).pipe(Effect.scoped))
})
