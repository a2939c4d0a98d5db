/**
 * Tic-tac-toe between two programs. The squares are typed, as row and column from 1 on, or chosen by chance.
 *
 *     npm run example -- game 1234                                      hosts a game, and says where
 *     npm run example -- game 1234 --join tls://localhost:PORT          plays it from another terminal
 *     npm run example -- game 1234 --join tls://localhost:PORT --auto
 */
import type { Connection } from "@wirestack/protocol/Connection"
import { portOf } from "@wirestack/protocol/Endpoint"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Terminal from "effect/Terminal"
import { parseArgs } from "node:util"
import { options } from "../runProgram.ts"
import { type Board, free, isFree, type Player, show, type Square } from "./Board.ts"
import { Game, type Message, stack } from "./Game.ts"
import { play } from "./play.ts"

const parse = (args: ReadonlyArray<string>) => {
  const { positionals: [passcode, ...more], values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      join: { type: "string" },
      character: { type: "string" },
      auto: { type: "boolean", default: false },
      port: { type: "string", default: "0" }
    }
  })
  if (passcode === undefined || more.length > 0) throw new Error("game takes a passcode")
  return { ...values, passcode }
}

type Asked = ReturnType<typeof parse>

const typed = (board: Board): Effect.Effect<Square, Terminal.QuitError, Terminal.Terminal> =>
  Effect.gen(function*() {
    const terminal = yield* Terminal.Terminal
    for (;;) {
      yield* Console.log("row and column?")
      const [, row, column] = /^\s*([1-3])\D*([1-3])\s*$/.exec(yield* terminal.readLine) ?? []
      const square = { row: Number(row) - 1, column: Number(column) - 1 }
      if (row !== undefined && isFree(board, square)) return square
    }
  })

const byChance = (board: Board) =>
  Effect.map(Random.nextIntBetween(0, free(board).length - 1), (index) => free(board)[index])

const game = Effect.fnUntraced(function*(connection: Connection<Message, Message>, me: Player, asked: Asked) {
  const winner = yield* play(connection, {
    me,
    character: asked.character ?? (me === "host" ? "X" : "O"),
    choose: asked.auto ? byChance : typed,
    watch: (board, characters) => Console.log(`${show(board, characters)}\n`)
  })
  yield* Console.log(winner === undefined ? "nobody has won" : winner === me ? "you have won" : "you have lost")
})

const host = Effect.fnUntraced(function*(asked: Asked) {
  const listener = yield* Game.listen(`tls://127.0.0.1:${asked.port}`, { maxConnections: 1 })
  yield* Console.log(`waiting at tls://localhost:${portOf(listener.address)}`)
  const over = yield* Deferred.make<void, unknown>()
  const serving = listener.run((connection) => Deferred.complete(over, game(connection, "host", asked)))
  yield* Effect.raceFirst(serving, Deferred.await(over))
}, Effect.scoped)

const join = Effect.fnUntraced(function*(url: string, asked: Asked) {
  yield* game(yield* Game.connect(url), "guest", asked)
}, Effect.scoped)

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const asked = yield* options(() => parse(args))
  const playing = Effect.gen(function*() {
    if (asked.join === undefined) yield* host(asked)
    else yield* join(asked.join, asked)
  })
  yield* Effect.provide(playing, stack(asked.passcode))
})
