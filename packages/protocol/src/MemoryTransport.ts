/**
 * Transports in memory: the whole stack without a socket, under a test clock, with the rules of TCP.
 *
 * Each layer is a network of its own, in which endpoints are names (`memory:chat`). Client and server meet when they
 * are given the same layer.
 */

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { type Ask, lacking } from "./Ask.ts"
import { ConnectError, InvalidEndpoint, Refused } from "./ConnectError.ts"
import * as Connection from "./Connection.ts"
import * as Endpoint from "./Endpoint.ts"
import { pair } from "./internal/Pipe.ts"
import * as Listener from "./Listener.ts"
import { AddressInUse, ListenError } from "./ListenError.ts"
import {
  Bytes,
  type ByteTransport,
  type Connect,
  Datagrams,
  type DatagramTransport,
  layer as transportLayer,
  type Listen,
  type Message,
  Messages,
  type MessageTransport,
  type Shape,
  type Transport
} from "./Transport.ts"
import type { Wire } from "./wire/Wire.ts"

export {
  /** A connected pair of wires, without a network. What one end writes, the other receives. */
  pair
}

class Booth<M> implements Listener.Acceptor<M, M, never> {
  readonly layer = "memory"
  readonly address: Endpoint.Endpoint
  readonly stop: Effect.Effect<void>
  private accept: ((wire: Wire<M, M>, details: () => Context.Context<never>) => void) | undefined

  constructor(address: Endpoint.Endpoint, leave: () => void) {
    this.address = address
    this.stop = Effect.sync(leave)
  }

  start(accept: (wire: Wire<M, M>, details: () => Context.Context<never>) => void): void {
    this.accept = accept
  }

  take(wire: Wire<M, M>): void {
    this.accept?.(wire, Context.empty)
  }
}

const nameOf = (ask: Ask): string | undefined =>
  ask.endpoint.place._tag === "Memory" ? ask.endpoint.place.name : undefined

const network = <M>(): Transport<M, M> => {
  const booths = new Map<string, Booth<M>>()
  const notMemory = (ask: Ask) =>
    new InvalidEndpoint({ input: Endpoint.format(ask.endpoint), detail: "this transport knows memory:NAME only" })
  return {
    connect: (ask) =>
      Effect.suspend(() => {
        const missing = lacking(ask)
        if (missing !== undefined) return Effect.fail(new ConnectError({ layer: "memory", reason: missing }))
        const name = nameOf(ask)
        if (name === undefined) return Effect.fail(new ConnectError({ layer: "memory", reason: notMemory(ask) }))
        const booth = booths.get(name)
        if (booth === undefined) {
          return Effect.fail(
            new ConnectError({ layer: "memory", reason: new Refused({ address: Endpoint.format(ask.endpoint) }) })
          )
        }
        const [near, far] = pair<M>()
        booth.take(far)
        return Connection.make(near, { ask })
      }),
    listen: (ask) =>
      Effect.suspend(() => {
        const address = Endpoint.format(ask.endpoint)
        const name = nameOf(ask)
        const missing = lacking(ask)
        if (missing !== undefined) return Effect.fail(new ListenError({ layer: "memory", reason: missing }))
        if (name === undefined) return Effect.fail(new ListenError({ layer: "memory", reason: notMemory(ask) }))
        if (booths.has(name)) {
          return Effect.fail(new ListenError({ layer: "memory", reason: new AddressInUse({ address }) }))
        }
        const booth = new Booth<M>(ask.endpoint, () => booths.delete(name))
        booths.set(name, booth)
        return Listener.make(booth, ask)
      })
  }
}

const layerOf = <S, M>(shape: Shape<S, M, M>) =>
  transportLayer<S, M, M, M, M, Connect | Listen>(shape, Effect.sync(network<M>))

/** A new network of byte transports. */
export const layer = (): Layer.Layer<ByteTransport<Connect | Listen>> => layerOf<"bytes", Uint8Array>(Bytes)

/** A new network of message transports. */
export const layerMessages = (): Layer.Layer<MessageTransport<Connect | Listen>> =>
  layerOf<"messages", Message>(Messages)

/** A new network of datagram transports, which happens to lose nothing and to keep their order; closing is told, too. */
export const layerDatagrams = (): Layer.Layer<DatagramTransport<Connect | Listen>> =>
  layerOf<"datagrams", Uint8Array>(Datagrams)
