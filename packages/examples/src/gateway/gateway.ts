/** A gateway, wherever its rooms are kept: chat.v1 over WebSocket, without TLS, which is the load balancer's. */
import * as Endpoint from "@wirestack/protocol/Endpoint"
import type { Incident } from "@wirestack/protocol/Listener"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Chat } from "../chat/Chat.ts"
import { serve } from "../chat/server.ts"
import { path } from "../chat/stack.ts"
import { tellDrained } from "../drained.ts"
import type { Host } from "./Host.ts"
import * as Rooms from "./Rooms.ts"

const stack = () => Tcp.layer({ noDelay: true }).pipe(WebSocket.server({ path }), Chat.over(Codec.json()))

/** Load balancers ask without an upgrade, to see whether this is here. */
const onIncident = (incident: Incident) =>
  incident._tag === "HandshakeFailed" ? Effect.void : Effect.logWarning(incident)

/** Serves until it is interrupted, and then drains: each client is told 1012, and comes back to another one. */
export const gateway = Effect.fnUntraced(
  function*(host: Host, port: string) {
    const rooms = yield* Rooms.make(host)
    const listener = yield* Chat.listen(`ws://127.0.0.1:${port}${path}`, {
      drain: { within: "10 seconds", over: "1 second", as: "restart" }
    })
    yield* tellDrained(listener)
    yield* Console.log(`serving ${Endpoint.format(listener.address)}`)
    return yield* listener.run(serve(rooms), { onIncident })
  },
  (serving) => Effect.provide(serving, stack())
)
