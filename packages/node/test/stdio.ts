/**
 * A process that is talked to over its standard input and output: it gives back, at the end, what it was given; and before that, as
 * `flood`, as much as it can, and says what it could while it was held back.
 */
import { Stdio } from "@wirestack/node"
import * as Connection from "@wirestack/protocol/Connection"
import * as Transport from "@wirestack/protocol/Transport"
import { Effect, Fiber, Stream } from "effect"

const flood = (connection: Connection.Connection<Uint8Array, Uint8Array>) =>
  Effect.gen(function*() {
    let sent = 0
    const sending = yield* Effect.forkChild(
      Effect.forever(Effect.andThen(connection.send(Buffer.alloc(10_000)), Effect.sync(() => sent++)))
    )
    for (let before = -1; before !== sent;) {
      before = sent
      yield* Effect.sleep("20 millis")
    }
    process.stderr.write("held back")
    yield* Fiber.interrupt(sending)
  })

const program = Effect.gen(function*() {
  const connection = yield* Transport.connect(Transport.Bytes)("memory:stdio")
  const second = yield* Effect.flip(Transport.connect(Transport.Bytes)("memory:stdio"))
  if (process.argv[2] === "flood") yield* flood(connection)
  const received = yield* Stream.runCollect(Connection.messages(connection))
  for (const chunk of received) yield* connection.send(chunk)
  yield* connection.send(Buffer.from(second.message))
})

Effect.runFork(Effect.provide(Effect.scoped(program), Stdio.layer()))
