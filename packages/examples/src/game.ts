/**
 * Tic-tac-toe between two programs, as in Apple's sample of a custom protocol: a passcode is the key of TLS, and messages are records of a
 * type, a length and a value, in little endian. Both say Start, and then Move in turn, the host first.
 *
 *     npm run example -- game 1234                                           hosts a game, and says where
 *     npm run example -- game 1234 --join tls://localhost:PORT --auto        plays it from another terminal, by chance
 */
import { Codec, type Connection, Endpoint, Subprotocol, Tlv, type Transport } from "@wirestack/protocol"
import { Tcp } from "@wirestack/transport-tcp"
import { Tls } from "@wirestack/transport-tls"
import { Cause, Console, Data, Deferred, Effect, type Layer, Random, Redacted, Schema, Terminal } from "effect"
import { createHmac } from "node:crypto"
import { parseArgs } from "node:util"
import { options } from "./runProgram.ts"

const Coordinate = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))

/** A game begins, and whom the sender plays; or the sender takes a square. */
export const Message = Schema.Union([
  Schema.TaggedStruct("Start", { character: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(16)) }),
  Schema.TaggedStruct("Move", { row: Coordinate, column: Coordinate })
])
export type Message = typeof Message.Type
type Peer = Connection.Connection<Message, Message>

export class Game extends Subprotocol.Service<Game>()("tic-tac-toe", { client: Message, server: Message }) {}

/** The game on a stack of bytes. */
export const onBytes = () => <Can, E, R>(bytes: Layer.Layer<Transport.ByteTransport<Can>, E, R>) =>
  bytes.pipe(
    Tlv.over({ endian: "little", maxValueSize: 1_024 }),
    Game.over(Codec.records({ Start: 1, Move: 2 }, Codec.json()))
  )

/** The stack of both peers. The key is as good as the passcode, so a short one is for a room in which one sees who plays. */
export const stack = (passcode: string) => {
  const identity = Game.protocol
  const key = Redacted.make<Uint8Array>(createHmac("sha256", passcode).update(identity).digest())
  return Tcp.layer({ noDelay: true }).pipe(
    Tls.over({
      client: { psk: { identity, key }, resumption: false },
      server: { identity: "none", psk: { keyOf: (name) => name === identity ? key : undefined }, tickets: false }
    }),
    onBytes()
  )
}

export type Player = "host" | "guest"

/** Nine squares, row by row, each free or somebody's. */
export type Board = ReadonlyArray<Player | undefined>
export const empty: Board = Array.from({ length: 9 }, () => undefined)
const lines = ["012", "345", "678", "036", "147", "258", "048", "246"]

/** The squares nobody has. */
export const free = (board: Board) => Array.from(board.keys()).filter((square) => board[square] === undefined)

/** Who has a line, if anybody has. */
export const winner = (board: Board) =>
  (["host", "guest"] as const).find((player) =>
    lines.some((line) => [...line].every((square) => board[Number(square)] === player))
  )

/** The board as lines of text. */
export const show = (board: Board, characters: Readonly<Record<Player, string>>): string =>
  board.map((player, square) => `${player ? characters[player] : "."}${square % 3 < 2 ? " " : "\n"}`).join("")

/** The other one does not keep the rules, or has gone. */
export class Foul extends Data.TaggedError("Foul")<{ readonly message: string }> {}

/** The next message, one at a time: nobody says two things in a row but at the beginning. */
const messagesOf = (connection: Peer) => {
  let received: ReadonlyArray<Message> = []
  return <Tag extends Message["_tag"]>(tag: Tag) =>
    Effect.gen(function*() {
      if (received.length === 0) received = yield* connection.pull
      const [message, ...rest] = received
      received = rest
      if (message._tag !== tag) return yield* new Foul({ message: `it is no time for ${message._tag}` })
      return message as Extract<Message, { _tag: Tag }>
    }).pipe(Effect.catchIf(Cause.isDone, () => new Foul({ message: "the other one has left the game" })))
}

/** Plays to the end, choosing free squares; tells who has won, if anybody has. */
export const play = Effect.fnUntraced(function*<E, R>(
  connection: Peer,
  me: Player,
  character: string,
  choose: (board: Board) => Effect.Effect<number, E, R>,
  watch: (text: string) => Effect.Effect<void> = () => Effect.void
) {
  const next = messagesOf(connection)
  const other = me === "host" ? "guest" : "host"
  yield* connection.send({ _tag: "Start", character })
  const characters = { [me]: character, [other]: (yield* next("Start")).character } as Record<Player, string>
  let board = empty
  for (let turn: Player = "host"; winner(board) === undefined && free(board).length > 0;) {
    if (turn === me) {
      const square = yield* choose(board)
      yield* connection.send({ _tag: "Move", row: Math.floor(square / 3), column: square % 3 })
      board = board.with(square, me)
    } else {
      const { column, row } = yield* next("Move")
      if (board[3 * row + column] !== undefined) return yield* new Foul({ message: "the square is not free" })
      board = board.with(3 * row + column, other)
    }
    yield* watch(show(board, characters))
    turn = turn === "host" ? "guest" : "host"
  }
  return winner(board)
})

const typed = (board: Board): Effect.Effect<number, Terminal.QuitError, Terminal.Terminal> =>
  Effect.gen(function*() {
    const terminal = yield* Terminal.Terminal
    yield* Console.log("row and column, from 1 on?")
    const [, row, column] = /^\s*([1-3])\D*([1-3])\s*$/.exec(yield* terminal.readLine) ?? []
    const square = 3 * Number(row) + Number(column) - 4
    return free(board).includes(square) ? square : yield* typed(board)
  })

const byChance = (board: Board) =>
  Effect.map(Random.nextIntBetween(0, free(board).length - 1), (index) => free(board)[index])

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const { passcode, values: { auto, join } } = yield* options(() => {
    const more = { join: { type: "string" }, auto: { type: "boolean", default: false } } as const
    const { positionals: [passcode], values } = parseArgs({ args: [...args], allowPositionals: true, options: more })
    if (passcode === undefined) throw new Error("game takes a passcode")
    return { passcode, values }
  })
  const game = Effect.fnUntraced(function*(connection: Peer, me: Player) {
    const winner = yield* play(connection, me, me === "host" ? "X" : "O", auto ? byChance : typed, Console.log)
    yield* Console.log(winner === undefined ? "nobody has won" : winner === me ? "you have won" : "you have lost")
  })
  const host = Effect.gen(function*() {
    const listener = yield* Game.listen("tls://127.0.0.1:0", { maxConnections: 1 })
    yield* Console.log(`waiting at tls://localhost:${Endpoint.portOf(listener.address)}`)
    const over = yield* Deferred.make<void, unknown>()
    const serving = listener.run((connection) => Deferred.complete(over, game(connection, "host")))
    yield* Effect.raceFirst(serving, Deferred.await(over))
  })
  const guest = Effect.flatMap(Game.connect(join ?? ""), (connection) => game(connection, "guest"))
  const playing = Effect.gen(function*() {
    if (join === undefined) yield* host
    else yield* guest
  })
  yield* Effect.provide(Effect.scoped(playing), stack(passcode))
})
