/** Packets of IP with TCP or UDP in them, as they might have been on a wire: headers, with right lengths and checksums. */

/** An end of a conversation; the addresses of both ends are of one family. */
export interface End {
  /** 4 bytes, or 16. */
  readonly address: Uint8Array
  readonly port: number
}

/** The flags of TCP (RFC 9293 section 3.1). */
export const Flag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const

/** What a segment says beside its payload. */
export interface Segment {
  readonly seq: number
  readonly ack: number
  readonly flags: number
}

/** A packet, of which the end may be missing. */
export interface Packet {
  readonly data: Uint8Array
  /** How long it is with its end. */
  readonly length: number
}

const [tcp, udp] = [6, 17]
const [ipv4Size, ipv6Size, tcpSize, udpSize] = [20, 40, 20, 8]

/** The most that a packet of either family has room for behind headers. */
export const maxPayload = 65_535 - ipv4Size - tcpSize

/** The options of a SYN: this size, and window scale 14 (RFC 7323 section 2.3), the most there is, so that nothing looks as if it did not fit. */
const synOptions = Uint8Array.of(2, 4, maxPayload >> 8, maxPayload & 0xff, 3, 3, 14, 1)

/** The sum of 16-bit words in ones' complement (RFC 1071). */
const sumOf = (bytes: Uint8Array, sum = 0): number => {
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

const checksum = (bytes: Uint8Array, sum?: number): number => ~sumOf(bytes, sum) & 0xffff

/** The sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1). */
const pseudo = (from: End, to: End, protocol: number, length: number): number =>
  sumOf(to.address, sumOf(from.address, protocol + length))

const ipv4 = (from: End, to: End, protocol: number, length: number): Uint8Array => {
  const header = new Uint8Array(ipv4Size)
  const view = new DataView(header.buffer)
  header[0] = 0x45
  view.setUint16(2, ipv4Size + length)
  // Don't fragment.
  view.setUint16(6, 0x4000)
  header[8] = 64
  header[9] = protocol
  header.set(from.address, 12)
  header.set(to.address, 16)
  view.setUint16(10, checksum(header))
  return header
}

const ipv6 = (from: End, to: End, protocol: number, length: number): Uint8Array => {
  const header = new Uint8Array(ipv6Size)
  header[0] = 0x60
  new DataView(header.buffer).setUint16(4, length)
  header[6] = protocol
  header[7] = 64
  header.set(from.address, 8)
  header.set(to.address, 24)
  return header
}

/** Puts a packet together; of its payload of so many bytes there may be the beginning only. */
const packet = (
  from: End,
  to: End,
  protocol: number,
  header: Uint8Array,
  checksumAt: number,
  payload: Uint8Array,
  size: number
): Packet => {
  const length = header.length + size
  const ip = (from.address.length === 4 ? ipv4 : ipv6)(from, to, protocol, length)
  const data = new Uint8Array(ip.length + header.length + payload.length)
  data.set(ip)
  data.set(header, ip.length)
  data.set(payload, ip.length + header.length)
  const sum = checksum(data.subarray(ip.length), pseudo(from, to, protocol, length))
  // Zero would say that there is none (RFC 768).
  new DataView(data.buffer).setUint16(ip.length + checksumAt, protocol === udp && sum === 0 ? 0xffff : sum)
  return { data, length: ip.length + length }
}

/** A segment of TCP. */
export const segment = (
  from: End,
  to: End,
  { ack, flags, seq }: Segment,
  payload: Uint8Array,
  size: number
): Packet => {
  const options = (flags & Flag.syn) === 0 ? new Uint8Array(0) : synOptions
  const header = new Uint8Array(tcpSize + options.length)
  const view = new DataView(header.buffer)
  view.setUint16(0, from.port)
  view.setUint16(2, to.port)
  view.setUint32(4, seq)
  view.setUint32(8, ack)
  header[12] = (header.length >> 2) << 4
  header[13] = flags
  view.setUint16(14, 0xffff)
  header.set(options, tcpSize)
  return packet(from, to, tcp, header, 16, payload, size)
}

/** A datagram of UDP. */
export const datagram = (from: End, to: End, payload: Uint8Array, size: number): Packet => {
  const header = new Uint8Array(udpSize)
  const view = new DataView(header.buffer)
  view.setUint16(0, from.port)
  view.setUint16(2, to.port)
  view.setUint16(4, udpSize + size)
  return packet(from, to, udp, header, 6, payload, size)
}
