/**
 * A server that acknowledges each message once it has handled it, and ends in order on SIGTERM. It says where it listens, and at the end
 * what its drain did, and of each client which message it has handled and which acknowledged last: a line of JSON each.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { WebSocket } from "@wirestack/node"
import { messages } from "@wirestack/protocol/Connection"
import { format } from "@wirestack/protocol/Endpoint"
import * as Transport from "@wirestack/protocol/Transport"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { numbers } from "../support/numbers.ts"

/** In milliseconds. */
const { over, within } = numbers({ within: 3_000, over: 500 })

const last = { handled: {} as Record<string, number>, acknowledged: {} as Record<string, number> }

const say = (what: object) => Console.log(JSON.stringify(what))

const program = Effect.gen(function*() {
  const listener = yield* Transport.listen(Transport.Messages)("ws://127.0.0.1:0/", {
    drain: { within, over, as: "restart", goodbye: (connection) => connection.send("goodbye") }
  })
  yield* say({ listening: format(listener.address) })
  yield* Effect.addFinalizer(() => Effect.flatMap(listener.drain(), (report) => say({ report, last })))
  return yield* listener.run((connection) =>
    Stream.runForEach(messages(connection), (message) => {
      const [client, number] = String(message).split(" ")
      last.handled[client] = Number(number)
      return Effect.map(connection.send(`${number}`), () => void (last.acknowledged[client] = Number(number)))
    })
  )
})

NodeRuntime.runMain(Effect.provide(Effect.scoped(program), WebSocket.server()), {
  disableErrorReporting: true,
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
})
