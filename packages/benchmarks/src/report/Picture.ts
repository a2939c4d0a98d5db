/** A picture of a report: its file, what it says to those who can't see it, and the SVG. */
import type { Result } from "../Result.ts"
import type { Span } from "./Scale.ts"
import type { Key } from "./Svg.ts"

export interface Picture {
  readonly file: string
  readonly title: string
  readonly svg: string
}

/** The colours of those who are in it, in the order of the contestants. */
export const keysOf = ({ titles }: Result, seen: ReadonlyArray<string>): ReadonlyArray<Key> =>
  Object.entries(titles).filter(([contestant]) => seen.includes(contestant))
    .map(([contestant, title]) => ({ contestant, title }))

/** From the least to the most of some numbers, and some room on both sides. */
export const around = (numbers: ReadonlyArray<number>, room: number): Span => [
  Math.min(...numbers) / room,
  Math.max(...numbers) * room
]
