/** What runs in the thread of a worker: an echo, and a handler that takes the whole thread with it. */
import * as Transport from "@wirestack/protocol/Transport"
import { collect } from "@wirestack/test-support"
import { MessagePort } from "@wirestack/transport-streams"
import { Effect, Layer } from "effect"
import { parentPort } from "node:worker_threads"

const serve = Transport.serve(Transport.Bytes)()

const echo = serve("memory:echo", (connection) => Effect.flatMap(collect(connection), (all) => connection.send(all)))

const crash = serve("memory:crash", (connection) => Effect.andThen(connection.pull, Effect.sync(() => process.exit(3))))

const stack = MessagePort.layer({ listen: MessagePort.answer(parentPort!) })

Effect.runFork(Layer.launch(Layer.merge(echo, crash).pipe(Layer.provide(stack))))
