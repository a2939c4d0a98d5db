import { assert, describe, it } from "@effect/vitest"
import { createRequire } from "node:module"
import type { Writable } from "node:stream"
import { fromViolation } from "../src/CloseCode.ts"
import { failed, FrameDecoder, needMore } from "../src/FrameDecoder.ts"
import { concat, frame, random, text, toHex } from "./support.ts"

const { Receiver } = createRequire(import.meta.url)("ws") as {
  readonly Receiver: new(options: object) => Writable & { readonly _state: number; readonly _bufferedBytes: number }
}

const maxMessageSize = 300

interface Found {
  readonly messages: ReadonlyArray<string>
  readonly code: number | undefined
  /** Whether ws fails later, or never: on text at the end of its message, on lengths too long in form not at all. */
  readonly stricter?: boolean
  /** Whether the input ended between two frames. */
  readonly atRest?: boolean
}

const ours = (input: Uint8Array, masked: boolean): Found => {
  const decoder = new FrameDecoder(masked, { maxMessageSize, maxFragments: 1_000 })
  const messages: Array<string> = []
  decoder.feed(input.slice())
  for (let opcode = decoder.next(); opcode !== needMore; opcode = decoder.next()) {
    if (opcode === failed) {
      const { failure } = decoder
      return { messages, code: fromViolation(failure!), stricter: /UTF-8|shortest|63 bits/.test(failure!.message) }
    }
    const { message } = decoder
    messages.push(`${opcode} ${typeof message === "string" ? message : toHex(message)}`)
    if (opcode === 8) break
  }
  return { messages, code: undefined }
}

/** What the receiver of `ws` makes of the same bytes. It also judges the bodies of Close frames, which we do later. */
const theirs = (input: Uint8Array, isServer: boolean): Found => {
  const receiver = new Receiver({ isServer, maxPayload: maxMessageSize, allowSynchronousEvents: true })
  const messages: Array<string> = []
  let code: number | undefined
  receiver.on(
    "message",
    (data: Buffer, isBinary: boolean) => messages.push(isBinary ? `2 ${toHex(data)}` : `1 ${text(data)}`)
  )
  receiver.on("ping", (data: Buffer) => messages.push(`9 ${toHex(data)}`))
  receiver.on("pong", (data: Buffer) => messages.push(`10 ${toHex(data)}`))
  receiver.on("conclude", () => messages.push("8"))
  receiver._write(Buffer.from(input), "binary", (error) => {
    if (error == null) return
    const key = Object.getOwnPropertySymbols(error).find((symbol) => symbol.description === "status-code")!
    code = (error as unknown as Record<symbol, number>)[key]
  })
  return { messages, code, atRest: receiver._state === 0 && receiver._bufferedBytes === 0 }
}

/** Frames as a peer might send them, some of them with a few wrong bytes. */
const traffic = (next: () => number, mask: boolean): Uint8Array => {
  const frames: Array<Uint8Array> = []
  let open = false
  for (let i = 0; i < 6; i++) {
    const size = Math.floor(next() ** 3 * 180)
    const isText = next() < 0.5
    const payload = isText
      ? Array.from({ length: size }, () => "aé€"[Math.floor(next() * 3)]).join("")
      : Uint8Array.from({ length: size }, () => next() * 256)
    const fin = next() < 0.6
    if (next() < 0.25) frames.push(frame(next() < 0.5 ? 9 : 10, Uint8Array.of(1, 2, 3), { mask }))
    frames.push(frame(open ? 0 : isText ? 1 : 2, payload, { mask, fin }))
    open = !fin
  }
  const bytes = concat(...frames)
  const mistakes = Math.floor(next() * 3)
  for (let i = 0; i < mistakes; i++) {
    const at = Math.floor(next() * (next() < 0.5 ? 8 : bytes.length))
    bytes[at] ^= 1 << Math.floor(next() * 8)
  }
  return bytes
}

describe("FrameDecoder beside ws", () => {
  it("finds the same messages, and fails with the same code", () => {
    let failures = 0
    for (let seed = 1; seed <= 4_000; seed++) {
      const next = random(seed)
      const mask = next() < 0.5
      const bytes = traffic(next, mask)
      const a = ours(bytes, mask)
      const b = theirs(bytes, mask)
      // A Close frame ends both; its body is judged by the machine here and by the receiver there.
      if (a.messages.some((message) => message.startsWith("8")) || b.messages.includes("8")) continue
      if (a.stricter === true) {
        assert.deepStrictEqual(a.messages, b.messages.slice(0, a.messages.length), `seed ${seed}`)
        failures++
        continue
      }
      assert.deepStrictEqual(a.messages, b.messages, `seed ${seed}`)
      // We may fail earlier, in the head of a frame that ws still waits for.
      if (b.code !== undefined || b.atRest) {
        assert.strictEqual(a.code, b.code, `seed ${seed}`)
        if (a.code !== undefined) failures++
      }
    }
    assert.isAbove(failures, 1_000)
  })
})
