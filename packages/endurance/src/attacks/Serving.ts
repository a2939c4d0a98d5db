/** What the server under attack is told, and asked. */
import type { ListenOptions } from "@wirestack/protocol/Transport"
import type { Deadline, ServerOptions } from "@wirestack/websocket/WebSocket"
import type { Memory } from "../support/Memory.ts"

/** How it serves: what is not said is as it is by default. Who asks for "/pour" is sent messages without end, who asks for "/part" is left at once, all others are echoed. */
export interface Serving {
  readonly tls?: Deadline
  readonly websocket?: ServerOptions & Deadline
  readonly compresses?: true
  readonly listen?: ListenOptions
}

/** What it has seen since it was opened: how often, by layer and reason. */
export type News = Readonly<Record<string, number>>

/** How a server came to its end. */
export interface Drained {
  /** Milliseconds. */
  readonly took: number
  readonly open: number
  readonly ended: number
  readonly interrupted: number
}

/** What it is asked. */
export interface Questions {
  /** Opens a server, and tells its port. */
  readonly open: number
  readonly usage: Memory
  /** The most it was since it was asked before, in MiB, with all garbage. */
  readonly peak: number
  readonly news: News
  readonly close: Drained
}
