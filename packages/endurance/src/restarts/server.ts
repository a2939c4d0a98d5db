/**
 * A server that may be killed at any time: it stores each message in its journal before it acknowledges it, and answers it. Run by
 * `main.ts`, with the port, 0 for any, and the journal.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Connection, Endpoint, Resume, Transport } from "@wirestack/protocol"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Redacted } from "effect"
import { Journal } from "./Journal.ts"

const [port, path] = process.argv.slice(2)
const journal = new Journal(path)

const answerTo = (message: string): string => `stored ${message}`

const store: Resume.Store = {
  opened: (id, secret) => Effect.sync(() => journal.opened(id, Redacted.value(secret))),
  load: (id, received) =>
    Effect.sync(() => {
      const entry = journal.entries.get(id)
      return entry && {
        secret: Redacted.make(entry.secret),
        received: entry.messages.length,
        sent: entry.messages.length,
        replay: entry.messages.slice(received).map(answerTo)
      }
    })
}

const handle = (connection: Connection.Connection<Transport.Message, Transport.Message, Resume.Session>) => {
  const { id } = Connection.detail(connection, Resume.Session)
  return Effect.forever(Effect.flatMap(connection.pull, (batch) => {
    const messages = batch.map(String)
    journal.store(id, messages)
    const [first, ...others] = messages.map(answerTo)
    return Effect.andThen(Resume.acknowledge(connection, messages.length), connection.sendAll([first, ...others]))
  }))
}

const program = Effect.gen(function*() {
  const listener = yield* Transport.listen(Transport.Messages)<Resume.Session>(`ws://127.0.0.1:${port}`)
  process.stdout.write(`${Endpoint.format(listener.address)}\n`)
  return yield* listener.run(handle)
})

const stack = Tcp.layer({ noDelay: true }).pipe(WebSocket.server(), Resume.server({ acknowledge: "stored", store }))

NodeRuntime.runMain(Effect.provide(Effect.scoped(program), stack))
