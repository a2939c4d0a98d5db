import { assert, describe, it } from "@effect/vitest"
import * as Frame from "../../src/frames/Frame.ts"
import { Opcode } from "../../src/frames/Opcode.ts"
import { hex, toHex } from "../support.ts"

const head = (length: number, key?: number): string => {
  const target = new Uint8Array(20)
  const end = Frame.writeHead(target, 2, Frame.Bits.Fin | Opcode.Binary, length, key)
  assert.strictEqual(end, 2 + Frame.headSize(length) + (key === undefined ? 0 : 4))
  return toHex(target.subarray(2, end))
}

describe("Frame", () => {
  it("RFC 6455 5.2: a length has its shortest form", () => {
    assert.strictEqual(head(0), "8200")
    assert.strictEqual(head(125), "827d")
    assert.strictEqual(head(126), "827e007e")
    assert.strictEqual(head(256), "827e0100")
    assert.strictEqual(head(65_535), "827effff")
    assert.strictEqual(head(65_536), "827f0000000000010000")
    assert.strictEqual(head(2 ** 32 + 5), "827f0000000100000005")
    assert.strictEqual(head(Number.MAX_SAFE_INTEGER), "827f001fffffffffffff")
  })

  it("RFC 6455 5.2: each opcode has its name", () => {
    assert.deepStrictEqual(Opcode, { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 })
  })

  it("RFC 6455 5.2: the key comes behind the length", () => {
    assert.strictEqual(head(5, 0x3d21fa37), "828537fa213d")
    assert.strictEqual(head(256, 0x3d21fa37), "82fe010037fa213d")
    assert.strictEqual(head(65_536, 0x3d21fa37), "82ff000000000001000037fa213d")
  })

  it("RFC 6455 5.5: writes a control frame, and leaves its payload alone", () => {
    const payload = hex("48656c6c6f")
    assert.strictEqual(toHex(Frame.control(Opcode.Ping, payload, false)), "890548656c6c6f")
    const masked = Frame.control(Opcode.Pong, payload, true)
    assert.strictEqual(toHex(masked.subarray(0, 2)), "8a85")
    assert.deepStrictEqual(masked.subarray(6).map((byte, i) => byte ^ masked[2 + (i % 4)]), payload)
    assert.strictEqual(toHex(payload), "48656c6c6f")
  })
})
