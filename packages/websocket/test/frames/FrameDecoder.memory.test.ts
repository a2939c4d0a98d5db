import { assert, it } from "@effect/vitest"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { FrameDecoder, needMore } from "../../src/frames/FrameDecoder.ts"
import { Opcode } from "../../src/frames/Opcode.ts"
import { concat, frame } from "../support.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const limits = { maxMessageSize: 4_000_000, maxFragments: 8 }

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7 + (i >> 8))

/** Feeds a stream as a socket that reads into the decoder's memory: `sizes` says how much each read finds. */
const read = (decoder: FrameDecoder, stream: Uint8Array, sizes: (n: number) => number) => {
  const found: Array<string | Uint8Array> = []
  const inPlace: Array<number> = []
  for (let at = 0, n = 0; at < stream.length; n++) {
    const memory = decoder.memory ?? new Uint8Array(65_536)
    const size = Math.min(sizes(n), memory.length, stream.length - at)
    if (decoder.memory !== undefined) inPlace.push(size)
    memory.set(stream.subarray(at, at + size))
    decoder.feed(memory.subarray(0, size))
    at += size
    for (let opcode = decoder.next(); opcode !== needMore; opcode = decoder.next()) {
      assert.include([Opcode.Binary, Opcode.Text, Opcode.Ping], opcode)
      found.push(decoder.message)
    }
  }
  return { found, inPlace }
}

for (const mask of [true, false]) {
  for (const size of [65_536, 70_001, 16_384, 20_000, 999]) {
    it(`${mask ? "masked" : "unmasked"} messages, read ${size} bytes at a time`, () => {
      const text = "aé€😀".repeat(30_000)
      const messages = [bytes(1_000_000), text, bytes(100), bytes(200_001), bytes(65_000)]
      const big = bytes(500_000)
      const stream = concat(
        frame(2, messages[0] as Uint8Array, { mask }),
        frame(1, text, { mask }),
        frame(2, messages[2] as Uint8Array, { mask }),
        frame(2, messages[3] as Uint8Array, { mask }),
        frame(2, messages[4] as Uint8Array, { mask }),
        frame(2, big.slice(0, 300_001), { mask, fin: false }),
        frame(9, "ping", { mask }),
        frame(0, big.slice(300_001), { mask })
      )
      const { found, inPlace } = read(new FrameDecoder({ masked: mask, ...limits }), stream, () => size)
      const ping = Uint8Array.from([..."ping"].map((char) => char.charCodeAt(0)))
      assert.deepStrictEqual(found, [...messages, ping, big])
      assert.isAbove(inPlace.length, 0)
    })
  }
}

/** The memory a decoder offers now. */
const offered = (decoder: FrameDecoder): Uint8Array | undefined => decoder.memory

it("offers no more than the message needs, and nothing for what a header announces", () => {
  const decoder = new FrameDecoder({ masked: false, ...limits })
  const stream = frame(2, bytes(1_000_000))
  decoder.feed(stream.subarray(0, 10))
  assert.strictEqual(decoder.next(), needMore)
  assert.isUndefined(offered(decoder))
  decoder.feed(stream.slice(10, 110))
  assert.strictEqual(decoder.next(), needMore)
  assert.isUndefined(offered(decoder))
  decoder.feed(stream.slice(110, 40_010))
  assert.strictEqual(decoder.next(), needMore)
  assert.strictEqual(offered(decoder)?.length, 960_000)
  decoder.feed(stream.slice(40_010, 990_010))
  assert.strictEqual(decoder.next(), needMore)
  assert.isUndefined(offered(decoder))
})

it("a large message has a buffer of its own size, allocated once", () => {
  const decoder = new FrameDecoder({ masked: true, ...limits })
  const payload = bytes(1_048_576)
  const { found, inPlace } = read(decoder, frame(2, payload, { mask: true }), () => Number.MAX_SAFE_INTEGER)
  const [message] = found as [Uint8Array]
  assert.strictEqual(message.buffer.byteLength, payload.length)
  assert.deepStrictEqual(inPlace, [payload.length + 14 - 65_536])
  assert.deepStrictEqual(message, payload)
})

it("keeps no buffer alive that is used up", async () => {
  const decoder = new FrameDecoder({ masked: false, ...limits })
  const fed = (() => {
    const chunk = frame(2, bytes(100_000))
    decoder.feed(chunk)
    assert.strictEqual(decoder.next(), Opcode.Binary)
    decoder.letGo()
    return new WeakRef(chunk.buffer)
  })()
  await new Promise((resolve) => setTimeout(resolve, 0))
  collectGarbage()
  assert.isUndefined(fed.deref())
  assert.isFalse(decoder.fed)
})
