import { assert, it } from "@effect/vitest"
import * as Memory from "../../src/bytes/Memory.ts"

const sizes = [0, 1, 70, 1_024, 1_025, 16_384, 16_385, 200_000]

it("an owned copy shares no byte with what it was made of, nor with another one", () => {
  const lent = sizes.map((size, n) => new Uint8Array(size).fill(n + 1))
  const copies = lent.map(Memory.owned)
  for (const bytes of lent) bytes.fill(0)
  for (const [n, copy] of copies.entries()) assert.deepStrictEqual(copy, new Uint8Array(sizes[n]).fill(n + 1))
})

it("a small copy keeps little memory alive", () => {
  assert.isAtMost(Memory.owned(new Uint8Array(1_024)).buffer.byteLength, 16_384)
  assert.isAtMost(Memory.owned(new Uint8Array(16_384)).buffer.byteLength, 65_536)
})

it("memory that several share can't be taken from the others by a transfer", () => {
  for (const size of [1, 5_000]) {
    const [mine, other] = [Memory.owned(new Uint8Array(size).fill(1)), Memory.owned(new Uint8Array(size).fill(2))]
    assert.strictEqual(mine.buffer, other.buffer)
    assert.throws(() => structuredClone(mine, { transfer: [mine.buffer as ArrayBuffer] }), /transfer/)
    assert.strictEqual(other[0], 2)
  }
})

it("allocates what is asked for", () => {
  for (const size of sizes) assert.strictEqual(Memory.allocate(size).length, size)
})
