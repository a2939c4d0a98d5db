/**
 * What is said under load, as texts of one size that a frame of two bytes carries:
 *
 *     e   a client to its server, and back     number of the client's message   when it was sent
 *     b   the server to all                    number of the broadcast          when it was published
 *
 * Times are of the machine's one monotonic clock, in nanoseconds, so those of two processes can be compared.
 */
export type Kind = "e" | "b"

/** The clock, in nanoseconds. */
export const now = (): number => Number(process.hrtime.bigint())

const numberSize = 8
const timeSize = 20

/** Bytes of a text. */
export const size = 1 + numberSize + timeSize + 35

const padding = ".".repeat(size - 1 - numberSize - timeSize)

export const say = (kind: Kind, number: number): string =>
  `${kind}${String(number).padStart(numberSize, "0")}${String(now()).padStart(timeSize, "0")}${padding}`

export const kindOf = (text: string): Kind => text[0] as Kind

export const numberOf = (text: string): number => Number(text.slice(1, 1 + numberSize))

/** Nanoseconds since it was said. */
export const ageOf = (text: string): number => now() - Number(text.slice(1 + numberSize, 1 + numberSize + timeSize))
