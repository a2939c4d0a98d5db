import { assert, describe, it } from "@effect/vitest"
import { Piece } from "../src/internal/Piece.ts"

describe("Piece", () => {
  it("lets go of the slab with what is taken, and goes on", () => {
    const piece = new Piece()
    assert.strictEqual(piece.buffer.length, 0)
    for (const size of [3, 100_000, 5]) {
      const offset = piece.reserve(size)
      piece.buffer.fill(size, offset, offset + size)
      assert.deepStrictEqual(piece.take(), new Uint8Array(size).fill(size))
      assert.strictEqual(piece.size, 0)
      assert.strictEqual(piece.buffer.length, 0)
      assert.isTrue(piece.fits(size))
    }
  })
})
