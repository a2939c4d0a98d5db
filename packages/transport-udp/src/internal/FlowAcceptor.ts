/**
 * The connections of one bound socket, told apart by the address of the peer. A connection begins with the first datagram of a
 * peer that has none, and ends when it is closed, or when the peer has been silent for too long.
 */
import type * as Endpoint from "@wirestack/protocol/Endpoint"
import type { Acceptor } from "@wirestack/protocol/Listener"
import { ListenError } from "@wirestack/protocol/ListenError"
import { Other } from "@wirestack/protocol/Reason"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import type { Address } from "@wirestack/transport-tcp/Address"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Dgram from "node:dgram"
import type { UdpInfo } from "../UdpInfo.ts"
import { addressOf, facts, infoOf } from "./infoOf.ts"
import { close } from "./socket.ts"
import { layerName, type Limits, UdpWire } from "./UdpWire.ts"

/** The datagrams of one peer. */
interface Flow {
  readonly wire: UdpWire<Uint8Array>
  readonly remote: Address
  /** When the peer was heard last. */
  heard: number
}

/** How many peers may wait until the listener is run. */
const maxWaiting = 511

export class FlowAcceptor implements Acceptor<Uint8Array, Uint8Array, UdpInfo> {
  readonly layer = layerName
  readonly address: Endpoint.Endpoint
  readonly facts = facts
  private readonly socket: Dgram.Socket
  private readonly local: Address
  private readonly limits: Limits
  private readonly clock: Clock.Clock
  private readonly flows = new Map<string, Flow>()
  private waiting: Array<Flow> = []
  private accept: ((flow: Flow) => void) | undefined = undefined
  private stopped = false

  constructor(socket: Dgram.Socket, address: Endpoint.Endpoint, limits: Limits, clock: Clock.Clock) {
    this.socket = socket
    this.address = address
    this.local = addressOf(socket.address())
    this.limits = limits
    this.clock = clock
    socket.on("message", this.onMessage)
    socket.on("error", () => {})
  }

  start(
    accept: (wire: Wire<Uint8Array, Uint8Array>, details: () => Context.Context<UdpInfo>, peer?: string) => void,
    lost: (error: ListenError) => void
  ): void {
    this.accept = ({ remote, wire }) => accept(wire, () => infoOf(this.local, remote, wire), remote.host)
    this.socket.on("close", () => {
      if (!this.stopped) {
        lost(new ListenError({ layer: layerName, reason: new Other({ cause: "the socket was closed" }) }))
      }
    })
    for (const flow of this.waiting.splice(0)) this.accept(flow)
  }

  readonly stop: Effect.Effect<void> = Effect.sync(() => {
    this.stopped = true
    for (const { wire } of this.waiting.splice(0)) wire.abort()
    this.closeIfDone()
  })

  /** Ends the connections whose peers have not been heard for so many milliseconds. */
  hush(silence: number): void {
    const before = this.clock.currentTimeMillisUnsafe() - silence
    for (const { heard, wire } of this.flows.values()) if (heard <= before && wire.caughtUp) wire.silence()
  }

  private readonly onMessage = (bytes: Uint8Array, from: Dgram.RemoteInfo): void => {
    const key = `${from.address} ${from.port}`
    const flow = this.flows.get(key) ?? this.begin(key, from)
    if (flow === undefined) return
    flow.heard = this.clock.currentTimeMillisUnsafe()
    flow.wire.receive(bytes, bytes.length)
  }

  private begin(key: string, { address, port }: Dgram.RemoteInfo): Flow | undefined {
    if (this.stopped || this.waiting.length >= maxWaiting) return undefined
    const wire = new UdpWire<Uint8Array>({
      address: key,
      send: (bytes, sent) => this.socket.send(bytes, port, address, sent),
      release: () => {
        this.flows.delete(key)
        this.closeIfDone()
      }
    }, this.limits)
    const flow: Flow = { wire, remote: addressOf({ address, port }), heard: 0 }
    this.flows.set(key, flow)
    if (this.accept === undefined) this.waiting.push(flow)
    else this.accept(flow)
    return flow
  }

  /** The socket serves its connections to the last. */
  private closeIfDone(): void {
    if (this.stopped && this.flows.size === 0) close(this.socket)
  }
}
