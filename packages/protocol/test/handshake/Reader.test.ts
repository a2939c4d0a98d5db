import { assert, describe, it } from "@effect/vitest"
import { Connection, MemoryTransport } from "@wirestack/protocol"
import { Reader } from "@wirestack/protocol/handshake/Reader"
import { Effect, Exit } from "effect"
import { failureOf } from "../support/failure.ts"

/** A reader, and what sends these pieces to it, and then ends. */
const between = (pieces: Iterable<string>) =>
  Effect.gen(function*() {
    const [near, far] = MemoryTransport.pair<Uint8Array>()
    const sender = yield* Connection.make(far)
    const reader = new Reader(yield* Connection.make(near), "test")
    const sending = Effect.gen(function*() {
      for (const piece of pieces) {
        yield* sender.send(Buffer.from(piece))
        yield* Effect.yieldNow
      }
      yield* sender.end
    })
    return { reader, sending }
  })

/** A reader of what is sent in these pieces, then ended. */
const reading = (...pieces: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { reader, sending } = yield* between(pieces)
    yield* sending
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

  it.effect("may be long, and come byte by byte", () =>
    Effect.gen(function*() {
      const long = "x".repeat(300_000)
      const much = Array.from({ length: 10 }, () => "x".repeat(30_000))
      for (const [line, pieces] of [[long, much], [long.slice(0, 20_000), long.slice(0, 20_000)]] as const) {
        const { reader, sending } = yield* between([...pieces, "\r\nrest"])
        const [read] = yield* Effect.all([reader.line(1_000_000, "x"), sending], { concurrency: 2 })
        assert.strictEqual(read, line)
        assert.strictEqual(text(reader.leftover), "rest")
      }
    }))

  it.effect("is truncated by the end", () =>
    Effect.gen(function*() {
      const failure = failureOf(yield* Effect.exit((yield* reading("abc\r")).line(100, "x")))
      assert.deepInclude(failure, { layer: "test", tag: "Truncated" })
    }))
})

describe("bytes", () => {
  it.effect("are a number of them", () =>
    Effect.gen(function*() {
      const reader = yield* reading("abc")
      for (const size of [NaN, -1, 1.5, Infinity]) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(reader.take(size, "x"))), String(size))
      }
      assert.strictEqual(text([yield* reader.take(3, "x"), yield* reader.take(0, "x")]), "abc")
    }))

  it.effect("that were taken are not written to by what comes later", () =>
    Effect.gen(function*() {
      const reader = yield* reading("ab", "cd", "ef", "gh", "ij")
      const taken: Array<Uint8Array> = []
      for (const size of [3, 1, 2, 3, 1]) taken.push(yield* reader.take(size, "x"))
      assert.strictEqual(text(taken), "abcdefghij")
    }))
})
