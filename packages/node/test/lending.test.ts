/** Lent messages over real sockets: whatever others are slow to take, each gets what was sent. */
import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "@wirestack/node"
import { Connection, Transport } from "@wirestack/protocol"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Effect, Fiber, Layer, Stream } from "effect"

const { identity, trust } = await Effect.runPromise(DevelopmentCertificates.localhost)

type Peer = Connection.Connection<Transport.Message, Transport.Message>

const maxMessageSize = 4_194_304

/** Numbers that are the same each time. */
const numbers = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed
}

/** Bytes that say at their beginning which they are. */
const patterned = (n: number, size: number): Uint8Array => {
  const words = new Uint32Array((size >> 2) + 1)
  const next = numbers(n)
  for (let i = 0; i < words.length; i++) words[i] = next()
  words[0] = n
  return new Uint8Array(words.buffer, 0, size)
}

/** Whether a message is, to its last byte, the one that it says it is. */
const intact = (message: Transport.Message): boolean => {
  if (typeof message === "string" || message.length < 4) return false
  const n = message[0] | message[1] << 8 | message[2] << 16 | message[3] << 24
  return Buffer.compare(message, patterned(n, message.length)) === 0
}

const serving = (options: WebSocket.ServerOptions, handle: (peer: Peer) => Effect.Effect<void, unknown>) =>
  Effect.gen(function*() {
    const stack = yield* Layer.build(WebSocket.server({ payloads: "lent", maxMessageSize, ...options }))
    const scheme = options.tls === undefined ? "ws" : "wss"
    const listener = yield* Effect.provideContext(
      Transport.listen(Transport.Messages)(`${scheme}://localhost:0/`),
      stack
    )
    yield* Effect.forkScoped(listener.run(handle, { onIncident: () => Effect.void }))
    const { place } = listener.address
    return `${scheme}://localhost:${place._tag === "Tcp" ? place.port : 0}/`
  })

const connecting = (url: string, options: WebSocket.ClientOptions) =>
  WebSocket.connect(url, { payloads: "lent", maxMessageSize, ...options })

const byBatch = (peer: Peer) => Stream.run(Connection.messages(peer), Connection.sink(peer))
const byMessage = (peer: Peer) => Stream.runForEach(Connection.messages(peer), peer.send)

interface Stack {
  readonly server: WebSocket.ServerOptions
  readonly client: WebSocket.ClientOptions
}

const stacks: Record<string, Stack> = {
  "TCP": { server: {}, client: {} },
  "TLS": { server: { tls: { identity } }, client: { tls: { trust } } },
  "small frames": { server: { maxFrameSize: 50_000 }, client: { maxFrameSize: 33_000 } },
  "compression": { server: { compression: { level: 1 } }, client: { compression: { level: 1 } } }
}

const sizes = [4, 100, 70_000, 20_000, 1_048_576, 32_768, 300_001, 5, 16_384, 65_536, 2_500_000, 40_000, 1_000]

for (const [name, { client, server }] of Object.entries(stacks)) {
  describe(name, () => {
    for (const [how, echo] of [["batch by batch", byBatch], ["message by message", byMessage]] as const) {
      it.live(`echoes ${how} to who is slow`, () =>
        Effect.scoped(Effect.gen(function*() {
          const connection = yield* connecting(yield* serving(server, echo), client)
          const text = "grün ".repeat(30_000)
          yield* Effect.forkChild(
            Effect.forEach(
              sizes,
              (size, n) => Effect.andThen(connection.send(patterned(n, size)), connection.send(text)),
              { discard: true }
            )
          )
          const received: Array<number> = []
          for (let texts = 0; received.length + texts < 2 * sizes.length;) {
            const batch = yield* connection.pull
            yield* Effect.sleep(3)
            for (const message of batch) {
              if (message === text) texts++
              else {
                assert.isTrue(intact(message), `message ${received.length}`)
                received.push(message.length)
              }
            }
          }
          assert.deepStrictEqual(received, sizes)
        })))
    }

    it.live("forwards to many without waiting for them, one of which is cut", () =>
      Effect.scoped(Effect.gen(function*() {
        const members: Array<Peer> = []
        const url = yield* serving(server, (peer) =>
          Effect.suspend(() => {
            members.push(peer)
            return Stream.runForEach(Connection.messages(peer), (message) =>
              Effect.forEach(
                members,
                (member) =>
                  member === peer
                    ? Effect.void
                    : Effect.forkDetach(Effect.ignore(member.send(message)), { startImmediately: true }),
                { discard: true }
              ))
          }))
        const count = 25
        const sender = yield* connecting(url, client)
        const readers = yield* Effect.forEach([1, 2, 3, 4], () => connecting(url, client))
        while (members.length < 5) yield* Effect.sleep(1)
        const reading = yield* Effect.forEach(readers, (reader, n) =>
          Effect.forkChild(Effect.gen(function*() {
            let received = 0
            while (received < count) {
              yield* Effect.sleep(n * 3)
              for (const message of yield* reader.pull) {
                assert.isTrue(intact(message), `message ${received}`)
                received++
                if (n === 3 && received === 3) return yield* Effect.as(reader.abort, received)
              }
            }
            return received
          })))
        const next = numbers(1)
        for (let n = 0; n < count; n++) yield* sender.send(patterned(n, 20_000 + next() % 200_000))
        assert.deepStrictEqual(yield* Fiber.joinAll(reading), [count, count, count, 3])
      })))
  })
}
