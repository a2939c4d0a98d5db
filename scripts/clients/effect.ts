/** What of Effect such a client would use anyway: Schemas, Streams and Layers. */
import { Context, Effect, Layer, Schema, Stream } from "effect"

const Said = Schema.fromJsonString(Schema.TaggedStruct("Said", { name: Schema.String, text: Schema.String }))

class Chat extends Context.Service<Chat, { readonly said: Stream.Stream<string> }>()("Chat") {}

const program = Effect.gen(function*() {
  const { said } = yield* Chat
  yield* Stream.runForEach(
    said,
    (text) => Effect.flatMap(Schema.decodeEffect(Said)(text), ({ name, text }) => Effect.log(name, text))
  )
})

const layer = Layer.effect(Chat, Effect.succeed({ said: Stream.empty }))

Effect.runFork(Effect.provide(Effect.scoped(program), layer))
