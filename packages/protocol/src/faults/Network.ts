/**
 * A network in memory with named hosts, which is slow as networks are, and can be cut in two.
 *
 *     const network = Network.make({ delay: "20 millis" })
 *     network.host("server")       a transport of bytes: what listens there is reached from all hosts
 *     network.host("ada")          another one, on the same network
 *     yield* network.partition(["ada"], ["server"])
 *
 * The contract:
 *
 * - Endpoints are names in memory (`memory:chat`), which belong to the host that listens there.
 * - A connect takes a round trip: twice the delay. What is sent takes the delay each way, and the bandwidth is that of a connection.
 * - While two hosts are apart nothing passes between them, and no connection is lost by it but by those who don't wait. Connects between
 *   them fail with `TimedOut` after `connectWithin`, or go on when the network is whole again.
 * - Between two connections of a host and itself there is a network, too.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Endpoint from "../Endpoint.ts"
import { checked } from "../internal/faults/checked.ts"
import { memoryNetwork } from "../internal/memoryNetwork.ts"
import {
  Bytes,
  type ByteTransport,
  type Connect,
  layer as transportLayer,
  type Listen,
  type Transport
} from "../Transport.ts"
import * as Faults from "./Faults.ts"
import * as Link from "./Link.ts"
import type { ByteConditions } from "./Plan.ts"

/** What the network is like, the same in all directions. */
export interface Options extends ByteConditions {
  /** For all that is left to chance; 0 by default. */
  readonly seed?: number
  /** How long a connect waits for an answer; 10 seconds by default. */
  readonly connectWithin?: Duration.Input
}

/** A network, and what can be done to it. */
export interface Network {
  /** The transport of a host. */
  readonly host: (name: string) => Layer.Layer<ByteTransport<Connect | Listen>>
  /** Keeps each of some hosts apart from each of others. */
  readonly partition: (some: ReadonlyArray<string>, others: ReadonlyArray<string>) => Effect.Effect<void>
  /** Has all hosts reach one another again. */
  readonly heal: Effect.Effect<void>
  /** What is between two hosts. */
  readonly between: (one: string, other: string) => Link.Link
}

/**
 * A network without hosts. Throws a `RangeError` for conditions that mean nothing, such as a negative delay.
 *
 * @category constructors
 */
export const make = ({ connectWithin = "10 seconds", seed = 0, ...conditions }: Options = {}): Network => {
  checked<"bytes">({ sent: conditions })
  const memory = memoryNetwork<Uint8Array>()
  const hosts = new Map<string, string>()
  const links = new Map<string, Link.Link>()
  const roundTrip = Duration.times(Duration.fromInputUnsafe(conditions.delay ?? 0), 2)
  let count = 0

  const plan = () => ({
    seed: seed + count++,
    connecting: { delay: roundTrip },
    sent: conditions,
    received: conditions
  })

  const between = (one: string, other: string): Link.Link => {
    const key = JSON.stringify([one, other].sort())
    const link = links.get(key) ?? Link.make()
    links.set(key, link)
    return link
  }

  /** A transport whose listeners are known to be at a host. */
  const at = (host: string): Transport<Uint8Array, Uint8Array> => ({
    connect: memory.connect,
    listen: (ask) => {
      const place = Endpoint.format(ask.endpoint)
      return Effect.tap(memory.listen(ask), () => Effect.sync(() => hosts.set(place, host)))
    }
  })

  return {
    host: (name) =>
      transportLayer<"bytes", Uint8Array, Uint8Array, Uint8Array, Uint8Array, Connect | Listen>(
        Bytes,
        Effect.sync(() => at(name))
      ).pipe(
        Faults.over(Bytes)({
          plan,
          link: (endpoint) => between(name, hosts.get(Endpoint.format(endpoint)) ?? name),
          connectWithin
        })
      ),
    partition: (some, others) =>
      Effect.forEach(some, (one) => Effect.forEach(others, (other) => between(one, other).hold), { discard: true }),
    heal: Effect.suspend(() => Effect.forEach(links.values(), (link) => link.release, { discard: true })),
    between
  }
}
