import { describe, it } from "@effect/vitest"
import { Codec, Framer, MemoryTransport, Subprotocol, Transport } from "@wirestack/protocol"
import { Effect, Schema } from "effect"
import { expect } from "vitest"

/** A byte for the type, a byte for the value. */
const framer: Framer.Framer<Transport.Record, Transport.Record> = {
  layer: "pairs",
  machine: () => ({
    receive: (input, io) => {
      for (const chunk of input) {
        for (let at = 0; at < chunk.length; at += 2) {
          io.emit({ type: chunk[at], value: chunk.subarray(at + 1, at + 2) }, 1)
        }
      }
      return true
    },
    encode: ({ type, value }, io) => io.write(new Uint8Array([type, value[0]])),
    ended: (endOfInput, io) => io.end(endOfInput)
  })
}

/** A value of one letter, whose type says whether it is upper case. */
const letters: Codec.Codec<"records", Transport.Record> = Codec.fromCoder({
  format: "letters",
  below: Transport.Records,
  size: () => 1,
  coder: <T>(_: Codec.Carried<T>): Codec.Coder<T, Transport.Record> => ({
    decode: ({ type, value }) => {
      const letter = String.fromCharCode(value[0])
      return (type === 1 ? letter.toUpperCase() : letter) as any
    },
    encode: (value) => {
      const text = String(value)
      const lower = text.toLowerCase()
      return { type: text === lower ? 0 : 1, value: new Uint8Array([lower.charCodeAt(0)]) }
    }
  })
})

class Letters extends Subprotocol.Service<Letters>()("letters", { client: Schema.String, server: Schema.String }) {}

describe("Records", () => {
  it.effect("carry a subprotocol whose codec stands on them", () =>
    Effect.gen(function*() {
      const listener = yield* Letters.listen("memory:letters")
      yield* Effect.forkScoped(listener.run((connection) => Effect.flatMap(connection.pull, connection.sendAll)))
      const connection = yield* Letters.connect("memory:letters")
      yield* connection.sendAll(["a", "B"])
      expect(yield* connection.pull).toEqual(["a", "B"])
    }).pipe(
      Effect.provide(MemoryTransport.layer().pipe(Framer.onto(Transport.Records)(framer), Letters.over(letters))),
      Effect.scoped
    ))
})
