/**
 * How a connection ended: who was first, whether every layer said its goodbye, and what was lost.
 *
 * Every connection has exactly one outcome, known at the latest when its scope has closed. Nothing is lost without
 * appearing here: what we accepted and could not hand over is `unsent`, what arrived and nobody pulled is
 * `undelivered`.
 */
import type { ConnectionError } from "./ConnectionError.ts"

/**
 * Why our side closes. Taken from the Exit of the scope, success is `"done"`, any failure or defect is `"failed"`, pure interruption
 * (a shutdown, a drain) is `"away"`. By its own doing, a server that comes back says `"restart"`, and one that has too much to do, or a
 * peer that is too slow, says `"overloaded"`. A layer that carries a reason maps these to its own codes.
 */
export type Why = "done" | "failed" | "away" | "restart" | "overloaded"

/** A closing status as a layer carries it on the wire, such as the code and reason of a WebSocket Close frame. */
export interface Status {
  readonly code: number
  readonly reason: string
}

/**
 * Whether the end of the peer's input was said or only happened: `"announced"` (FIN, close_notify, a Close frame),
 * `"unannounced"` (TLS truncated by a bare FIN, a reset), or `"unknown"` where the platform does not tell.
 */
export type EndOfInput = "announced" | "unannounced" | "unknown"

/** What was accepted by `send` and never handed to the layer below (`messages`) or to the system (`bytes`). */
export interface Unsent {
  readonly messages: number
  readonly bytes: number
}

/** How one layer closed: its name, how long that took in milliseconds, and whether the peer answered in time. */
export interface LayerClose {
  readonly layer: string
  readonly took: number
  readonly settled: boolean
}

/** How the connection ended. */
export interface Outcome {
  /** Who began to close; `"none"` when the connection was cut. */
  readonly first: "local" | "remote" | "none"
  /** Every layer finished its closing handshake within the budget, and nothing was cut off. */
  readonly clean: boolean
  /** The status we sent, where the topmost closing layer carries one. */
  readonly sent?: Status
  /** The status the peer sent, where the topmost closing layer carries one. */
  readonly received?: Status
  readonly endOfInput: EndOfInput
  readonly unsent: Unsent
  /** Messages that arrived and were not pulled before our side closed. */
  readonly undelivered: number
  /** Messages that could not be decoded and were skipped, as the codec was told to; absent if there were none. */
  readonly skipped?: number
  /** The layers that closed, from the top down. */
  readonly layers: ReadonlyArray<LayerClose>
  /** Why the connection was cut, if it was. */
  readonly error?: ConnectionError
}

/** The outcome while it is being gathered, layer by layer. */
export type Draft = {
  -readonly [K in keyof Outcome]: Outcome[K] extends Unsent ? { messages: number; bytes: number } : Outcome[K]
}
