import { assert, it } from "@effect/vitest"
import { Cbor, MessagePack } from "@wirestack/codecs"
import { Codec, Connection, MemoryTransport, Subprotocol } from "@wirestack/protocol"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Layer, Schema, Stream } from "effect"

const Parcel = Schema.Struct({ weight: Schema.Int, body: Schema.Uint8Array })

class Parcels extends Subprotocol.Service<Parcels>()("parcels.v1", { client: Parcel, server: Parcel }) {}

/** A server that echoes parcels, and the stack for its clients. */
const echo = (codec: Codec.Codec) =>
  Effect.gen(function*() {
    const network = yield* Layer.build(MemoryTransport.layer())
    const websocket = WebSocket.over()(Layer.succeedContext(network))
    const server = yield* Layer.build(Parcels.over(codec)(websocket))
    const listener = yield* Effect.provideContext(Parcels.listen("memory:parcels"), server)
    yield* Effect.forkScoped(
      listener.run((peer) => Stream.run(Connection.messages(peer), Connection.sink(peer)), {
        onIncident: () => Effect.void
      })
    )
    return websocket
  })

for (const codec of [MessagePack.codec(), Cbor.codec()]) {
  it.effect(`${codec.format} travels over a WebSocket, and what is none is told by its code`, () =>
    Effect.gen(function*() {
      const websocket = yield* echo(codec)
      const parcel = { weight: 3, body: Uint8Array.of(0, 255) }
      yield* Effect.gen(function*() {
        const connection = yield* Parcels.connect("memory:parcels")
        yield* connection.send(parcel)
        assert.deepStrictEqual(yield* connection.pull, [parcel])
      }).pipe(Effect.scoped, Effect.provide(Parcels.over(codec)(websocket)))
      const heavy = codec.coder(Schema.Unknown).encode({ weight: "heavy", body: "" })
      for (const [message, code] of [[heavy, 1008], [Uint8Array.of(0xc1, 0xff), 1007], ["text", 1007]] as const) {
        const wrong = Codec.make({ format: "wrong", parse: () => undefined, print: () => message })
        const outcome = yield* Effect.gen(function*() {
          const connection = yield* Parcels.connect("memory:parcels")
          yield* connection.send(parcel)
          yield* Stream.runDrain(Connection.messages(connection))
          return yield* connection.closed
        }).pipe(Effect.scoped, Effect.provide(Parcels.over(wrong)(websocket)))
        assert.strictEqual(outcome.received?.code, code)
      }
    }).pipe(Effect.scoped))
}
