/**
 * Transports in memory: the whole stack without a socket, under a test clock, with the rules of TCP.
 *
 * Each layer is a network of its own, in which endpoints are names (`memory:chat`). Client and server meet when they
 * are given the same layer.
 */

import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { memoryNetwork } from "./internal/memoryNetwork.ts"
import { pair } from "./internal/Pipe.ts"
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
  type Shape
} from "./Transport.ts"

export {
  /** A connected pair of wires, without a network. What one end writes, the other receives. */
  pair
}

const layerOf = <S, M>(shape: Shape<S, M, M>) =>
  transportLayer<S, M, M, M, M, Connect | Listen>(shape, Effect.sync(memoryNetwork<M>))

/** A new network of byte transports. */
export const layer = (): Layer.Layer<ByteTransport<Connect | Listen>> => layerOf<"bytes", Uint8Array>(Bytes)

/** A new network of message transports. */
export const layerMessages = (): Layer.Layer<MessageTransport<Connect | Listen>> =>
  layerOf<"messages", Message>(Messages)

/** A new network of datagram transports, which happens to lose nothing and to keep their order; closing is told, too. */
export const layerDatagrams = (): Layer.Layer<DatagramTransport<Connect | Listen>> =>
  layerOf<"datagrams", Uint8Array>(Datagrams)
