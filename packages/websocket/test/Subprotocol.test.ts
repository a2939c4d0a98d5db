import { assert, it } from "@effect/vitest"
import { Codec, Connection, MemoryTransport, Subprotocol } from "@wirestack/protocol"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Layer, Schema, Stream } from "effect"

class Numbers extends Subprotocol.Service<Numbers>()("numbers.v1", { client: Schema.Finite, server: Schema.Finite }) {}

/** Prints words where numbers are expected. */
const wordy = Codec.make({ format: "words", parse: () => 0, print: (value) => value === 2 ? "\"two\"" : String(value) })

it.effect("7.4.1: a value that is none of the protocol is answered with 1008, after what came before it", () =>
  Effect.gen(function*() {
    const network = yield* Layer.build(MemoryTransport.layer())
    const websocket = WebSocket.over()(Layer.succeedContext(network))
    const seen: Array<number> = []
    const listening = Effect.gen(function*() {
      const listener = yield* Numbers.listen("memory:numbers")
      yield* Effect.forkScoped(
        listener.run((peer) => Stream.runForEach(Connection.messages(peer), (n) => Effect.sync(() => seen.push(n))), {
          onIncident: () => Effect.void
        })
      )
    })
    const client = Effect.scoped(Effect.gen(function*() {
      const connection = yield* Numbers.connect("memory:numbers")
      yield* connection.sendAll([1, 2, 3])
      yield* Stream.runDrain(Connection.messages(connection))
      return yield* connection.closed
    }))
    const server = yield* Layer.build(Numbers.over(Codec.json())(websocket))
    yield* Effect.provideContext(listening, server)
    const outcome = yield* Effect.provide(client, Numbers.over(wordy)(websocket))
    assert.deepStrictEqual(seen, [1])
    assert.strictEqual(outcome.received?.code, 1008)
    assert.match(outcome.received?.reason ?? "", /not valid/)
    assert.isTrue(outcome.clean)
  }))
