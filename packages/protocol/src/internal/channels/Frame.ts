/**
 * The frames of `Channels`, a binary message each. Numbers are big-endian.
 *
 *     type u8 | channel u32 | OPEN    window u32, count u8, count times: length u8, name; then a label
 *                           | ACCEPT  window u32, index u8 of the name that is spoken, 255 for none
 *                           | DATA    flags u8, payload
 *                           | CREDIT  credit u32
 *                           | END
 *                           | RESET   code u8
 *                           | GOODBYE code u8; on channel 0
 */
import type { Why } from "../../Outcome.ts"
import { TooLarge, Violation } from "../../Reason.ts"
import * as utf8 from "../utf8.ts"

export const Type = { Open: 0, Accept: 1, Data: 2, Credit: 3, End: 4, Reset: 5, Goodbye: 6 } as const

/** The flags of DATA. */
export const Flag = { Text: 1, More: 2 } as const

/** Why a channel is reset. */
export const Code = { Aborted: 0, Refused: 1, TooMany: 2, TooLarge: 3 } as const

/** Why a connection is closed, by its code in GOODBYE. */
export const whys: ReadonlyArray<Why> = ["done", "failed", "away", "restart", "overloaded"]

/** What a DATA frame costs beyond its payload, so that empty messages are bounded too. */
export const frameCost = 16

/** The largest number of a channel. */
export const maxChannel = 0xffff_ffff

/** The index of no name. */
const noName = 255

export type Frame =
  | {
    readonly type: typeof Type.Open
    readonly channel: number
    readonly window: number
    readonly offers: ReadonlyArray<string>
    readonly label: string
  }
  | {
    readonly type: typeof Type.Accept
    readonly channel: number
    readonly window: number
    readonly chosen: number | undefined
  }
  | { readonly type: typeof Type.Data; readonly channel: number; readonly flags: number; readonly payload: Uint8Array }
  | { readonly type: typeof Type.Credit; readonly channel: number; readonly credit: number }
  | { readonly type: typeof Type.End; readonly channel: number }
  | { readonly type: typeof Type.Reset; readonly channel: number; readonly code: number }
  | { readonly type: typeof Type.Goodbye; readonly channel: 0; readonly code: number }

const header = 5

const begin = (
  type: number,
  channel: number,
  rest: number
): { readonly bytes: Uint8Array; readonly view: DataView } => {
  const bytes = new Uint8Array(header + rest)
  const view = new DataView(bytes.buffer)
  bytes[0] = type
  view.setUint32(1, channel)
  return { bytes, view }
}

/** The most names that are offered, the bytes of each, and those of a label. */
const most = { names: 254, name: 255, label: 1_024 }

const within = (what: string, size: number, limit: number): void => {
  if (size > limit) throw new TooLarge({ what, size, limit })
}

/** Throws a `ConnectionReason` if there are too many names, or what is said is too long, or no text. */
export const open = (channel: number, window: number, offers: ReadonlyArray<string>, label: string): Uint8Array => {
  const names = offers.map((name) => utf8.encode(name).slice())
  const text = utf8.encode(label).slice()
  within("the number of offered names", names.length, most.names)
  for (const name of names) within("an offered name", name.length, most.name)
  within("a label", text.length, most.label)
  const size = names.reduce((size, name) => size + 1 + name.length, 5)
  const { bytes, view } = begin(Type.Open, channel, size + text.length)
  view.setUint32(header, window)
  bytes[header + 4] = names.length
  let at = header + 5
  for (const name of names) {
    bytes[at] = name.length
    bytes.set(name, at + 1)
    at += 1 + name.length
  }
  bytes.set(text, at)
  return bytes
}

export const accept = (channel: number, window: number, chosen: number | undefined): Uint8Array => {
  const { bytes, view } = begin(Type.Accept, channel, 5)
  view.setUint32(header, window)
  bytes[header + 4] = chosen ?? noName
  return bytes
}

export const data = (channel: number, flags: number, payload: Uint8Array, from: number, to: number): Uint8Array => {
  const { bytes } = begin(Type.Data, channel, 1 + to - from)
  bytes[header] = flags
  bytes.set(payload.subarray(from, to), header + 1)
  return bytes
}

export const credit = (channel: number, amount: number): Uint8Array => {
  const { bytes, view } = begin(Type.Credit, channel, 4)
  view.setUint32(header, amount)
  return bytes
}

export const end = (channel: number): Uint8Array => begin(Type.End, channel, 0).bytes

export const reset = (channel: number, code: number): Uint8Array => {
  const { bytes } = begin(Type.Reset, channel, 1)
  bytes[header] = code
  return bytes
}

export const goodbye = (why: Why): Uint8Array => {
  const { bytes } = begin(Type.Goodbye, 0, 1)
  bytes[header] = whys.indexOf(why)
  return bytes
}

/** How long what follows the header is, at least and at most. */
const lengths: ReadonlyArray<readonly [least: number, most: number]> = [
  [5, Infinity],
  [5, 5],
  [1, Infinity],
  [4, 4],
  [0, 0],
  [1, 1],
  [1, 1]
]

const malformed = (what: string): Violation => new Violation({ rule: `${what} is malformed` })

/** Reads a frame; a payload lies in the bytes it was read from. Throws a `Violation`. */
export const read = (bytes: Uint8Array): Frame => {
  const rest = bytes.length - header
  const type = bytes[0]
  const length = rest < 0 ? undefined : lengths[type]
  if (length === undefined || rest < length[0] || rest > length[1]) throw malformed("a frame")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const channel = view.getUint32(1)
  if ((channel === 0) !== (type === Type.Goodbye)) throw malformed("the channel of a frame")
  switch (type) {
    case Type.Open:
      return readOpen(bytes, channel, view.getUint32(header))
    case Type.Accept: {
      const chosen = bytes[header + 4]
      return { type, channel, window: view.getUint32(header), chosen: chosen === noName ? undefined : chosen }
    }
    case Type.Data:
      return { type, channel, flags: bytes[header], payload: bytes.subarray(header + 1) }
    case Type.Credit:
      return { type, channel, credit: view.getUint32(header) }
    case Type.End:
      return { type, channel }
    case Type.Reset:
      return { type, channel, code: bytes[header] }
    default:
      return { type: Type.Goodbye, channel: 0, code: bytes[header] }
  }
}

const readOpen = (bytes: Uint8Array, channel: number, window: number): Frame => {
  const offers: Array<string> = []
  let at = header + 5
  try {
    for (let n = bytes[header + 4]; n > 0; n--) {
      const end = at + 1 + bytes[at]
      if (!(end <= bytes.length)) throw malformed("an offered name")
      offers.push(utf8.decode(bytes.subarray(at + 1, end)))
      at = end
    }
    if (bytes.length - at > most.label) throw malformed("a label")
    return { type: Type.Open, channel, window, offers, label: utf8.decode(bytes.subarray(at)) }
  } catch {
    throw malformed("OPEN")
  }
}
