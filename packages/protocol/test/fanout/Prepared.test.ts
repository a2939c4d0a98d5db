import { assert, describe, it } from "@effect/vitest"
import { Codec, Connection, Heartbeat, MemoryTransport, Prepared, Topic, Transport } from "@wirestack/protocol"
import { Effect, Schema } from "effect"
import { Valve } from "../support/Valve.ts"

describe("a message for many", () => {
  it("has each form made once, or has it fail once", () => {
    let made = 0
    const make = (text: string) => `${text} ${++made}`
    const [one, two] = [{}, {}]
    const message = new Prepared.Prepared("form")
    assert.strictEqual(message.form(one, make).message, "form 1")
    assert.strictEqual(message.form(one, make).message, "form 1")
    assert.strictEqual(message.form(two, make).message, "form 2")
    const fail = () => {
      made++
      throw new Error("no form")
    }
    const three = {}
    assert.throws(() => message.form(three, fail), "no form")
    assert.throws(() => message.form(three, fail), "no form")
    assert.strictEqual(made, 3)
  })

  it("weighs what is there of it, and has the size of what is sent", () => {
    const value = new Prepared.Prepared({ n: 1 })
    assert.deepStrictEqual([value.size, value.weight], [0, 0])
    const text = value.form({}, () => "12345")
    text.form({}, () => new Uint8Array(7))
    assert.deepStrictEqual([value.size, value.weight], [5, 12])
  })

  it("is given as it is to a wire that copies, and as a copy to any other", () => {
    class Copying extends Valve<Uint8Array> {
      readonly copies = true
    }
    const bytes = Uint8Array.of(1, 2)
    const [copying, keeping] = [new Copying(), new Valve<Uint8Array>()]
    Prepared.write(copying, new Prepared.Prepared(bytes))
    Prepared.write(keeping, new Prepared.Prepared(bytes))
    assert.strictEqual(copying.written[0], bytes)
    assert.deepStrictEqual(keeping.written[0], bytes)
    assert.notStrictEqual(keeping.written[0], bytes)
  })

  it("is copied whatever its bytes are and wherever they lie in it", () => {
    const keeping = new Valve<Uint8Array | { readonly type: number; readonly value: Uint8Array }>()
    for (const message of [Buffer.from("12"), { type: 1, value: Buffer.from("12") }]) {
      const prepared = new Prepared.Prepared(message)
      Prepared.write(keeping, prepared)
      Prepared.write(keeping, prepared)
    }
    const bytes = keeping.written.map((message) => message instanceof Uint8Array ? message : message.value)
    for (const one of bytes) one.fill(0, 0, 1)
    assert.deepStrictEqual(bytes, Array.from({ length: 4 }, () => Uint8Array.of(0, 50)))
    assert.strictEqual(new Set(bytes.map(({ buffer }) => buffer)).size, 4)
  })

  it.effect("goes through a codec and a heartbeat as what is sent to one does", () =>
    Effect.gen(function*() {
      let printed = 0
      const codec = Codec.make({
        format: "counting",
        parse: (message) => message,
        print: (value) => {
          printed++
          return value === "sign" ? Uint8Array.of(0xc1, 9) : value as string
        }
      })
      const machine = codec.machine(Schema.Never, Schema.String)
      const topic = Topic.make<string>()
      const listener = yield* Transport.listen(Transport.Messages)("memory:beating")
      yield* Effect.forkScoped(
        listener.run(
          (peer) =>
            Effect.gen(function*() {
              const typed = yield* Connection.fuse<Transport.Message, Transport.Message, never, never, string>(
                peer,
                machine(),
                { layer: "codec" }
              )
              yield* topic.join(typed)
              yield* Effect.ignore(typed.pull)
            }),
          { onIncident: () => Effect.void }
        )
      )
      const clients = yield* Effect.forEach([1, 2, 3], () => Transport.connect(Transport.Messages)("memory:beating"))
      while (topic.size < 3) yield* Effect.yieldNow
      // The heartbeat has to escape the second one.
      for (const message of ["plain", "sign"]) yield* topic.publish(message)
      for (const client of clients) {
        const received: Array<Transport.Message> = []
        while (received.length < 2) received.push(...yield* client.pull)
        assert.deepStrictEqual(received, ["plain", Uint8Array.of(0xc1, 9)])
      }
      assert.strictEqual(printed, 2)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layerMessages().pipe(Heartbeat.over()))))
})
