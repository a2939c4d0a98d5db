/** The sink that writes to Effect's logger. */

import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import * as Payload from "./Payload.ts"
import type { Sink } from "./Tap.ts"

/** How a tap is logged. */
export interface Options {
  /** `Debug` by default. */
  readonly level?: LogLevel.Severity
  /** How many bytes, or characters of a text or value, are shown of each message; 256 by default. */
  readonly keep?: number
}

/**
 * Logs when connections begin and end, and what passes: text with its controls spelled out, values as JSON, other bytes in hex.
 *
 * @category sinks
 */
export const log = ({ keep = 256, level = "Debug" }: Options = {}): Sink => (subject) => {
  const { endpoint, id, kind, name, peer, role, run } = subject
  const tell = (news: string, at: number) =>
    run(Effect.logWithLevel(level)(`${name} #${id}, ${at.toFixed(1)} ms: ${news}`))
  tell(`${role} ${endpoint}${peer === undefined ? "" : ` from ${peer}`}`, 0)
  return {
    passed: (way, message, at) => {
      const { payload, size } = Payload.of(kind, message, keep)
      const more = size - Payload.sizeOf(payload)
      tell(`${way} ${size}\n${Payload.format(payload)}${more > 0 ? `\n(${more} more)` : ""}`, at)
    },
    ended: (way, how, at) => tell(`${way} ended, ${how}`, at),
    closed: ({ clean, error, first, received, sent }, at) => {
      const code = (sent ?? received)?.code
      tell(
        `closed, ${first} first${clean ? "" : ", not clean"}${code === undefined ? "" : `, ${code}`}${
          error === undefined ? "" : `: ${error.message}`
        }`,
        at
      )
    }
  }
}
