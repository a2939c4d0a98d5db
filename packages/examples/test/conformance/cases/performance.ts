/** 9: much data: large messages, many fragments, small pieces, many messages; and 10: messages cut as a proxy may. */
import { binary, cut, fragmented, text } from "../Frame.ts"
import { noise, prose } from "../Samples.ts"
import { type Case, numbered } from "./Case.ts"

const KiB = 1024
const MiB = 1024 * KiB

const sized = (size: number): string =>
  size < KiB ? `${size} B` : size < MiB ? `${size / KiB} KiB` : `${size / MiB} MiB`

const kinds = [["text", text, prose], ["binary", binary, noise]] as const

type Kind = typeof kinds[number]

type Unnumbered = Omit<Case, "id">

const both = (section: number, make: (kind: Kind) => ReadonlyArray<Unnumbered>) =>
  kinds.flatMap((kind, n) => numbered(`9.${section + n}`, make(kind)))

export const performance: ReadonlyArray<Case> = [
  ...both(1, ([kind, frame, sample]) =>
    [64 * KiB, 256 * KiB, MiB, 4 * MiB, 8 * MiB, 16 * MiB].map((size) => ({
      title: `${kind} of ${sized(size)}`,
      heavy: true,
      run: async (peer) => {
        await peer.echoes(frame(sample(size)))
        await peer.closes()
      }
    }))),
  ...both(
    3,
    ([kind, frame, sample]) =>
      [64, 256, KiB, 4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB, MiB, 4 * MiB].map((size) => ({
        title: `${kind} of 4 MiB in fragments of ${sized(size)}`,
        heavy: true,
        run: async (peer) => {
          const message = sample(4 * MiB)
          peer.send(...fragmented(kind, cut(message, size)))
          await peer.gets(frame(message))
          await peer.closes()
        }
      }))
  ),
  ...both(5, ([kind, frame, sample]) =>
    [64, 128, 256, 512, KiB, 2 * KiB].map((size) => ({
      title: `${kind} of 1 MiB in pieces of ${sized(size)}`,
      heavy: true,
      run: async (peer) => {
        const message = frame(sample(MiB))
        await peer.pieces(size, message)
        await peer.gets(message)
        await peer.closes()
      }
    }))),
  ...both(7, ([kind, frame, sample]) =>
    [0, 16, 64, 256, KiB, 4 * KiB].map((size) => ({
      title: `1000 ${kind}s of ${sized(size)}, each after the echo of the one before`,
      heavy: true,
      run: async (peer) => {
        const message = frame(sample(size))
        for (let n = 0; n < 1000; n++) await peer.echoes(message)
        await peer.closes()
      }
    }))),
  ...numbered(
    "9.9",
    kinds.flatMap(([kind, frame, sample]): ReadonlyArray<Unnumbered> => [
      {
        title: `5000 ${kind}s at once`,
        heavy: true,
        run: async (peer) => {
          await peer.echoes(...Array.from({ length: 5000 }, (_, n) => frame(sample(n % 500))))
          await peer.closes()
        }
      },
      {
        title: `64 ${kind}s of 256 KiB at once`,
        heavy: true,
        run: async (peer) => {
          await peer.echoes(...Array.from({ length: 64 }, () => frame(sample(256 * KiB))))
          await peer.closes()
        }
      }
    ])
  )
]

export const cutting: ReadonlyArray<Case> = numbered(
  "10.1",
  kinds.flatMap(([kind, frame, sample]) =>
    [1, 7, 125, 1300, 65_535].map((size): Unnumbered => ({
      title: `${kind} of 65536 bytes in fragments of ${size}`,
      run: async (peer) => {
        const message = sample(65_536)
        peer.send(...fragmented(kind, cut(message, size)))
        await peer.gets(frame(message))
        await peer.closes()
      }
    }))
  )
)
