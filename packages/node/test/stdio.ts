/** A process that is talked to over its standard input and output: it gives back, at the end, what it was given. */
import { Stdio } from "@wirestack/node"
import * as Connection from "@wirestack/protocol/Connection"
import * as Transport from "@wirestack/protocol/Transport"
import { Effect, Stream } from "effect"

const program = Effect.gen(function*() {
  const connection = yield* Transport.connect(Transport.Bytes)("memory:stdio")
  const second = yield* Effect.flip(Transport.connect(Transport.Bytes)("memory:stdio"))
  const received = yield* Stream.runCollect(Connection.messages(connection))
  for (const chunk of received) yield* connection.send(chunk)
  yield* connection.send(Buffer.from(second.message))
})

Effect.runFork(Effect.provide(Effect.scoped(program), Stdio.layer()))
