/** 8: masks, and lengths that can't be or are too much, all seen in the head (RFC 6455 sections 5.1, 5.2 and 10.4). */
import { binary, continuation, type Frame, ping, text } from "../Frame.ts"
import { type Case, numbered } from "./Case.ts"

/** Fails with the code as soon as the head is there. */
const early = (title: string, frame: Frame, code: number, before: ReadonlyArray<Frame> = []): Omit<Case, "id"> => ({
  title,
  run: async (peer) => {
    peer.send(...before)
    await peer.begin(frame, 0)
    await peer.failsEarly(code)
  }
})

const masks: ReadonlyArray<readonly [string, Frame]> = [
  ["a text", text("wrong")],
  ["an empty text", text("")],
  ["a binary message", binary("wrong")],
  ["a ping", ping("wrong")],
  ["a text of 300 bytes", text("*".repeat(300))]
]

export const heads: ReadonlyArray<Case> = [
  ...numbered(
    "8.1",
    masks.map(([what, frame]): Omit<Case, "id"> => ({
      title: `${what} that a client does not mask, or a server does`,
      run: async (peer) => {
        peer.send({ ...frame, masked: peer.role === "server" }, text("not echoed"))
        await peer.fails(1002)
      }
    }))
  ),
  ...numbered("8.2", [
    early("a length of 125 in 16 bits", text("*".repeat(125), { bits: 16 }), 1002),
    early("a length of 0 in 16 bits", binary("", { bits: 16 }), 1002),
    early("a length of 5 in 64 bits", binary("wrong", { bits: 64 }), 1002),
    early("a length of 65535 in 64 bits", binary(Buffer.alloc(65_535), { bits: 64 }), 1002),
    early("the length of a ping in 16 bits", ping("wrong", { bits: 16 }), 1002),
    early("the length of a ping in 64 bits", ping("wrong", { bits: 64 }), 1002),
    early("a length with its highest bit", binary("wrong", { bits: 64, length: 1n << 63n | 5n }), 1002)
  ]),
  ...numbered("8.3", [
    early("a message of 1 TiB", binary("", { length: 2 ** 40 }), 1009),
    early("a text of 1 TiB", text("", { length: 2 ** 40 }), 1009),
    early("a message of 2^53 bytes", binary("", { length: 2n ** 53n }), 1009),
    early("a message of 2^63 - 1 bytes", binary("", { length: 2n ** 63n - 1n }), 1009),
    early("a message that grows to 1 TiB", { ...continuation("", true), length: 2 ** 40 }, 1009, [
      binary("begins", { fin: false })
    ])
  ])
]
