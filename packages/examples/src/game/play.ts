/** One game, as either of the two plays it. */
import type { Connection } from "@wirestack/protocol/Connection"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { type Board, empty, free, isFree, type Player, type Square, taken, winner } from "./Board.ts"
import type { Message } from "./Game.ts"

/** The other one does not keep the rules, or has gone. */
export class Foul extends Data.TaggedError("Foul")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

export interface Play<E, R> {
  readonly me: Player
  readonly character: string
  /** Chooses a free square. */
  readonly choose: (board: Board) => Effect.Effect<Square, E, R>
  /** Sees the board whenever somebody has moved. */
  readonly watch?: (board: Board, characters: Readonly<Record<Player, string>>) => Effect.Effect<void>
}

/** The next message, one at a time: nobody says two things in a row but at the beginning. */
const messagesOf = (connection: Connection<Message, Message>) => {
  let received: ReadonlyArray<Message> = []
  return <Tag extends Message["_tag"]>(tag: Tag) =>
    Effect.gen(function*() {
      if (received.length === 0) received = yield* connection.pull
      const [message, ...rest] = received
      received = rest
      if (message._tag !== tag) return yield* new Foul({ detail: `it is no time for ${message._tag}` })
      return message as Extract<Message, { _tag: Tag }>
    }).pipe(Effect.catchIf(Cause.isDone, () => Effect.fail(new Foul({ detail: "the other one has left the game" }))))
}

/** Plays to the end; tells who has won, if anybody has. */
export const play = Effect.fnUntraced(function*<E, R>(
  connection: Connection<Message, Message>,
  { character, choose, me, watch = () => Effect.void }: Play<E, R>
) {
  const next = messagesOf(connection)
  const other = me === "host" ? "guest" : "host"
  yield* connection.send({ _tag: "Start", character })
  const start = yield* next("Start")
  const characters = { [me]: character, [other]: start.character } as Record<Player, string>
  let board = empty
  for (let turn: Player = "host"; winner(board) === undefined && free(board).length > 0;) {
    if (turn === me) {
      const square = yield* choose(board)
      yield* connection.send({ _tag: "Move", ...square })
      board = taken(board, square, me)
    } else {
      const square = yield* next("Move")
      if (!isFree(board, square)) return yield* new Foul({ detail: "the square is not free" })
      board = taken(board, square, other)
    }
    yield* watch(board, characters)
    turn = turn === "host" ? "guest" : "host"
  }
  return winner(board)
})
