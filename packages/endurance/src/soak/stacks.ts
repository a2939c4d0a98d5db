/** The stacks that are kept busy, each with both roles, and all with the same protocol on top. */
import * as NodeZlib from "@wirestack/node/NodeZlib"
import * as Faults from "@wirestack/protocol/faults/Faults"
import * as LengthPrefixed from "@wirestack/protocol/framers/LengthPrefixed"
import * as Transport from "@wirestack/protocol/Transport"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as DevelopmentCertificates from "@wirestack/transport-tls/testing/DevelopmentCertificates"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as PerMessageDeflate from "@wirestack/websocket/extensions/PerMessageDeflate"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Chat } from "./Chat.ts"

/** A stack, and the scheme of its endpoints. What befalls its connections follows from a seed. */
export interface Stack {
  readonly name: string
  readonly scheme: "tcp" | "tls" | "ws" | "wss"
  readonly layer: (seed: number) => Layer.Layer<Transport.At<Chat, Transport.Connect | Transport.Listen>, unknown>
}

/** Who is silent is found out within a soak that lasts minutes. */
const heartbeat = { interval: "2 seconds", timeout: "1 seconds" } as const

const handshakeWithin = "5 seconds"

const plain = { heartbeat }

/** One slow handshake is not to hold up all other members. */
const client = { ...plain, maxConnecting: 1_000 }

const deflating = { heartbeat, extensions: [PerMessageDeflate.make()] }

/** TCP as it is far away: everything happens but that something else arrives than was sent, which only TLS finds out. */
const far = (seed: number, chances: Partial<Faults.Chances>) =>
  Tcp.layer().pipe(
    Faults.over(Transport.Bytes)({
      plan: Faults.random({ seed, chances, delayUpTo: 50, within: "2 seconds", withinBytes: 20_000 }),
      connectWithin: "2 seconds"
    })
  )

/** All of them, with one identity for the servers. */
export const make = Effect.map(
  Effect.flatMap(
    DevelopmentCertificates.make(),
    (authority) =>
      Effect.map(authority.issue(), (identity) => ({ client: { trust: { ca: authority.ca } }, server: { identity } }))
  ),
  (tls): ReadonlyArray<Stack> => {
    const secured = () => Tcp.layer().pipe(Tls.over({ ...tls, handshakeWithin }))
    const upgraded = WebSocket.over({ client, server: plain, handshakeWithin })
    const typed = Chat.over(Codec.json(), { unnamed: "accept" })
    return [
      { name: "tcp", scheme: "tcp", layer: () => Tcp.layer().pipe(LengthPrefixed.over(), typed) },
      { name: "tls", scheme: "tls", layer: () => secured().pipe(LengthPrefixed.over(), typed) },
      {
        name: "websocket",
        scheme: "ws",
        layer: () => Tcp.layer().pipe(upgraded, typed)
      },
      {
        name: "websocket, tls",
        scheme: "wss",
        layer: () => secured().pipe(upgraded, typed)
      },
      {
        name: "websocket, deflate",
        scheme: "ws",
        layer: () =>
          Layer.provide(
            Tcp.layer().pipe(WebSocket.over({ client: deflating, server: deflating, handshakeWithin }), typed),
            NodeZlib.layer
          )
      },
      {
        name: "websocket, far away",
        scheme: "ws",
        layer: (seed) => far(seed, { corrupt: 0 }).pipe(upgraded, typed)
      },
      {
        name: "websocket, tls, far away",
        scheme: "wss",
        layer: (seed) => far(seed, {}).pipe(Tls.over({ ...tls, handshakeWithin }), upgraded, typed)
      }
    ]
  }
)
