/** An extension for tests: it inverts every byte, and gives what it receives back in small pieces of one buffer. */
import { Violation } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import { type Extension, Rsv } from "../../src/extensions/Extension.ts"
import { ExtensionChain } from "../../src/extensions/ExtensionChain.ts"

export interface InvertingOptions {
  /** The largest piece to give. */
  readonly pieces?: number
  /** A byte it does not accept. */
  readonly refuses?: number
  readonly onRelease?: () => void
}

/** Transforms what is not empty. */
const inverting = ({ onRelease, pieces = 3, refuses }: InvertingOptions = {}): Extension => {
  const session = () => {
    const lent = new Uint8Array(pieces)
    let rest = new Uint8Array(0)
    return {
      outgoing: {
        begin: (size: number | undefined) => size !== 0,
        encode: (part: Uint8Array) => part.map((byte) => ~byte)
      },
      incoming: {
        feed: (part: Uint8Array) => {
          rest = part.slice()
        },
        next: () => {
          if (rest.length === 0) return undefined
          const piece = rest.subarray(0, pieces)
          rest = rest.subarray(pieces)
          lent.set(piece.map((byte) => ~byte))
          const given = lent.subarray(0, piece.length)
          if (refuses !== undefined && given.includes(refuses)) {
            throw new Violation({ rule: "a byte is accepted", section: "inverting" })
          }
          return given
        }
      },
      release: () => onRelease?.()
    }
  }
  return {
    name: "inverting",
    rsv: Rsv.Rsv2,
    offers: [[]],
    agree: () => Result.succeed(session),
    answer: () => ({ params: [], session })
  }
}

/** The extension in use, on one end. */
export const invertingChain = (options?: InvertingOptions): ExtensionChain => {
  const extension = inverting(options)
  return new ExtensionChain([{
    name: extension.name,
    rsv: extension.rsv,
    params: [],
    session: extension.answer([])!.session
  }])
}
