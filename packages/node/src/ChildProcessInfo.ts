/** What is known of a process that is one end of a connection. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** How a process has ended: with a code, or by a signal. */
export interface Exited {
  readonly code: number | null
  readonly signal: string | null
}

/** The process whose input and output are a connection. */
export class ChildProcessInfo extends Context.Service<ChildProcessInfo, {
  readonly pid: number
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Waits for its exit. Safe to interrupt. */
  readonly exited: Effect.Effect<Exited>
  /** What it has written to stderr last, as far as that is kept. */
  readonly stderr: string
}>()("@wirestack/node/ChildProcessInfo") {}
