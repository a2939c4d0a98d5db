/** The stacks of the scenarios: a chat over WebSocket over TLS over faults, and over sessions if there are any. */
import * as Faults from "@wirestack/protocol/faults/Faults"
import type { Plan } from "@wirestack/protocol/faults/Plan"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import * as Resume from "@wirestack/protocol/resilience/Resume"
import * as Transport from "@wirestack/protocol/Transport"
import * as Codec from "@wirestack/protocol/typed/Codec"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { comesBack } from "./comesBack.ts"
import { Chat } from "./Room.ts"
import type { Scenario } from "./Scenario.ts"

/** Signatures are to have one size, as mishaps count bytes. */
export const credentials = Effect.runSync(Effect.cached(Effect.gen(function*() {
  const authority = yield* DevelopmentCertificates.make({ signing: "Ed25519" })
  return { trust: { ca: authority.ca }, identity: yield* authority.issue() }
})))

const heartbeat = { interval: "4 seconds", timeout: "2 seconds", misses: 2 } as const

/** `planOf` says what befalls the nth connection. */
export const stackOf = ({ keeping }: Scenario, planOf: (nth: number) => Plan<"bytes">) =>
  Layer.unwrap(Effect.map(credentials, ({ identity, trust }) => {
    const sockets = MemoryTransport.layer().pipe(
      Faults.over(Transport.Bytes)({ plan: planOf }),
      Tls.over({ client: { trust, serverName: "localhost" }, server: { identity } }),
      WebSocket.over({
        client: { heartbeat },
        server: { heartbeat, authorities: ["localhost"] }
      })
    )
    if (keeping === undefined) return sockets.pipe(Chat.over(Codec.json()))
    const { keepFor, ...bounds } = keeping
    return sockets.pipe(
      Resume.over({ client: { ...bounds, ...comesBack }, server: { ...bounds, keepFor } }),
      Chat.over(Codec.json())
    )
  }))
