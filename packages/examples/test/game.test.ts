/** The game between two peers of ours, over TCP and TLS, and as bytes. */
import { assert, describe, it } from "@effect/vitest"
import { type Connection, MemoryTransport, Transport } from "@wirestack/protocol"
import { detail } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { take } from "@wirestack/test-support"
import { TlsInfo } from "@wirestack/transport-tls"
import { Effect, Fiber, Layer, Queue, type Scope } from "effect"
import {
  type Board,
  empty,
  free,
  Game,
  type Message,
  onBytes,
  play,
  type Player,
  show,
  stack,
  winner
} from "../src/game.ts"
import { example } from "./support/processes.ts"

type Peer = Connection.Connection<Message, Message>

/** Two peers who have met. */
const met = <D = never>(endpoint: string) =>
  Effect.gen(function*() {
    const accepted = yield* Queue.unbounded<Connection.Connection<Message, Message, D>>()
    const listener = yield* Game.listen<D>(endpoint)
    yield* Effect.forkScoped(
      listener.run((peer) => Effect.andThen(Queue.offer(accepted, peer), Effect.asVoid(peer.closed)))
    )
    const guest = yield* Game.connect<D>(listener.address, { closeWithin: "300 millis" })
    return { guest, host: yield* Queue.take(accepted) }
  })

/** Takes squares in this order, as far as they are free. */
const choosing = (...squares: ReadonlyArray<number>) => {
  const rest = [...squares]
  return (_: Board): Effect.Effect<number> => Effect.sync(() => rest.shift()!)
}

const plays = (connection: Peer, me: Player, ...squares: ReadonlyArray<number>) =>
  play(connection, me, me === "host" ? "🐵" : "🐱", choosing(...squares))

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) => it.live(name, () => Effect.scoped(test))

const overTls = <A, E>(test: Effect.Effect<A, E, Layer.Success<ReturnType<typeof stack>> | Scope.Scope>) =>
  Effect.provide(test, stack("1234"))

describe("the game", () => {
  live(
    "is won, lost, or neither, and both know it",
    overTls(Effect.gen(function*() {
      const { guest, host } = yield* met<TlsInfo>("tls://127.0.0.1:0")
      for (const peer of [guest, host]) assert.strictEqual(detail(peer, TlsInfo).pskIdentity, "tic-tac-toe")
      const both = (hosts: ReadonlyArray<number>, guests: ReadonlyArray<number>) =>
        Effect.all([plays(host, "host", ...hosts), plays(guest, "guest", ...guests)], { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* both([0, 1, 2], [3, 4]), ["host", "host"])
      assert.deepStrictEqual(yield* both([0, 1, 8], [4, 2, 6]), ["guest", "guest"])
      assert.deepStrictEqual(yield* both([0, 2, 3, 7, 8], [1, 4, 5, 6]), [undefined, undefined])
    }))
  )

  live(
    "is not for who has another passcode",
    overTls(Effect.gen(function*() {
      const listener = yield* Game.listen("tls://127.0.0.1:0")
      yield* Effect.forkScoped(listener.run(() => Effect.void, { onIncident: () => Effect.void }))
      const error = yield* Effect.flip(
        Effect.provide(Effect.scoped(Game.connect(listener.address)), stack("4321"))
      )
      assert(error._tag === "ConnectError")
      assert.deepInclude({ layer: error.layer, tag: error.reason._tag }, { layer: "tls", tag: "AlertReceived" })
    }))
  )

  live(
    "ends with a foul where somebody does not keep the rules, or goes",
    overTls(Effect.gen(function*() {
      const foul = (guestDoes: (guest: Peer) => Effect.Effect<unknown, unknown>) =>
        Effect.scoped(Effect.gen(function*() {
          const { guest, host } = yield* met("tls://127.0.0.1:0")
          const playing = yield* Effect.forkChild(Effect.flip(plays(host, "host", 4, 0)))
          yield* guestDoes(guest)
          return String(yield* Fiber.join(playing))
        }))
      const start = { _tag: "Start", character: "x" } as const
      const move = { _tag: "Move", row: 1, column: 1 } as const
      assert.include(yield* foul((guest) => guest.send(move)), "it is no time for Move")
      assert.include(yield* foul((guest) => guest.sendAll([start, start])), "it is no time for Start")
      assert.include(yield* foul((guest) => guest.sendAll([start, move])), "the square is not free")
      assert.match(yield* foul((guest) => Effect.andThen(guest.send(start), guest.abort)), /has left|was cut/)
    }))
  )

  live(
    "is records of a type and a length, in 32 bits each, the least significant byte first",
    Effect.gen(function*() {
      const network = yield* Layer.build(MemoryTransport.layer())
      const below = Layer.succeedContext(network)
      const peers = yield* Effect.provide(
        Effect.gen(function*() {
          const accepted = yield* Queue.unbounded<Peer>()
          const listener = yield* Game.listen("memory:game")
          yield* Effect.forkScoped(
            listener.run((peer) => Effect.andThen(Queue.offer(accepted, peer), Effect.asVoid(peer.closed)))
          )
          const bytes = yield* Effect.provide(Transport.connect(Transport.Bytes)("memory:game"), below)
          yield* Effect.addFinalizer(() => bytes.abort)
          return { bytes, game: yield* Queue.take(accepted) }
        }),
        below.pipe(onBytes())
      )
      const { bytes, game } = peers
      yield* game.send({ _tag: "Start", character: "é" })
      const record = yield* take(bytes, 8 + 17)
      assert.deepStrictEqual([...record.subarray(0, 8)], [1, 0, 0, 0, record.length - 8, 0, 0, 0])
      yield* bytes.sendAll([record.subarray(0, 3), record.subarray(3)])
      assert.deepStrictEqual([...yield* game.pull], [{ _tag: "Start", character: "é" }])
      const large = yield* Effect.flip(game.send({ _tag: "Start", character: "x".repeat(17) }))
      assert.strictEqual(large.reason._tag, "Unencodable")
      yield* bytes.send(Uint8Array.of(2, 0, 0, 0, 1, 4, 0, 0))
      const error = (yield* Effect.flip(game.pull)) as ConnectionError
      assert.deepInclude(error.reason, { _tag: "TooLarge", size: 1_025, limit: 1_024 })
    })
  )

  live(
    "is played by the programs",
    Effect.gen(function*() {
      const host = yield* example("run.ts", ["game", "1234", "--auto"])
      const [, url] = yield* host.says(/^waiting at (\S+)$/m)
      const guest = yield* example("run.ts", ["game", "1234", "--auto", "--join", url])
      assert.strictEqual(yield* guest.exit, 0)
      assert.strictEqual(yield* host.exit, 0)
      const result = (text: string) => /^(you|nobody) ha.*$/m.exec(text)?.[0]
      const results = [result(host.stdout()), result(guest.stdout())].toSorted().join(", ")
      assert.include(["you have lost, you have won", "nobody has won, nobody has won"], results)
    })
  )
})

describe("the board", () => {
  it("knows who has a line", () => {
    const after = (squares: ReadonlyArray<number>) =>
      squares.reduce<Board>((board, square) => board.with(square, "guest"), empty)
    const lines = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]]
    for (const line of lines) assert.strictEqual(winner(after(line)), "guest")
    for (const none of [[], [0, 1], [0, 1, 3], [2, 3, 7]]) assert.isUndefined(winner(after(none)))
    assert.strictEqual(free(after([0, 4])).length, 7)
    assert.strictEqual(show(after([0, 4]), { host: "X", guest: "O" }), "O . .\n. O .\n. . .\n")
  })
})
