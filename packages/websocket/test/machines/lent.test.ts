/** Input that is only lent makes the same messages as input of one's own, and none of them lies in it. */
import { assert, describe, it } from "@effect/vitest"
import type { Machine } from "@wirestack/protocol/Machine"
import { MachineSuite } from "@wirestack/protocol/testing"
import { Opcode } from "../../src/frames/Opcode.ts"
import { FrameMachine } from "../../src/machines/FrameMachine.ts"
import { StreamedMachine } from "../../src/machines/StreamedMachine.ts"
import { WebSocketMachine } from "../../src/machines/WebSocketMachine.ts"
import { invertingChain } from "../extensions/inverting.ts"
import { closeBody, concat, cuts, frame, random, utf8 } from "../support.ts"

const { Binary, Close, Continuation, Ping, Text } = Opcode

const machines: Record<string, () => Machine<Uint8Array, Uint8Array, any, any>> = {
  "whole messages": () => new WebSocketMachine({ role: "server" }),
  "messages in parts": () => new StreamedMachine({ role: "server" }),
  "frames": () => new FrameMachine({ role: "server" }),
  "transformed messages": () => new WebSocketMachine({ role: "server", extensions: invertingChain() })
}

const mask = true

/** A message, or something between two. */
const piece = (next: () => number): Uint8Array => {
  const size = [0, 1, 5, 60, 126, 700][Math.floor(next() * 6)]
  const payload = Uint8Array.from({ length: size }, () => next() * 256)
  const text = utf8("grün ".repeat(size))
  switch (Math.floor(next() * 5)) {
    case 0:
      return frame(Binary, payload, { mask })
    case 1:
      return frame(Text, text, { mask })
    case 2:
      return frame(Ping, payload.subarray(0, 125), { mask })
    case 3:
      return concat(frame(Text, text, { mask, fin: false }), frame(Continuation, text, { mask }))
    default:
      return concat(frame(Binary, payload, { mask, fin: false }), frame(Continuation, payload, { mask }))
  }
}

/** How the input may end: not at all, with a Close, with something behind it, or with what breaks the protocol. */
const ends = [
  [],
  [frame(Close, closeBody(1000, "bye"), { mask })],
  [frame(Close, closeBody(4001), { mask }), frame(Ping, "late", { mask })],
  [frame(Text, utf8("\u00e9").subarray(0, 1), { mask })],
  [frame(Binary, "not masked")]
]

describe("lent input", () => {
  for (const [name, make] of Object.entries(machines)) {
    it(name, () => {
      for (let seed = 1; seed <= 10; seed++) {
        const next = random(seed)
        const input = concat(...Array.from({ length: 12 }, () => piece(next)), ...ends[seed % ends.length])
        for (const room of [undefined, 1]) {
          for (const pieces of cuts(input)) {
            const batches = () => pieces.map((piece) => [piece.slice()])
            const own = MachineSuite.feed(make(), batches(), { room })
            const lent = MachineSuite.feed(make(), batches(), { room, lent: true })
            lent.verify("lent")
            assert.deepStrictEqual(lent.emitted, own.emitted)
            assert.deepStrictEqual(lent.written, own.written)
            assert.strictEqual(lent.ending, own.ending)
            assert.deepStrictEqual(lent.goodbye, own.goodbye)
          }
        }
      }
    })
  }
})
