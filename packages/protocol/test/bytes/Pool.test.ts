import { assert, beforeEach, describe, it } from "@effect/vitest"
import { vi } from "vitest"
import type * as PoolModule from "../../src/bytes/Pool.ts"

/** A pool that nobody else uses. */
let Pool: typeof PoolModule

beforeEach(async () => {
  vi.resetModules()
  Pool = await import("../../src/bytes/Pool.ts")
})

const mebibyte = 1_048_576

/** Takes a size until the pool has no used buffer for it. */
const drain = (size: number, used: ReadonlySet<ArrayBuffer>): Array<ArrayBuffer> => {
  const taken: Array<ArrayBuffer> = []
  for (;;) {
    const { buffer } = Pool.take(size)
    if (!used.has(buffer)) return taken
    taken.push(buffer)
  }
}

describe("a pool", () => {
  it("has memory of any size", () => {
    for (const size of [0, 1, 2_048, 2_049, 4_096, 4_097, mebibyte - 1, mebibyte, 16 * mebibyte, 16 * mebibyte + 1]) {
      const bytes = Pool.take(size)
      assert.strictEqual(bytes.length, size)
      assert.strictEqual(bytes.byteOffset, 0)
      assert.isBelow(bytes.buffer.byteLength, Math.max(2 * size, 1))
    }
  })

  it("gives a buffer again, to who needs no other size", () => {
    const { buffer } = Pool.take(5_000)
    Pool.give(buffer)
    assert.notStrictEqual(Pool.take(4_096).buffer, buffer)
    assert.notStrictEqual(Pool.take(8_193).buffer, buffer)
    assert.strictEqual(Pool.take(8_192).buffer, buffer)
    assert.notStrictEqual(Pool.take(8_192).buffer, buffer)
  })

  it("keeps none that it would not have made", () => {
    for (const size of [0, 2_048, 5_000, 32 * mebibyte]) {
      const buffer = new ArrayBuffer(size)
      Pool.give(buffer)
      assert.notStrictEqual(Pool.take(size).buffer, buffer)
    }
  })

  it("keeps 16 MiB, whatever their size", () => {
    const buffers = Array.from({ length: 20 }, () => Pool.take(mebibyte).buffer)
    for (const buffer of buffers) Pool.give(buffer)
    const small = Pool.take(4_096).buffer
    Pool.give(small)
    assert.notStrictEqual(Pool.take(4_096).buffer, small)
    const kept = drain(mebibyte, new Set(buffers))
    assert.lengthOf(kept, 16)
    assert.strictEqual(new Set(kept).size, 16)
    Pool.give(small)
    assert.strictEqual(Pool.take(4_096).buffer, small)
  })
})
