/** 1: messages of the sizes at which the form of the length changes (RFC 6455 section 5.2). */
import { binary, text } from "../Frame.ts"
import { type Case, numbered } from "./Case.ts"

const sizes = [0, 125, 126, 127, 128, 65_535, 65_536]

const kinds = [
  ["text", (size: number) => text("*".repeat(size))],
  ["binary", (size: number) => binary(Buffer.alloc(size, 0xfe))]
] as const

export const framing: ReadonlyArray<Case> = kinds.flatMap(([kind, make], n) =>
  numbered(`1.${n + 1}`, [
    ...sizes.map((size): Omit<Case, "id"> => ({
      title: `${kind} of ${size} bytes`,
      run: async (peer) => {
        await peer.echoes(make(size))
        await peer.closes()
      }
    })),
    {
      title: `${kind} of 65536 bytes in pieces of 997`,
      run: async (peer) => {
        await peer.pieces(997, make(65_536))
        await peer.gets(make(65_536))
        await peer.closes()
      }
    },
    {
      title: `${kind}s of all sizes at once`,
      run: async (peer) => {
        await peer.echoes(...sizes.map(make))
        await peer.closes()
      }
    },
    {
      title: `${kind} of 300 bytes octet by octet`,
      run: async (peer) => {
        await peer.pieces(1, make(300))
        await peer.gets(make(300))
        await peer.closes()
      }
    }
  ])
)
