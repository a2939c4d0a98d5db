/** What passed on a connection of bytes, as the packets of a conversation that might have carried it. */
import type { Opened } from "../../tap/Event.ts"
import type { Way } from "../../tap/Tap.ts"
import { type Ends, endsOf } from "./ends.ts"
import { datagram, Flag, maxPayload, type Packet, segment } from "./Packet.ts"

/** A packet, and which way it went. */
export interface Going {
  readonly way: Way
  readonly packet: Packet
}

const none: Uint8Array = new Uint8Array(0)

const other = (way: Way): Way => way === "sent" ? "received" : "sent"

/** How many packets a message has at most beyond those of which something was kept: its size is only what somebody says. */
const maxEmpty = 64

/** How large the packets are that carry a payload of so many bytes, of which so many were kept. */
const sizes = (size: number, kept: number): ReadonlyArray<number> => {
  const length = Math.min(Math.ceil(size / maxPayload), Math.ceil(kept / maxPayload) + maxEmpty)
  return Array.from({ length }, (_, n) => Math.min(maxPayload, size - n * maxPayload))
}

/**
 * A conversation of TCP: the first byte of each side has the number 1, as SYN counts for one and so does FIN. What was passed before it, and is
 * not recorded, is seen to be missing.
 */
export class TcpConversation {
  private readonly role: Opened["role"]
  private readonly ends: Ends
  private readonly next = { sent: 0, received: 0 }
  private readonly finished = { sent: false, received: false }

  constructor(opened: Opened) {
    this.role = opened.role
    this.ends = endsOf(opened)
  }

  /** Who sends what goes this way. */
  private from(way: Way): "client" | "server" {
    return (way === "sent") === (this.role === "client") ? "client" : "server"
  }

  private segment(way: Way, flags: number, payload = none, size = payload.length): Going {
    const from = this.from(way)
    const to = from === "client" ? "server" : "client"
    const [seq, ack] = [this.next[way], this.next[other(way)]]
    const counted = size + ((flags & (Flag.syn | Flag.fin)) === 0 ? 0 : 1)
    this.next[way] += counted
    const said = { seq: seq >>> 0, ack: (flags & Flag.ack) === 0 ? 0 : ack >>> 0, flags }
    return { way, packet: segment(this.ends[from], this.ends[to], said, payload, size) }
  }

  opened(): ReadonlyArray<Going> {
    const way = this.role === "client" ? "sent" : "received"
    return [
      this.segment(way, Flag.syn),
      this.segment(other(way), Flag.syn | Flag.ack),
      this.segment(way, Flag.ack)
    ]
  }

  passed(way: Way, payload: Uint8Array, size: number, offset: number): ReadonlyArray<Going> {
    this.next[way] = 1 + offset
    const packets = sizes(size, payload.length).map((size, n) => {
      const part = payload.subarray(n * maxPayload, n * maxPayload + size)
      return this.segment(way, Flag.psh | Flag.ack, part, size)
    })
    this.next[way] = 1 + offset + size
    return packets
  }

  ended(way: Way): ReadonlyArray<Going> {
    if (this.finished[way]) return []
    this.finished[way] = true
    return [this.segment(way, Flag.fin | Flag.ack), this.segment(other(way), Flag.ack)]
  }

  /** Both sides end, who was first before the other; or it is cut. */
  closed(first: "local" | "remote" | "none", cut: boolean): ReadonlyArray<Going> {
    const way = first === "remote" ? "received" : "sent"
    if (!cut) return [...this.ended(way), ...this.ended(other(way))]
    return this.finished.sent && this.finished.received ? [] : [this.segment(way, Flag.rst | Flag.ack)]
  }
}

/** One of UDP: datagrams, and nothing else. */
export class UdpConversation {
  private readonly role: Opened["role"]
  private readonly ends: Ends

  constructor(opened: Opened) {
    this.role = opened.role
    this.ends = endsOf(opened)
  }

  opened(): ReadonlyArray<Going> {
    return []
  }

  passed(way: Way, payload: Uint8Array, size: number): ReadonlyArray<Going> {
    const { client, server } = this.ends
    const [from, to] = (way === "sent") === (this.role === "client") ? [client, server] : [server, client]
    return [{ way, packet: datagram(from, to, payload, size) }]
  }

  ended(): ReadonlyArray<Going> {
    return []
  }

  closed(): ReadonlyArray<Going> {
    return []
  }
}
