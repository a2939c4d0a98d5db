import { assert, describe, it } from "@effect/vitest"
import { Connection, MemoryTransport } from "@wirestack/protocol"
import { Reader } from "@wirestack/protocol/Reader"
import { Effect } from "effect"
import { failureOf } from "./support/failure.ts"

/** A reader of what is sent in these pieces, then ended. */
const reading = (...pieces: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const [near, far] = MemoryTransport.pair<Uint8Array>()
    const sender = yield* Connection.make(far)
    const reader = new Reader(yield* Connection.make(near), "test")
    for (const piece of pieces) {
      yield* sender.send(Buffer.from(piece))
      yield* Effect.yieldNow
    }
    yield* sender.end
    return reader
  })

const text = (chunks: ReadonlyArray<Uint8Array>): string => Buffer.concat(chunks).toString()

describe("a line", () => {
  const sent = "one\r\n\r\nthree\r\nrest"

  for (const [how, pieces] of [["whole", [sent]], ["byte by byte", [...sent]]] as const) {
    it.effect(`is read up to its end: ${how}`, () =>
      Effect.gen(function*() {
        const reader = yield* reading(...pieces)
        assert.deepStrictEqual([yield* reader.line(7, "x"), yield* reader.line(2, "x")], ["one", ""])
        assert.strictEqual(text([yield* reader.take(2, "x")]), "th")
        assert.strictEqual(yield* reader.line(5, "x"), "ree")
        assert.strictEqual(text([yield* reader.peek(4, "x")]), "rest")
        assert.strictEqual(text(reader.leftover), "rest")
      }))
  }

  it.effect("is a character a byte", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* (yield* reading("é\r\n")).line(10, "x"), "Ã©")
    }))

  it.effect("is refused once it is over the limit", () =>
    Effect.gen(function*() {
      const within = yield* reading("abc\r\n")
      assert.strictEqual(yield* within.line(5, "x"), "abc")
      for (const pieces of [["abcd\r\n"], [..."abcdefgh"], ["abcdefgh"]]) {
        const failure = failureOf(yield* Effect.exit((yield* reading(...pieces)).line(5, "x")))
        assert.deepInclude(failure, { layer: "test", tag: "TooLarge" })
        assert.deepInclude(failure?.reason, { what: "a line of x", limit: 5 })
      }
    }))

  it.effect("doesn't end in a bare LF", () =>
    Effect.gen(function*() {
      for (const piece of ["abc\ndef\r\n", "\n"]) {
        const failure = failureOf(yield* Effect.exit((yield* reading(piece)).line(100, "x")))
        assert.deepInclude(failure, { layer: "test", tag: "Violation" })
      }
    }))

  it.effect("is truncated by the end", () =>
    Effect.gen(function*() {
      const failure = failureOf(yield* Effect.exit((yield* reading("abc\r")).line(100, "x")))
      assert.deepInclude(failure, { layer: "test", tag: "Truncated" })
    }))
})
