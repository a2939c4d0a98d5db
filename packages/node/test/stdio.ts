/**
 * A process that is talked to over its standard input and output: it gives back, at the end, what it was given. Otherwise
 *
 * - as `flood`, it gives as much as it can before, and says what it could while it was held back;
 * - as `early`, it ends its output at once, and then hears its input to the end;
 * - as `text`, it has input that is no bytes, and says why it can't listen.
 */
import { Stdio } from "@wirestack/node"
import * as Connection from "@wirestack/protocol/Connection"
import * as Transport from "@wirestack/protocol/Transport"
import { Effect, Fiber, type Scope, Stream } from "effect"

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

const early = Effect.gen(function*() {
  const connection = yield* Transport.connect(Transport.Bytes)("memory:stdio")
  yield* connection.end
  yield* Stream.runDrain(Connection.messages(connection))
  console.log("nowhere")
})

const inText = Effect.gen(function*() {
  process.stdin.setEncoding("utf8")
  const { message } = yield* Effect.flip(Transport.listen(Transport.Bytes)("memory:stdio"))
  process.stderr.write(message)
})

const talk = Effect.gen(function*() {
  const connection = yield* Transport.connect(Transport.Bytes)("memory:stdio")
  const second = yield* Effect.flip(Transport.connect(Transport.Bytes)("memory:stdio"))
  if (process.argv[2] === "flood") yield* flood(connection)
  const received = yield* Stream.runCollect(Connection.messages(connection))
  for (const chunk of received) yield* connection.send(chunk)
  yield* connection.send(Buffer.from(second.message))
})

const program = process.argv[2] === "early" ? early : process.argv[2] === "text" ? inText : talk

Effect.runFork(
  Effect.provide(Effect.scoped<void, unknown, Scope.Scope | Transport.ByteTransport<Stdio.Can>>(program), Stdio.layer())
)
