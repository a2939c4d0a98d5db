/** Where the machine and the receiver of `ws` differ, and why: what is not here, and not the same, is a fault. */
import { concat, frame, hex } from "../support.ts"
import type { Difference, Parting } from "./judge.ts"
import { Awaited, type Theirs } from "./receivers.ts"
import { wide } from "./traffic.ts"

const { Data, Head, Length16, Length64 } = Awaited

const atHead = ({ before }: Parting): boolean => before._state === Head && before._bufferedBytes === 0

/** The rest of a frame without payload, behind its first byte. */
const emptyRest = (mask: boolean): Uint8Array => frame(0, "", { mask }).subarray(1)

/** How a character that has begun may end, as far as that matters. */
const endings = ["", ...["80", "90", "a0"].flatMap((first) => [first, `${first}80`, `${first}8080`])].map(hex)

/** Whether a text message of which `left` bytes of the frame are left can become a text; `endsWith` tells how it ends with these. */
const mayBecomeText = (
  { _fin, _mask, _payloadLength }: Theirs,
  left: number,
  mask: boolean,
  endsWith: (rest: Uint8Array) => string
): boolean => {
  const at = _payloadLength - left
  const masked = (bytes: Uint8Array) => bytes.map((byte, i) => byte ^ (_mask?.[(at + i) % 4] ?? 0))
  const letters = masked(new Uint8Array(left).fill(0x61))
  return endings.some((ending) => {
    letters.set(masked(ending.subarray(0, left)))
    const rest = _fin ? letters : concat(letters, frame(0, ending.subarray(left), { mask }))
    const isText = endsWith(rest) !== "failed 1007"
    letters.set(masked(new Uint8Array(Math.min(left, ending.length)).fill(0x61)))
    return isText
  })
}

/** Of frames and what is in them as it came. */
export const plain: ReadonlyArray<Difference> = [
  {
    section: "5.2, 5.4, 5.5",
    ours: "a reserved bit, opcode or fragment that can't be here fails with the first byte of its frame",
    theirs: "fails with the second",
    is: (parting) =>
      parting.mine.ending === "failed 1002" && atHead(parting) &&
      parting.after(emptyRest(parting.mask).subarray(0, 1)) === "failed 1002"
  },
  {
    section: "5.2",
    ours: "a length that isn't in its shortest form is 1002",
    theirs: "is taken as any other",
    is: ({ after, before, input, mine }) => {
      const size = before._state === Length16 ? 2 : before._state === Length64 ? 8 : NaN
      const length = input.subarray(-size).reduce((sum, byte) => sum * 256 + byte, 0)
      return mine.ending === "failed 1002" && before._bufferedBytes === size - 1 &&
        length < (size === 2 ? 126 : 65_536) && after(hex("")) !== "failed 1002"
    }
  },
  {
    section: "5.2",
    ours: "a length of 64 bits is 1002, and fails with its first byte",
    theirs: "is 1009, like every length of more than 53 bits",
    is: ({ after, before, input, mine }) =>
      mine.ending === "failed 1002" && before._state === Length64 && before._bufferedBytes === 0 &&
      input.at(-1)! >= 0x80 && after(new Uint8Array(7)) === "failed 1009"
  },
  {
    section: "8.1",
    ours: "text fails with the first byte that can't follow",
    theirs: "fails at its end, which something else may prevent",
    is: ({ after, before, instead, mask, mine }) => {
      if (mine.ending !== "failed 1007" || before._state !== Data || before._opcode !== 1) return false
      const left = before._payloadLength - before._bufferedBytes
      return !mayBecomeText(before, left - 1, mask, (rest) => after(rest, wide)) &&
        (before._fin && left < 3 || mayBecomeText(before, left, mask, (rest) => instead(rest, wide)))
    }
  },
  {
    section: "7.4.1, 10.4",
    ours: "one fragment too many is 1009, as any limit, and fails with the first byte of its frame",
    theirs: "is 1008, and fails with the last",
    is: (parting) =>
      parting.mine.ending === "failed 1009" && atHead(parting) &&
      parting.after(emptyRest(parting.mask)) === "failed 1008"
  }
]

/** What the message inflates to, as far as it has arrived: before the byte that ended it, and with that; undefined if corrupt. */
const inflated = ({ before, input }: Parting): ReadonlyArray<Uint8Array | undefined> => {
  const { _fragments, _mask, arrived, inflation } = before
  const last = input.at(-1)! ^ (_mask?.[arrived.length % 4] ?? 0)
  return [arrived, concat(arrived, Uint8Array.of(last))].map((bytes) => {
    const more = inflation!.peek(bytes)
    return more === undefined ? undefined : concat(..._fragments, more)
  })
}

const inCompressed = ({ before }: Parting): boolean =>
  before._state === Data && before._compressed && before._opcode < 8

const beginsText = (bytes: Uint8Array): boolean => {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}

/** Of compressed messages. */
export const compressed: ReadonlyArray<Difference> = [
  {
    section: "RFC 7692, 7.2.2",
    ours: "data that isn't DEFLATE fails with the first byte that can't follow",
    theirs: "fails with the end of its frame",
    is: (parting) => {
      if (parting.mine.ending !== "failed 1007" || !inCompressed(parting)) return false
      const [before, after] = inflated(parting)
      return before !== undefined && after === undefined
    }
  },
  {
    section: "8.1",
    ours: "compressed text fails with the byte that inflates to what can't follow",
    theirs: "fails at its end, which something else may prevent",
    is: (parting) => {
      if (parting.mine.ending !== "failed 1007" || !inCompressed(parting) || parting.before._opcode !== 1) return false
      const [before, after] = inflated(parting)
      return before !== undefined && after !== undefined && beginsText(before) && !beginsText(after)
    }
  },
  {
    section: "10.4",
    ours: "a message is 1009 with the byte that inflates to more than the limit",
    theirs: "fails with the end of its frame",
    is: (parting) => {
      if (parting.mine.ending !== "failed 1009" || !inCompressed(parting)) return false
      const [before, after] = inflated(parting)
      const { maxMessageSize } = parting.limits
      return before !== undefined && before.length <= maxMessageSize &&
        (after === undefined || after.length > maxMessageSize)
    }
  },
  {
    section: "RFC 7692, 7.2.1",
    ours: "behind a final block the next one follows, on a byte boundary",
    theirs: "the rest of the frame is ignored",
    is: "final"
  },
  {
    section: "RFC 7692, 7.2.1",
    ours: "a message that was not flushed is 1007",
    theirs: "is what it is so far, and the next one goes on with it",
    is: "flush"
  },
  {
    section: "10.4, RFC 7692, 7.2.3.3",
    ours: "the limit is of what is inflated, which may be shorter than it came",
    theirs: "is also of what comes",
    is: "wire"
  }
]
