/** The packets of MQTT: how they look is known to `mqtt-packet`; here they are found in the stream, and bounded. */
import { Undecodable, Unencodable } from "@wirestack/protocol/ConnectionError"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import { generate, type Packet, parser } from "mqtt-packet"
import type { Format } from "../kit/Parsing.ts"

/** The reason code of a DISCONNECT that leaves the last word to the will. */
const withWill = 4

/** The size of the packet at the front, or how many bytes there have to be to know it. */
const sizeOf = (bytes: Uint8Array): { readonly size: number } | number => {
  let remaining = 0
  for (let at = 1; at <= 4; at++) {
    if (at >= bytes.length) return at + 1
    remaining += (bytes[at] & 0x7f) * 128 ** (at - 1)
    if (bytes[at] < 0x80) return { size: at + 1 + remaining }
  }
  throw new Violation({ rule: "a remaining length has four bytes at most", section: "MQTT 5 section 1.5.5" })
}

const generated = (packet: Packet, protocolVersion: 4 | 5): Uint8Array => {
  try {
    return generate(packet, { protocolVersion })
  } catch (cause) {
    throw new Unencodable({ detail: "this is no packet of MQTT", cause })
  }
}

/** How packets look on one connection. `heard` is called for each. */
export const format = (version: 4 | 5, limit: number, heard: () => void = () => {}): Format<Packet, Packet> => {
  let packet: Packet | undefined
  let wrong: unknown
  const reader = parser({ protocolVersion: version })
  reader.on("packet", (read) => (packet = read)).on("error", (error) => (wrong = error))
  const bounded = (size: number) => {
    if (size > limit) throw new TooLarge({ what: "a packet", size, limit })
  }
  return {
    inside: "a packet",
    parse: (bytes) => {
      const found = sizeOf(bytes)
      if (typeof found === "number") return found
      const { size } = found
      bounded(size)
      if (bytes.length < size) return size
      packet = undefined
      try {
        reader.parse(Buffer.from(bytes.buffer, bytes.byteOffset, size))
      } catch (cause) {
        wrong = cause
      }
      if (packet === undefined) throw new Undecodable({ detail: "this is no packet of MQTT", cause: wrong })
      heard()
      const { cmd, reasonCode, properties } = packet as Extract<Packet, { cmd: "disconnect" }>
      if (cmd !== "disconnect") return { size, message: packet }
      return { size, goodbye: { code: reasonCode ?? 0, reason: properties?.reasonString ?? "" } }
    },
    print: (packet) => {
      const bytes = generated(packet, version)
      bounded(bytes.length)
      return [bytes]
    },
    goodbye: (why) => {
      if (why === "failed" && version === 4) return undefined
      const code = why === "failed" ? withWill : 0
      return [{ cmd: "disconnect", reasonCode: code }, { code, reason: "" }]
    }
  }
}
