/** The chat as it is served: an authority and an identity made in memory, the stack, the rooms. */
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { runScoped } from "@wirestack/protocol/Listener"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { invite } from "../development.ts"
import { tellDrained } from "../drained.ts"
import { Chat } from "./Chat.ts"
import * as Rooms from "./Rooms.ts"
import { serve } from "./server.ts"
import { path, serving } from "./stack.ts"

/** Serves in the scope; gives where it is, and whom to trust. */
export const open = Effect.fnUntraced(function*(port: number) {
  const authority = yield* DevelopmentCertificates.make()
  const identity = yield* authority.issue({ names: ["localhost", "127.0.0.1"] })
  const stack = yield* Layer.build(serving(identity))
  const listener = yield* Effect.provideContext(Chat.listen(`wss://127.0.0.1:${port}${path}`), stack)
  const endpoint = `wss://localhost:${Endpoint.portOf(listener.address)}${path}`
  yield* runScoped(listener.run(serve(Rooms.make())))
  return { endpoint, ca: authority.ca, listener }
})

export type Service = Effect.Success<ReturnType<typeof open>>

/** Serves until interrupted, and tells others how to join. */
export const keepServing = Effect.fnUntraced(function*({ ca, endpoint, listener }: Service) {
  yield* invite({ endpoint, ca })
  yield* Console.log(
    `\nserving ${endpoint}\njoin from another terminal:  npm run example -- chat --join NAME\nCtrl-C ends it`
  )
  yield* tellDrained(listener)
  return yield* Effect.never
})
