import { assert, describe, it } from "@effect/vitest"
import { Codec, MemoryTransport, Migration, Requests, Subprotocol, Topic, Transport } from "@wirestack/protocol"
import { Undecodable, type Unencodable, type Unmigratable } from "@wirestack/protocol/ConnectionError"
import { Effect, Exit, Layer, Schema } from "effect"
import * as Choosing from "../support/Choosing.ts"
import { failureOf } from "../support/failure.ts"

class V1 extends Subprotocol.Service<V1>()("notes.v1", { client: Schema.String, server: Schema.String }) {}

const Said = Schema.TaggedStruct("Said", { text: Schema.String })
const Loud = Schema.TaggedStruct("Loud", { volume: Schema.Int })
class V2 extends Subprotocol.Service<V2>()("notes.v2", {
  client: Schema.Union([Said, Loud]),
  server: Schema.Union([Said, Loud])
}) {}

const SaidBy = Schema.TaggedStruct("SaidBy", { who: Schema.String, text: Schema.String })
class V3 extends Subprotocol.Service<V3>()("notes.v3", {
  client: Schema.Union([SaidBy, Loud]),
  server: Schema.Union([SaidBy, Loud])
}) {}

const said = (text: string) => ({ _tag: "Said", text }) as const
const saidBy = (who: string, text: string) => ({ _tag: "SaidBy", who, text }) as const
const loud = (volume: number) => ({ _tag: "Loud", volume }) as const

const textsOnly = {
  up: (text: string) => {
    if (text === "throw") throw new Error("no")
    return text === "gone" ? undefined : said(text)
  },
  down: (message: typeof V2.client.Type) => {
    if (message._tag === "Loud") return undefined
    if (message.text === "throw") throw new Error("no")
    return message.text
  }
}
const named = (who: string) => ({
  up: (message: typeof V2.client.Type) => message._tag === "Said" ? saidBy(who, message.text) : message,
  down: (message: typeof V3.client.Type) => message._tag === "SaidBy" ? said(message.text) : message
})

class Notes extends Migration.Service<Notes>()(
  Migration.from(V1)
    .to(V2, { client: textsOnly, server: textsOnly })
    .to(V3, { client: named("a client"), server: named("the server") })
) {}

const stack = (options?: Migration.OverOptions) => {
  const messages = Choosing.over()(MemoryTransport.layerMessages())
  const codec = Codec.json()
  return Layer.mergeAll(
    Notes.over(codec, options)(messages),
    V1.over(codec)(messages),
    V2.over(codec)(messages),
    V3.over(codec)(messages)
  )
}

/** A server of the newest version, which answers everything with itself, and says first what was negotiated. */
const serving = Effect.gen(function*() {
  const listener = yield* Notes.listen("memory:notes")
  yield* Effect.forkScoped(listener.run((connection) =>
    Effect.andThen(
      connection.send(saidBy("the server", connection.protocol)),
      Effect.forever(Effect.flatMap(connection.pull, connection.sendAll))
    ), { onIncident: () => Effect.void }))
})

describe("a server of the newest version", () => {
  it.effect("meets clients of every version", () =>
    Effect.gen(function*() {
      yield* serving
      const v1 = yield* V1.connect("memory:notes")
      assert.deepStrictEqual(yield* v1.pull, ["notes.v1"])
      yield* v1.send("hello")
      assert.deepStrictEqual(yield* v1.pull, ["hello"])
      const v2 = yield* V2.connect("memory:notes")
      assert.deepStrictEqual(yield* v2.pull, [said("notes.v2")])
      yield* v2.send(loud(3))
      assert.deepStrictEqual(yield* v2.pull, [loud(3)])
      const v3 = yield* V3.connect("memory:notes")
      assert.deepStrictEqual(yield* v3.pull, [saidBy("the server", "notes.v3")])
      yield* v3.send(saidBy("me", "hi"))
      assert.deepStrictEqual(yield* v3.pull, [saidBy("me", "hi")])
    }).pipe(Effect.provide(stack())))

  it.effect("receives what older clients send in the newest form", () =>
    Effect.gen(function*() {
      const listener = yield* Notes.listen("memory:notes")
      yield* Effect.forkScoped(listener.run((connection) =>
        Effect.flatMap(
          connection.pull,
          ([message]) => connection.send(saidBy("", message._tag === "SaidBy" ? message.who : message._tag))
        )
      ))
      const client = yield* V1.connect("memory:notes")
      yield* client.send("x")
      assert.deepStrictEqual(yield* client.pull, ["a client"])
    }).pipe(Effect.provide(stack())))

  it.effect("prefers the newest with a client that migrates too", () =>
    Effect.gen(function*() {
      yield* serving
      const client = yield* Notes.connect("memory:notes")
      assert.strictEqual(client.protocol, "notes.v3")
    }).pipe(Effect.provide(stack())))
})

describe("a client of the newest version", () => {
  const oldest = Effect.gen(function*() {
    const listener = yield* V1.listen("memory:notes")
    const received: Array<string> = []
    yield* Effect.forkScoped(listener.run((connection) =>
      Effect.forever(Effect.flatMap(connection.pull, (batch) => {
        received.push(...batch)
        return connection.sendAll(batch)
      }))
    ))
    return { client: yield* Notes.connect("memory:notes"), received }
  })

  it.effect("meets a server of the oldest", () =>
    Effect.gen(function*() {
      const { client, received } = yield* oldest
      assert.strictEqual(client.protocol, "notes.v1")
      yield* client.sendAll([saidBy("me", "a"), saidBy("me", "b")])
      assert.deepStrictEqual(yield* client.pull, [saidBy("the server", "a"), saidBy("the server", "b")])
      assert.deepStrictEqual(received, ["a", "b"])
    }).pipe(Effect.provide(stack())))

  it.effect("is refused what has no older form, and goes on", () =>
    Effect.gen(function*() {
      const { client } = yield* oldest
      const failure = failureOf(yield* Effect.exit(client.send(loud(1))))
      assert.deepInclude(failure, { layer: "notes.v1", tag: "Unmigratable" })
      assert.deepInclude(failure?.reason, { from: "notes.v3", to: "notes.v1", value: loud(1) })
      assert.strictEqual(
        (failure?.reason as Unmigratable | undefined)?.message,
        "a message Loud of notes.v3 has no form in notes.v1"
      )
      yield* client.send(saidBy("me", "a"))
      assert.deepStrictEqual(yield* client.pull, [saidBy("the server", "a")])
    }).pipe(Effect.provide(stack())))

  it.effect("fails with what has no newer form, after what came before", () =>
    Effect.gen(function*() {
      const { client } = yield* oldest
      yield* client.sendAll([saidBy("me", "a"), saidBy("me", "gone"), saidBy("me", "b")])
      assert.deepStrictEqual(yield* client.pull, [saidBy("the server", "a")])
      assert.deepInclude(failureOf(yield* Effect.exit(client.pull)), { layer: "notes.v1", tag: "Unmigratable" })
    }).pipe(Effect.provide(stack())))

  it.effect("drops what has no other form if the policy says so, which is told", () => {
    const dropped: Array<string> = []
    const onMissing = (missing: Unmigratable) => {
      dropped.push(missing.message)
      return "drop" as const
    }
    return Effect.gen(function*() {
      const { client, received } = yield* oldest
      yield* client.sendAll([loud(1), saidBy("me", "gone"), saidBy("me", "b")])
      assert.deepStrictEqual(yield* client.pull, [saidBy("the server", "b")])
      assert.deepStrictEqual(received, ["gone", "b"])
      yield* client.abort
      assert.strictEqual((yield* client.closed).skipped, 1)
      assert.deepStrictEqual(dropped, [
        "a message Loud of notes.v3 has no form in notes.v1",
        "a message of notes.v1 has no form in notes.v3"
      ])
    }).pipe(Effect.provide(stack({ onMissing })))
  })

  it.effect("takes a migration that throws for a refusal", () =>
    Effect.gen(function*() {
      const { client } = yield* oldest
      const sent = failureOf(yield* Effect.exit(client.send(saidBy("me", "throw"))))
      assert.deepInclude(sent, { layer: "notes.v1", tag: "Unencodable" })
      const reason = sent?.reason as Unencodable | undefined
      assert.include(reason?.detail, "its migration from notes.v3 to notes.v1 threw")
    }).pipe(Effect.provide(stack())))

  it.effect("takes a migration of what came that throws for a refusal", () =>
    Effect.gen(function*() {
      const listener = yield* V1.listen("memory:notes")
      yield* Effect.forkScoped(listener.run((connection) => connection.sendAll(["a", "throw"])))
      const client = yield* Notes.connect("memory:notes")
      assert.deepStrictEqual(yield* client.pull, [saidBy("the server", "a")])
      assert.deepInclude(failureOf(yield* Effect.exit(client.pull)), { layer: "notes.v1", tag: "Undecodable" })
    }).pipe(Effect.provide(stack())))
})

describe("messages that can't be decoded", () => {
  /** A client that migrates meets a bare server, which says something else than the oldest version; whether either version hands that out. */
  const undecodable = (older: boolean, newer: boolean) => {
    const handedOut = (is: boolean) => is ? Codec.orUndecodable(Schema.String) : Schema.String
    class Old extends Subprotocol.Service<Old>()("old", { client: Schema.String, server: handedOut(older) }) {}
    class New extends Subprotocol.Service<New>()("new", { client: Schema.String, server: handedOut(newer) }) {}
    const same = { up: (text: string) => text, down: (text: string) => text }
    class All extends Migration.Service<All>()(Migration.from(Old).to(New, { client: same, server: same })) {}
    const messages = MemoryTransport.layerMessages()
    return Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("memory:notes")
      yield* Effect.forkScoped(
        listener.run((connection) => Effect.andThen(connection.pull, connection.sendAll(["old", "1", `"a"`])))
      )
      return yield* Effect.exit((yield* All.connect("memory:notes")).pull)
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(messages, messages.pipe(Choosing.over(), All.over(Codec.json()))))
    )
  }

  it.effect("are handed out if the newest version has it so", () =>
    Effect.gen(function*() {
      for (const older of [true, false]) {
        const exit = yield* undecodable(older, true)
        assert(Exit.isSuccess(exit))
        assert.instanceOf(exit.value[0], Undecodable)
        assert.strictEqual(exit.value[1] as unknown, "a")
      }
    }))

  it.effect("fail the connection otherwise", () =>
    Effect.gen(function*() {
      for (const older of [true, false]) {
        assert.deepInclude(failureOf(yield* undecodable(older, false)), { layer: "old", tag: "Undecodable" })
      }
    }))
})

it("two versions with one name are a mistake of who defines them", () => {
  const same = { up: (text: string) => text, down: (text: string) => text }
  const twice = Migration.from(V1).to(V1, { client: same, server: same })
  assert.throws(() => Migration.Service<never>()(twice), "two versions have the name \"notes.v1\"")
})

describe("calls", () => {
  class Old extends Requests.Service<Old>()("sums.v1", {
    client: { sum: Requests.call({ payload: Schema.Int, success: Schema.Int }) }
  }) {}
  class New extends Requests.Service<New>()("sums.v2", {
    client: { add: Requests.call({ payload: Schema.Tuple([Schema.Int, Schema.Int]), success: Schema.Int }) }
  }) {}
  const renamed = (call: string, payload?: (payload: unknown) => unknown) => (message: Requests.Envelope) =>
    "call" in message
      ? {
        ...message,
        call,
        ...("payload" in message && payload !== undefined ? { payload: payload(message.payload) } : undefined)
      }
      : message
  class Sums extends Migration.Service<Sums>()(
    Migration.from(Old).to(New, {
      client: { up: renamed("add", (n) => [n, n]), down: () => undefined },
      server: { up: renamed("add"), down: renamed("sum") }
    })
  ) {}

  it.effect("of an older version are handled as those of the newest", () => {
    const network = MemoryTransport.layerMessages().pipe(Choosing.over())
    return Effect.gen(function*() {
      const listener = yield* Sums.listen("memory:sums")
      yield* Effect.forkScoped(listener.run((line) =>
        Effect.flatMap(
          Requests.asServer(New)(line, { add: ([a, b]) => Effect.succeed(a + b) }),
          ({ closed }) => Effect.asVoid(closed)
        )
      ))
      const sums = yield* Old.connect()("memory:sums", {})
      assert.strictEqual(yield* sums.call.sum(4), 8)
      yield* sums.abort
    }).pipe(Effect.provide([Sums.over(Codec.json())(network), Old.over(Codec.json())(network)]))
  })
})

it.effect("what is published is migrated once for all of a version, and counted where it waits", () =>
  Effect.gen(function*() {
    let migrated = 0
    const counting = {
      up: said,
      down: (message: typeof V2.server.Type) => {
        migrated++
        return message._tag === "Said" ? message.text : undefined
      }
    }
    class Published extends Migration.Service<Published>()(
      Migration.from(V1).to(V2, { client: textsOnly, server: counting })
    ) {}
    const messages = Choosing.over()(MemoryTransport.layerMessages())
    const topic = Topic.make<typeof V2.server.Type>()
    yield* Effect.gen(function*() {
      const listener = yield* Published.listen("memory:published")
      yield* Effect.forkScoped(listener.run((connection) => Effect.andThen(topic.join(connection), connection.closed)))
      for (let at = 0; at < 2; at++) {
        const client = yield* V1.connect("memory:published")
        yield* Effect.addFinalizer(() => client.abort)
      }
      while (topic.size < 2) yield* Effect.yieldNow
      for (let at = 0; at < 4; at++) yield* topic.publish(said("x".repeat(100_000)))
      assert.strictEqual(migrated, 4)
      const { bytes, messages } = topic.counts
      assert.isAbove(messages, 0)
      assert.strictEqual(bytes, messages * 100_000)
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.mergeAll(Published.over(Codec.json())(messages), V1.over(Codec.json())(messages)))
    )
    assert.strictEqual(topic.budget.used, 0)
  }))
