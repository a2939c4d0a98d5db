/** A case: what is said to the tested peer, and what it must say and do. */
import type { Parameters } from "../Deflate.ts"
import type { Frame } from "../Frame.ts"
import type { Peer } from "../Peer.ts"

export interface Case {
  /** Its number; what is before the first dot is its section. */
  readonly id: string
  readonly title: string
  readonly run: (peer: Peer) => Promise<void>
  /** It moves so much data that few of them run at once. */
  readonly heavy?: true
  /** It needs permessage-deflate, offered or answered with these parameters. */
  readonly deflate?: Parameters
  /**
   * The header to offer instead, to servers only. `deflate` is then what the server has to make of it; without, the
   * server declines it.
   */
  readonly offer?: string
}

export const sectionOf = ({ id }: Case): number => Number.parseInt(id, 10)

/** Numbers cases one after the other. */
export const numbered = (prefix: string, cases: ReadonlyArray<Omit<Case, "id">>): ReadonlyArray<Case> =>
  cases.map((one, n) => ({ id: `${prefix}.${n + 1}`, ...one }))

/** Frames in one write, each in its own, and octet by octet. */
export const ways: ReadonlyArray<
  readonly [how: string, say: (peer: Peer, ...frames: ReadonlyArray<Frame>) => Promise<void> | void]
> = [
  ["at once", (peer, ...frames) => peer.send(...frames)],
  ["frame by frame", (peer, ...frames) => peer.apart(...frames)],
  ["octet by octet", (peer, ...frames) => peer.pieces(1, ...frames)]
]

/** Said in every way and once more step by step, so that the first is answered before the next is sent. */
export const told = (
  title: string,
  before: ReadonlyArray<Frame>,
  back: ReadonlyArray<Frame>,
  then: ReadonlyArray<Frame>,
  end: (peer: Peer) => Promise<void>
): ReadonlyArray<Omit<Case, "id">> => [
  ...ways.map(([how, say]): Omit<Case, "id"> => ({
    title: `${title}, ${how}`,
    run: async (peer) => {
      await say(peer, ...before, ...then)
      await peer.gets(...back)
      await end(peer)
    }
  })),
  {
    title: `${title}, step by step`,
    run: async (peer) => {
      peer.send(...before)
      await peer.gets(...back)
      peer.send(...then)
      await end(peer)
    }
  }
]
