/** 12: messages of permessage-deflate (RFC 7692): payloads of many kinds and sizes, compressed in every form. */
import { constants, deflateRawSync } from "node:zlib"
import { binary, continuation, cut, fragmented, type Frame, ping, pong, text } from "../Frame.ts"
import type { Peer } from "../Peer.ts"
import { json, noise, picture, prose, zeros } from "../Samples.ts"
import { type Case, numbered } from "./Case.ts"

const kinds = [
  ["text", text, "JSON", json],
  ["text", text, "prose", prose],
  ["binary", binary, "a picture", picture],
  ["binary", binary, "noise", noise],
  ["binary", binary, "zeros", zeros]
] as const

const KiB = 1024
const whole = [16, 64, 256, KiB, 4 * KiB, 8 * KiB, 16 * KiB, 32 * KiB, 64 * KiB, 128 * KiB].map((size) => [size, 0])
const fragments = [[8, 256], [16, 256], [32, 256], [64, 256], [128, 256], [128, KiB], [128, 4 * KiB], [128, 32 * KiB]]
  .map(([size, fragment]) => [size * KiB, fragment])

/** So many that they are some 2 MiB, and a hundred at most. */
const countOf = (size: number): number => Math.max(8, Math.min(100, Math.floor(2 * KiB * KiB / size)))

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(" ", ""), "hex")

/** A text that was compressed by hand, perhaps in fragments; its bytes are what is on the wire. */
const compressed = (...parts: ReadonlyArray<string>) => fragmented("text", parts.map(hex), 4)

const echoed = (title: string, frames: ReadonlyArray<Frame>, back: ReadonlyArray<Frame>): Omit<Case, "id"> => ({
  title,
  deflate: {},
  run: async (peer) => {
    peer.send(...frames)
    await peer.gets(...back)
    await peer.closes()
  }
})

const wrong = (title: string, code: number, frames: (peer: Peer) => ReadonlyArray<Frame>): Omit<Case, "id"> => ({
  title,
  deflate: {},
  run: async (peer) => {
    peer.send(...frames(peer))
    await peer.fails(code)
  }
})

const hello = text("Hello")
const plain = "f248cdc9c90700"

export const deflate: ReadonlyArray<Case> = [
  ...kinds.flatMap(([kind, frame, what, sample], n) =>
    numbered(
      `12.${n + 1}`,
      [...whole, ...fragments].map(([size, fragment]): Omit<Case, "id"> => ({
        title: `${countOf(size)} times ${what} of ${size} bytes${
          fragment === 0 ? "" : `, in fragments of ${fragment}`
        }`,
        deflate: { clientMaxWindowBits: true },
        heavy: true,
        run: async (peer) => {
          const message = sample(size)
          for (let left = countOf(size); left > 0; left--) {
            peer.send(...peer.message(kind, message, fragment || undefined))
            await peer.gets(frame(message))
          }
          await peer.closes()
        }
      }))
    )
  ),
  ...numbered("12.6", [
    echoed("RFC 7692 7.2.3.1: one block", compressed(plain), [hello]),
    echoed("RFC 7692 7.2.3.1: in two fragments", compressed("f248cd", "c9c90700"), [hello]),
    echoed("in fragments of one byte and none", compressed("", "f2", "48", "", "cd", "c9", "c9", "07", "00", ""), [
      hello
    ]),
    {
      title: "RFC 7692 7.2.3.2: what the message before had",
      deflate: {},
      run: async (peer) => {
        peer.send(...compressed(plain))
        await peer.gets(hello)
        // Only where what went before is kept.
        const again = peer.takesOver ? "f200110000" : plain
        peer.send(...compressed(again))
        await peer.gets(hello)
        await peer.closes()
      }
    },
    echoed("RFC 7692 7.2.3.3: a block without compression", compressed("000500faff48656c6c6f00"), [hello]),
    echoed("RFC 7692 7.2.3.4: a final block", compressed("f348cdc9c9070000"), [hello]),
    echoed("RFC 7692 7.2.3.5: two blocks", compressed("f248050000 00ffff cac9c90700"), [hello]),
    echoed("RFC 7692 7.2.3.6: an empty message", compressed("00"), [text("")]),
    echoed("an empty message in fragments", compressed("", "00", ""), [text("")]),
    echoed("a message that is not compressed", [hello], [hello]),
    echoed("a message that is not compressed between two that are", [
      ...compressed("f348cdc9c9070000"),
      binary("plain"),
      ...compressed("000500faff48656c6c6f00")
    ], [hello, binary("plain"), hello]),
    echoed("a final block in a message that is followed by others", [
      ...compressed("f348cdc9c9070000"),
      ...compressed("000500faff48656c6c6f00")
    ], [hello, hello]),
    echoed(
      "a final block, and another one behind it",
      compressed(
        Buffer.concat([
          deflateRawSync("Hel"),
          deflateRawSync("lo", { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
        ]).toString("hex")
      ),
      [hello]
    ),
    echoed("a ping between fragments", [
      compressed("f248cd", "c9c90700")[0],
      ping("between"),
      compressed("f248cd", "c9c90700")[1]
    ], [pong("between"), hello]),
    {
      title: "all levels and strategies of compression",
      deflate: {},
      run: async (peer) => {
        const message = prose(5000)
        const { Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = constants
        for (const options of [0, 1, 9].map((level) => ({ level }))) {
          peer.send(...peer.message("text", message, 1000, options))
          await peer.gets(text(message))
        }
        for (const strategy of [Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE]) {
          peer.send(...peer.message("text", message, 1000, { strategy }))
          await peer.gets(text(message))
        }
        await peer.closes()
      }
    },
    {
      title: "octet by octet",
      deflate: {},
      run: async (peer) => {
        await peer.pieces(1, ...peer.message("text", prose(3000), 100))
        await peer.gets(text(prose(3000)))
        await peer.closes()
      }
    }
  ]),
  ...numbered("12.7", [
    wrong(
      "RSV1 on a continuation",
      1002,
      () => [compressed("f248cd", "c9c90700")[0], { ...continuation(hex("c9c90700"), true), rsv: 4 }]
    ),
    wrong("RSV1 on a ping", 1002, () => [ping("wrong", { rsv: 4 })]),
    wrong("RSV2 on a compressed text", 1002, () => [{ ...compressed(plain)[0], rsv: 6 }]),
    wrong("a block of a type there is none of", 1007, () => compressed("ffffffff")),
    wrong("a distance that leads before the beginning", 1007, () => compressed("f200110000")),
    wrong("a block without compression whose lengths differ", 1007, () => compressed("000500fafe48656c6c6f00")),
    wrong(
      "what is not UTF-8, compressed",
      1007,
      (peer) => peer.message("text", hex("cebae1bdb9cf83cebceda080656469746564"))
    ),
    wrong(
      "a text whose last character is cut, compressed",
      1007,
      (peer) => peer.message("text", Buffer.from("κόσμε").subarray(0, -1))
    ),
    {
      title: "what is not UTF-8 is seen in a fragment before the last",
      deflate: {},
      run: async (peer) => {
        const [all] = peer.message("text", Buffer.concat([Buffer.alloc(100, "ü"), hex("eda080"), noise(5000)]))
        peer.send(...fragmented("text", cut(all.payload, 1000), 4).slice(0, -1))
        await peer.failsEarly(1007)
      }
    },
    {
      title: "128 MiB of zeros",
      deflate: {},
      heavy: true,
      run: async (peer) => {
        peer.send(...peer.message("binary", zeros(128 * KiB * KiB)))
        await peer.fails(1009)
      }
    }
  ])
]
