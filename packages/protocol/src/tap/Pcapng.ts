/**
 * Recordings as pcapng, which Wireshark and its kin open: what passed over bytes, as the packets of TCP that might have carried it, and
 * datagrams as those of UDP.
 *
 *     fs.writeFile("chat.pcapng", Pcapng.of(recording.events))
 *
 * The contract:
 *
 * - Tapped above TLS it is the plaintext, so a WebSocket over TLS can be read, too. Taps of messages, records and values are left out: there is
 *   nothing that would carry them.
 * - Each place in a stack is an interface of its name. Each tap is a conversation, from SYN to FIN, or RST if the connection was cut; of a
 *   connection with two taps there are two.
 * - Addresses and ports are those of the endpoint and the peer as far as they are IP addresses, else those for documentation; the client's
 *   port is made up. Port 443 is said to be 80 where TLS is below the tap.
 * - A message of which only the beginning was kept is a packet of which only that was captured; of what is more than 4 MiB behind that there is
 *   none. What the recording has dropped is missing in
 *   the stream of TCP, whose numbers say so.
 * - Headers, checksums and times are right; there is no time between the packets of one event.
 */
import * as Stream from "effect/Stream"
import * as Block from "../internal/pcapng/Block.ts"
import { type Going, TcpConversation, UdpConversation } from "../internal/pcapng/Conversation.ts"
import type { Event, Opened } from "./Event.ts"

/** Writes events as they come: what `begin` gives is first. */
export class Writer {
  /** Those that are described, by the names of taps. */
  private readonly interfaces = new Map<string, number>()
  private readonly conversations = new Map<
    number,
    { readonly opened: Opened; readonly interface: number; readonly packets: TcpConversation | UdpConversation }
  >()

  /** The beginning of a file. */
  begin(): Uint8Array {
    return Block.sectionHeader("Wirestack")
  }

  /** The blocks of an event, which may be none. */
  event(event: Event): ReadonlyArray<Uint8Array> {
    switch (event._tag) {
      case "Opened":
        return this.opened(event)
      case "Passed": {
        const { offset, payload, size, way } = event
        if (!("bytes" in payload)) return []
        return this.packets(event, (packets) => packets.passed(way, payload.bytes, size, offset))
      }
      case "Ended":
        return this.packets(event, (packets) => packets.ended(event.way))
      case "Closed": {
        const { clean, error, first } = event.outcome
        const blocks = this.packets(event, (packets) => packets.closed(first, !clean && error !== undefined))
        this.conversations.delete(event.tap)
        return blocks
      }
      case "Dropped":
        return []
    }
  }

  private opened(opened: Opened): ReadonlyArray<Uint8Array> {
    const { kind, layer, name, tap } = opened
    if (kind !== "bytes" && kind !== "datagrams") return []
    const known = this.interfaces.get(name)
    const number = known ?? this.interfaces.size
    this.interfaces.set(name, number)
    const packets = kind === "bytes" ? new TcpConversation(opened) : new UdpConversation(opened)
    this.conversations.set(tap, { opened, interface: number, packets })
    return [
      ...known === undefined ? [Block.interfaceDescription(name, `above ${layer}`)] : [],
      ...this.packets(opened, (packets) => packets.opened())
    ]
  }

  private packets(
    { at, tap }: { readonly at: number; readonly tap: number },
    make: (packets: TcpConversation | UdpConversation) => ReadonlyArray<Going>
  ): ReadonlyArray<Uint8Array> {
    const conversation = this.conversations.get(tap)
    if (conversation === undefined) return []
    const time = Math.round((conversation.opened.since + at) * 1_000)
    return make(conversation.packets).map(({ packet, way }) =>
      Block.enhancedPacket({ ...packet, interface: conversation.interface, time, direction: Block.Direction[way] })
    )
  }
}

const joined = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(chunks.reduce((size, { length }) => size + length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

/** The file of a recording. */
export const of = (events: ReadonlyArray<Event>): Uint8Array => {
  const writer = new Writer()
  return joined([writer.begin(), ...events.flatMap((event) => writer.event(event))])
}

/** The same of events as they come. */
export const stream = <E, R>(events: Stream.Stream<Event, E, R>): Stream.Stream<Uint8Array, E, R> =>
  Stream.suspend(() => {
    const writer = new Writer()
    return Stream.concat(
      Stream.succeed(writer.begin()),
      Stream.flattenIterable(Stream.map(events, (event) => writer.event(event)))
    )
  })
