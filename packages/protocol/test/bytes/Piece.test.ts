import { assert, describe, it } from "@effect/vitest"
import { done, Piece } from "../../src/internal/Piece.ts"

describe("Piece", () => {
  it("lets go of the slab with what is taken, and goes on", () => {
    const piece = new Piece(false)
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

describe("a wire that copies", () => {
  it("has the same memory used again, once all behind it is done with too", () => {
    const [first, second] = [new Piece(true), new Piece(true)]
    const offset = first.reserve(10)
    const { buffer } = first
    const early = first.take()
    assert.strictEqual(second.reserve(20), offset + 10)
    const late = second.take()
    done(early)
    assert.strictEqual(first.reserve(5), offset + 30)
    first.giveBack(3)
    done(first.take())
    done(late)
    assert.strictEqual(first.reserve(40), offset + 10)
    assert.strictEqual(first.buffer, buffer)
    done(first.take())
    done(early)
    assert.strictEqual(first.reserve(1), offset)
    done(first.take())
  })

  it("does not touch memory that came from elsewhere", () => {
    const piece = new Piece(true)
    const offset = piece.reserve(10)
    const taken = piece.take()
    done(new Uint8Array(offset + 10).subarray(offset))
    const other = new Piece(false)
    other.reserve(offset + 10)
    done(other.take().subarray(offset))
    assert.strictEqual(piece.reserve(1), offset + 10)
    done(piece.take())
    done(taken)
  })
})
