/**
 * The blocks of pcapng (draft-ietf-opsawg-pcapng), little-endian. Each is the same around its body:
 *
 *     type u32 | total length u32 | body, padded to 32 bits | total length u32
 */
import * as Utf8 from "../../bytes/Utf8.ts"

const Type = { SectionHeader: 0x0a0d_0d0a, InterfaceDescription: 1, EnhancedPacket: 6 } as const

/** An option: a code, a length, and a value that is padded to 32 bits. */
const Option = { end: 0, comment: 1, userAppl: 4, ifName: 2, ifDescription: 3, flags: 2 } as const

/** Packets begin with the header of IP (LINKTYPE_RAW). */
const linkType = 101

/** Whether a packet came in or went out, as the lowest bits of its flags have it. */
export const Direction = { received: 1, sent: 2 } as const

const byteOrder = 0x1a2b_3c4d

const padded = (length: number): number => (length + 3) & ~3

type OptionValue = readonly [code: number, value: Uint8Array]

const text = (code: number, value: string): OptionValue => [code, Utf8.encode(value).subarray(0, 0xffff)]

/** Writes a block whose fixed part is filled by `fill`, which is followed by `data`, and that by options. */
const block = (
  type: number,
  fixed: number,
  fill: (view: DataView) => void,
  data: Uint8Array,
  options: ReadonlyArray<OptionValue>
): Uint8Array => {
  const optionsSize = options.reduce((size, [, value]) => size + 4 + padded(value.length), 4)
  const total = 12 + fixed + padded(data.length) + optionsSize
  const bytes = new Uint8Array(total)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, total, true)
  fill(new DataView(bytes.buffer, 8, fixed))
  let at = 8 + fixed
  bytes.set(data, at)
  at += padded(data.length)
  for (const [code, value] of options) {
    view.setUint16(at, code, true)
    view.setUint16(at + 2, value.length, true)
    bytes.set(value, at + 4)
    at += 4 + padded(value.length)
  }
  // The end of the options is four zeros.
  view.setUint32(total - 4, total, true)
  return bytes
}

const none = new Uint8Array(0)

/** Begins a section, whose length is not said (section 4.1). */
export const sectionHeader = (application: string): Uint8Array =>
  block(
    Type.SectionHeader,
    16,
    (view) => {
      view.setUint32(0, byteOrder, true)
      view.setUint16(4, 1, true)
      view.setBigInt64(8, -1n, true)
    },
    none,
    [text(Option.userAppl, application)]
  )

/** Describes the next interface, whose times are in microseconds, as they are by default, and whose packets have any length (section 4.2). */
export const interfaceDescription = (name: string, description: string): Uint8Array =>
  block(
    Type.InterfaceDescription,
    8,
    (view) => view.setUint16(0, linkType, true),
    none,
    [text(Option.ifName, name), text(Option.ifDescription, description)]
  )

/** A packet, of which `data` may be the beginning only. */
export interface EnhancedPacket {
  /** Which of the interfaces, from 0. */
  readonly interface: number
  /** Microseconds of the epoch. */
  readonly time: number
  readonly data: Uint8Array
  /** How long it was. */
  readonly length: number
  readonly direction: typeof Direction[keyof typeof Direction]
}

const high = 2 ** 32

/** A packet that has passed (section 4.3). */
export const enhancedPacket = (packet: EnhancedPacket): Uint8Array =>
  block(
    Type.EnhancedPacket,
    20,
    (view) => {
      view.setUint32(0, packet.interface, true)
      view.setUint32(4, Math.floor(packet.time / high), true)
      view.setUint32(8, packet.time % high, true)
      view.setUint32(12, packet.data.length, true)
      view.setUint32(16, packet.length, true)
    },
    packet.data,
    [[Option.flags, Uint8Array.of(packet.direction, 0, 0, 0)]]
  )
