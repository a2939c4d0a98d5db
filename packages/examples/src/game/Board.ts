/** The board of tic-tac-toe: nine squares, each free or somebody's. */

export type Player = "host" | "guest"

/** Row by row. */
export type Board = ReadonlyArray<Player | undefined>

export interface Square {
  readonly row: number
  readonly column: number
}

const side = 3

export const empty: Board = Array.from({ length: side * side }, () => undefined)

const indexOf = ({ column, row }: Square): number => row * side + column

export const isFree = (board: Board, square: Square): boolean => board[indexOf(square)] === undefined

/** The squares nobody has. */
export const free = (board: Board): ReadonlyArray<Square> =>
  board
    .map((_, index): Square => ({ row: Math.floor(index / side), column: index % side }))
    .filter((square) => isFree(board, square))

export const taken = (board: Board, square: Square, by: Player): Board => board.with(indexOf(square), by)

const lines: ReadonlyArray<ReadonlyArray<number>> = [
  [0, 1, 2],
  [3, 4, 5],
  [6, 7, 8],
  [0, 3, 6],
  [1, 4, 7],
  [2, 5, 8],
  [0, 4, 8],
  [2, 4, 6]
]

/** Who has a line, if anybody has. */
export const winner = (board: Board): Player | undefined => {
  const line = lines.find(([first, ...rest]) =>
    board[first] !== undefined && rest.every((index) => board[index] === board[first])
  )
  return line && board[line[0]]
}

/** The board as lines of text. */
export const show = (board: Board, characters: Readonly<Record<Player, string>>): string =>
  Array.from(
    { length: side },
    (_, row) =>
      board.slice(row * side, (row + 1) * side).map((player) => player === undefined ? "." : characters[player]).join(
        " "
      )
  ).join("\n")
