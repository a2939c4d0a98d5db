/** What must not compile, and what the compiler says. */
// The compiler says so too, and its Effect plugin once more.
// @effect-diagnostics missingEffectContext:off missingLayerContext:off floatingEffect:off missingReturnYieldStar:off
import { expectTypeOf, it } from "@effect/vitest"
import {
  type Ask,
  Codec,
  type Connection,
  LengthPrefixed,
  Lines,
  MemoryTransport,
  type Protocol,
  Requests,
  Subprotocol,
  type Transport
} from "@wirestack/protocol"
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import type { ListenError } from "@wirestack/protocol/ListenError"
import { type Context, Effect, Layer, Schema, type Scope } from "effect"
import { Chats, ChatV1, ChatV2, type Heard, type Joined, type Said } from "./support/chat.ts"
import * as Choosing from "./support/Choosing.ts"

type Said = typeof Said.Type
type Heard = typeof Heard.Type
type At<S, Can> = Transport.At<S, Can>

/** The type only: nothing here runs. */
const typeOnly = (_: () => void) => {}

const codec = Codec.json()
const messages = MemoryTransport.layerMessages()
const bytes = MemoryTransport.layer()
declare const clientOnly: Layer.Layer<Transport.MessageTransport<Transport.Connect>>
declare const serverOnly: Layer.Layer<Transport.MessageTransport<Transport.Listen>>

it("a stack knows its shape and what it can do", () => {
  expectTypeOf(LengthPrefixed.over()(bytes)).toEqualTypeOf<
    Layer.Layer<At<"messages", Transport.Connect | Transport.Listen>>
  >()
  const whole = MemoryTransport.layer().pipe(Lines.over(), ChatV1.over(codec))
  expectTypeOf(whole).toEqualTypeOf<Layer.Layer<At<ChatV1, Transport.Connect | Transport.Listen>>>()
  typeOnly(() =>
    expectTypeOf(ChatV1.over(codec)(clientOnly)).toEqualTypeOf<Layer.Layer<At<ChatV1, Transport.Connect>>>()
  )
})

it("a stack on the wrong shape does not compile", () => {
  typeOnly(() => {
    // Type '"bytes"' is not assignable to type '"messages"'.
    // @ts-expect-error
    ChatV1.over(codec)(bytes)
    // @ts-expect-error
    bytes.pipe(ChatV1.over(codec))
    // @ts-expect-error
    Chats.over(codec)(bytes)
    // Type '"messages"' is not assignable to type '"bytes"'.
    // @ts-expect-error
    LengthPrefixed.over()(messages)
    // @ts-expect-error
    messages.pipe(Lines.over())
    // A typed protocol is the top of its stack: Type 'ChatV1' is not assignable to type '"messages"'.
    // @ts-expect-error
    messages.pipe(ChatV1.over(codec), ChatV2.over(codec))
  })
})

it("a protocol that needs a detail names it if the stack lacks it", () => {
  const needing: Protocol.Over<"messages", Ask.Negotiated, "messages", never> = Choosing.over() as any
  typeOnly(() => {
    // Property '"the stack below lacks"' is missing in type 'Layer<...>' but required in type
    // '{ readonly "the stack below lacks": Negotiated; }'.
    // @ts-expect-error
    needing(messages)
  })
})

it("the client sends what `client` says, the server what `server` says", () => {
  typeOnly(() =>
    Effect.gen(function*() {
      const connection = yield* ChatV1.connect("memory:chat")
      expectTypeOf(connection.protocol).toEqualTypeOf<"chat.v1">()
      expectTypeOf(connection.pull).toExtend<Effect.Effect<Connection.Batch<Heard>, unknown>>()
      expectTypeOf<Parameters<typeof connection.send>>().toEqualTypeOf<[Said]>()
      yield* connection.send({ _tag: "Said", text: "" })
      // Type '"Heard"' is not assignable to type '"Said"'.
      // @ts-expect-error
      yield* connection.send({ _tag: "Heard", text: "", count: 1 })
      const listener = yield* ChatV1.listen("memory:chat")
      yield* listener.run((connection) => {
        expectTypeOf(connection.protocol).toEqualTypeOf<"chat.v1">()
        expectTypeOf<Parameters<typeof connection.send>>().toEqualTypeOf<[Heard]>()
        // Type '"Said"' is not assignable to type '"Heard"'.
        // @ts-expect-error
        return connection.send({ _tag: "Said", text: "" })
      })
    })
  )
})

it("connecting and listening need their roles, and details what they name", () => {
  expectTypeOf(ChatV1.connect("memory:chat")).toEqualTypeOf<
    Effect.Effect<
      Subprotocol.Speaking<"chat.v1", Heard, Said>,
      ConnectError,
      Scope.Scope | At<ChatV1, Transport.Connect>
    >
  >()
  const serve = ChatV1.serve()("memory:chat", () => Effect.void)
  expectTypeOf(serve).toEqualTypeOf<Layer.Layer<never, ListenError, At<ChatV1, Transport.Listen>>>()
  typeOnly(() => {
    const runs = <A, E>(_: Effect.Effect<A, E>) => {}
    const provided = <E>(_: Layer.Layer<never, E>) => {}
    const stack = ChatV1.over(codec)(clientOnly)
    runs(Effect.scoped(ChatV1.connect("memory:chat")).pipe(Effect.provide(stack)))
    // Type 'At<ChatV1, Listen>' is not assignable to type 'never'.
    // @ts-expect-error
    runs(Effect.scoped(ChatV1.listen("memory:chat")).pipe(Effect.provide(stack)))
    // @ts-expect-error
    provided(serve.pipe(Layer.provide(stack)))
    provided(serve.pipe(Layer.provide(ChatV1.over(codec)(serverOnly))))
    // Type 'At<ChatV1, Connect>' is not assignable to type 'never'.
    // @ts-expect-error
    runs(Effect.scoped(ChatV1.connect("memory:chat")).pipe(Effect.provide(ChatV1.over(codec)(serverOnly))))
    // Type 'At<ChatV1, Connect | Negotiated>' is not assignable to type 'never'.
    // @ts-expect-error
    runs(Effect.scoped(ChatV1.connect<Ask.Negotiated>("memory:chat")).pipe(Effect.provide(stack)))
    const negotiating = messages.pipe(Choosing.over(), ChatV1.over(codec))
    runs(
      Effect.scoped(ChatV1.connect<Ask.Negotiated>("memory:chat")).pipe(
        Effect.map((connection) => expectTypeOf(connection.details).toEqualTypeOf<Context.Context<Ask.Negotiated>>()),
        Effect.provide(negotiating)
      )
    )
    // One protocol is not another: Type 'At<ChatV2, Connect>' is not assignable to type 'never'.
    // @ts-expect-error
    runs(Effect.scoped(ChatV2.connect("memory:chat")).pipe(Effect.provide(stack)))
  })
})

it("a family's client gets one of its versions", () => {
  typeOnly(() =>
    Effect.gen(function*() {
      const connection = yield* Chats.connect("memory:chats")
      expectTypeOf(connection.protocol).toEqualTypeOf<"chat.v1" | "chat.v2">()
      if (connection.protocol === "chat.v2") {
        expectTypeOf<Parameters<typeof connection.send>>().toEqualTypeOf<[Said | Joined]>()
      } else {
        expectTypeOf<Parameters<typeof connection.send>>().toEqualTypeOf<[Said]>()
        // Property 'text' is missing in type 'Joined' but required in type '{ readonly _tag: "Said"; readonly text: string; }'.
        // @ts-expect-error
        yield* connection.send(yield* Effect.die("a Joined") as Effect.Effect<Joined>)
      }
      // What every version admits can be sent without asking.
      yield* connection.send({ _tag: "Said", text: "" })
    })
  )
})

it("a family's server has a handler for every version", () => {
  interface Needed {
    readonly needed: unique symbol
  }
  typeOnly(() => {
    const need = Effect.void as Effect.Effect<void, never, Needed>
    const serve = Chats.serve()("memory:chats", {
      "chat.v2": (connection) => {
        expectTypeOf(connection.protocol).toEqualTypeOf<"chat.v2">()
        expectTypeOf<Parameters<typeof connection.send>>().toEqualTypeOf<[Heard | Joined]>()
        return need
      },
      "chat.v1": (connection) => connection.send({ _tag: "Heard", text: "", count: 1 })
    })
    expectTypeOf(serve).toEqualTypeOf<Layer.Layer<never, ListenError, At<Chats, Transport.Listen> | Needed>>()
    // Property '"chat.v1"' is missing in type '{ "chat.v2": () => Effect<void>; }'.
    // @ts-expect-error
    Chats.serve()("memory:chats", { "chat.v2": () => Effect.void })
    Effect.flatMap(
      Chats.listen("memory:chats"),
      // @ts-expect-error
      (listener) => listener.run({ "chat.v1": () => Effect.void })
    )
  })
})

it("a family's key is the name of its version", () => {
  typeOnly(() => {
    // Property '"the key must be"' is missing in type 'typeof ChatV1' but required in type
    // '{ readonly "the key must be": "chat.v1"; }'.
    // @ts-expect-error
    Subprotocol.Family<unknown>()({ "chat.v3": ChatV1 })
  })
})

it("a Schema that needs services is no message", () => {
  const needy = Schema.String as unknown as Schema.Codec<string, string, { readonly service: 1 }>
  typeOnly(() => {
    // Type '{ readonly service: 1; }' is not assignable to type 'never'.
    // @ts-expect-error
    Subprotocol.Service<unknown>()("needy", { client: needy, server: Schema.String })
  })
})

it("calls are made on a line of their protocol, which messages carry", () => {
  class Files extends Requests.Service<Files>()("files.v1", {
    client: { read: Requests.call({ payload: Schema.String }), ping: Requests.call() }
  }) {}
  class Mails extends Requests.Service<Mails>()("mails.v1", { client: { ping: Requests.call() } }) {}
  class Either extends Subprotocol.Family<Either>()({ "files.v1": Files, "mails.v1": Mails }) {}
  typeOnly(() => {
    const on = (line: Subprotocol.AnyClientConnection<typeof Either.versions>, unknown: Requests.Line) => [
      line.protocol === "files.v1" ? Requests.asClient(Files)(line, {}) : Requests.asClient(Mails)(line, {}),
      Requests.asClient(Files)(unknown, {}),
      // Property '"the line must speak"' is missing.
      // @ts-expect-error
      line.protocol === "files.v1" ? Requests.asClient(Mails)(line, {}) : undefined
    ]
    // Type '"records"' is not assignable to type '"messages"'.
    // @ts-expect-error
    return [on, Files.over(Codec.records({ Request: 1, Interrupt: 2, Success: 3, Failure: 4, Rejected: 5 }, codec))]
  })
})
