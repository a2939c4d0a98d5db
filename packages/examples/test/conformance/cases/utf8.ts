/**
 * 6: text is UTF-8 (RFC 6455 sections 5.6 and 8.1, RFC 3629), and what isn't is seen at its first octet that can't be.
 *
 * Every text that is invalid is sent in five ways: whole; in fragments of one octet; and up to the first octet that
 * can't be, with the rest held back, in such fragments, in one piece, and octet by octet. Before that octet nothing may
 * happen.
 */
import { continuation, cut, fragmented, ping, pong, text } from "../Frame.ts"
import type { Peer } from "../Peer.ts"
import { badAt } from "../Utf8.ts"
import { type Case, numbered } from "./Case.ts"

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(" ", ""), "hex")
const greek = Buffer.from("κόσμε")

type Unnumbered = Omit<Case, "id">

const octets = (bytes: Buffer) => fragmented("text", cut(bytes, 1))

const valid = (title: string, bytes: Buffer): ReadonlyArray<Unnumbered> => [
  {
    title,
    run: async (peer) => {
      await peer.echoes(text(bytes))
      await peer.closes()
    }
  },
  {
    title: `${title}, in fragments of one octet`,
    run: async (peer) => {
      peer.send(...octets(bytes))
      await peer.gets(text(bytes))
      await peer.closes()
    }
  },
  {
    title: `${title}, octet by octet`,
    run: async (peer) => {
      await peer.pieces(1, text(bytes))
      await peer.gets(text(bytes))
      await peer.closes()
    }
  }
]

/** The rest of the text that is never sent. */
const rest = Buffer.from("edited")

const invalid = (title: string, bytes: Buffer): ReadonlyArray<Unnumbered> => {
  const at = badAt(bytes)!
  const early = at < bytes.length
  const more = text(Buffer.concat([bytes, rest]))
  const until = async (peer: Peer, ...ends: ReadonlyArray<number>) => {
    await peer.begin(more, ...ends)
    await peer.failsEarly(1007)
  }
  return [
    {
      title,
      run: async (peer) => {
        peer.send(text(bytes))
        await peer.fails(1007)
      }
    },
    {
      title: `${title}, in fragments of one octet`,
      run: async (peer) => {
        peer.send(...octets(bytes))
        await peer.fails(1007)
      }
    },
    {
      title: `${title}, in fragments of one octet up to the first that can't be`,
      run: async (peer) => {
        const frames = octets(bytes).map((frame) => ({ ...frame, fin: false }))
        peer.send(...frames.slice(0, at), ping("so far"))
        await peer.gets(pong("so far"))
        peer.send(early ? frames[at] : continuation("", true))
        await peer.failsEarly(1007)
      }
    },
    ...early
      ? [
        { title: `${title}, up to the first octet that can't be`, run: (peer: Peer) => until(peer, at + 1) },
        {
          title: `${title}, octet by octet up to the first that can't be`,
          run: async (peer: Peer) => {
            // Nothing may be wrong before it; then the octet itself, in a piece of its own.
            await peer.begin(more, ...Array.from({ length: at }, (_, n) => n + 1))
            await peer.quiet(20)
            await peer.goOn(at + 1)
            await peer.failsEarly(1007)
          }
        }
      ]
      : []
  ]
}

const judged = (title: string, bytes: Buffer): ReadonlyArray<Unnumbered> =>
  badAt(bytes) === undefined ? valid(title, bytes) : invalid(title, bytes)

const named = (bytes: Buffer): string =>
  bytes.length > 12 ? `${bytes.toString("hex", 0, 12)}...` : bytes.toString("hex")

/** Sequences, each one a text. */
const group = (n: number, what: string, ...sequences: ReadonlyArray<string>): ReadonlyArray<Case> =>
  numbered(`6.${n}`, sequences.flatMap((digits) => judged(`${what}: ${named(hex(digits))}`, hex(digits))))

const every = (from: number, to: number, ...around: ReadonlyArray<string>): string =>
  Array.from({ length: to - from + 1 }, (_, n) => `${(from + n).toString(16)}${around.join("")}`).join("")

/** A text whose wrong octet is behind so much that is right. */
const surrogate = Buffer.concat([greek, hex("eda080"), rest])
const tooLarge = Buffer.concat([greek, hex("f4908080"), rest])

/** The pieces of one frame, each after a pause; it has to fail at the one named `last`. */
const inPieces = (title: string, all: Buffer, ...ends: ReadonlyArray<number>): Unnumbered => ({
  title,
  run: async (peer) => {
    await peer.begin(text(all), ...ends.slice(0, -1))
    await peer.quiet(100)
    await peer.goOn(ends.at(-1)!)
    await peer.failsEarly(1007)
  }
})

const inFrames = (title: string, all: Buffer, good: number, bad: number): Unnumbered => ({
  title,
  run: async (peer) => {
    peer.send(text(all.subarray(0, good), { fin: false }), ping("so far"))
    await peer.gets(pong("so far"))
    peer.send(continuation(all.subarray(good, bad)))
    await peer.failsEarly(1007)
  }
})

/** The noncharacters at the end of each plane. */
const nonCharacters = Array.from(
  { length: 17 },
  (_, plane) =>
    [0xfffe, 0xffff].map((last) => Buffer.from(String.fromCodePoint(plane * 0x1_0000 + last)).toString("hex"))
).flat()

export const utf8: ReadonlyArray<Case> = [
  ...numbered("6.1", [
    ...valid("an empty text", Buffer.alloc(0)).slice(0, 1),
    {
      title: "three empty fragments",
      run: async (peer) => {
        peer.send(...fragmented("text", ["", "", ""]))
        await peer.gets(text(""))
        await peer.closes()
      }
    },
    {
      title: "three fragments, of which the middle one is not empty",
      run: async (peer) => {
        peer.send(...fragmented("text", ["", "middle", ""]))
        await peer.gets(text("middle"))
        await peer.closes()
      }
    }
  ]),
  ...numbered("6.2", [
    ...valid("text of one, two, three and four octets a character", Buffer.from("Hello-µ@ßöäüàá-UTF-8!! €😀")),
    ...Array.from({ length: greek.length - 1 }, (_, n): Unnumbered => ({
      title: `text in two fragments, cut after ${n + 1}`,
      run: async (peer) => {
        peer.send(...fragmented("text", [greek.subarray(0, n + 1), greek.subarray(n + 1)]))
        await peer.gets(text(greek))
        await peer.closes()
      }
    })),
    ...Array.from({ length: 4 }, (_, n): Unnumbered => ({
      title: `four octets in one frame, cut after ${n}`,
      run: async (peer) => {
        const frame = text("😀")
        await peer.begin(frame, n)
        await peer.quiet(20)
        await peer.goOn(4)
        await peer.gets(frame)
        await peer.closes()
      }
    }))
  ]),
  ...numbered("6.3", judged("a surrogate between valid characters", surrogate)),
  ...numbered("6.4", [
    inFrames("fails at the frame with what can't be", tooLarge, greek.length, greek.length + 4),
    inFrames("fails at the frame with the first octet that can't be", tooLarge, greek.length + 1, greek.length + 2),
    inPieces("fails at the piece with what can't be", tooLarge, greek.length, greek.length + 4),
    inPieces("fails at the octet that can't be", tooLarge, greek.length + 1, greek.length + 2),
    inPieces(
      "fails in the middle of a frame of 64 KiB",
      Buffer.concat([Buffer.alloc(40_000, "x"), tooLarge, Buffer.alloc(25_000, "x")]),
      40_000,
      40_000 + greek.length + 4
    ),
    inPieces(
      "fails in the middle of a frame of 2 MiB",
      Buffer.concat([Buffer.alloc(150_000, "ü"), surrogate, Buffer.alloc(1_900_000, "x")]),
      150_000,
      150_000 + greek.length + 2
    )
  ]),
  ...numbered(
    "6.5",
    ["hello$world", "hello¢world", "hello€world", "hello𤭢world", "κόσμε", "\ufeffwith its mark", "a\0b"]
      .flatMap((sample) => valid(`valid: ${JSON.stringify(sample)}`, Buffer.from(sample)))
  ),
  ...numbered(
    "6.6",
    Array.from(
      { length: greek.length },
      (_, n) => judged(`the first ${n + 1} octets of κόσμε`, greek.subarray(0, n + 1))
    ).flat()
  ),
  ...group(7, "the first of a length", "00", "c280", "e0a080", "f0908080"),
  ...group(8, "the first of a length that is no more", "f888808080", "fc8480808080"),
  ...group(9, "the last of a length", "7f", "dfbf", "efbfbf", "f48fbfbf"),
  ...group(10, "the last of a length beyond U+10FFFF", "f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"),
  ...group(11, "at a boundary", "ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080"),
  ...group(
    12,
    "continuations of nothing",
    "80",
    "bf",
    "80bf",
    "80bf80",
    "80bf80bf",
    "80bf80bf80",
    "80bf80bf80bf",
    every(0x80, 0xbf)
  ),
  ...group(
    13,
    "leads followed by a space",
    every(0xc0, 0xdf, "20"),
    every(0xe0, 0xef, "20"),
    every(0xf0, 0xf7, "20"),
    every(0xf8, 0xfb, "20"),
    every(0xfc, 0xfd, "20"),
    "c220",
    "e120",
    "e18020",
    "f120",
    "f18020",
    "f1808020"
  ),
  ...group(
    14,
    "the last continuation is missing",
    "c0",
    "e080",
    "f08080",
    "f8808080",
    "fc80808080",
    "df",
    "efbf",
    "f7bfbf",
    "fbbfbfbf",
    "fdbfbfbfbf",
    "c2",
    "e1bf",
    "f1bfbf"
  ),
  ...group(
    15,
    "incomplete ones in a row",
    "c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf",
    "c2e1bff1bfbf"
  ),
  ...group(16, "impossible octets", "fe", "ff", "fefeffff"),
  ...group(17, "overlong slashes", "c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"),
  ...group(18, "the largest overlong ones", "c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"),
  ...group(19, "overlong zeros", "c080", "e08080", "f0808080", "f880808080", "fc8080808080"),
  ...group(20, "single surrogates", "eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"),
  ...group(
    21,
    "paired surrogates",
    "eda080edb080",
    "eda080edbfbf",
    "edadbfedb080",
    "edadbfedbfbf",
    "edae80edb080",
    "edae80edbfbf",
    "edafbfedb080",
    "edafbfedbfbf"
  ),
  ...group(22, "noncharacters are characters", ...nonCharacters),
  ...group(23, "specials", "efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd", "efb790", "efb7af")
]
