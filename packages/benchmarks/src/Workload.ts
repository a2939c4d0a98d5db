/** What is measured, and how much faster than another it is meant to be. */
import { bytes } from "./format.ts"
import type { Kind } from "./Messages.ts"
import type { Serving } from "./Serving.ts"

/** What a load does; see load/load.c. A `client` is itself under test, against one server for all; `rpc` tests both ends. */
export type Mode = "echo" | "broadcast" | "handshake" | "visit" | "client" | "rpc"

/** A contestant is to take at most a part of the CPU of another one: at most one in `least` of it. */
export interface Goal {
  readonly contestant: string
  readonly over: string
  readonly least: number
}

export interface Workload {
  /** Its name on the command line. */
  readonly id: string
  readonly title: string
  readonly mode: Mode
  readonly connections: number
  /** Messages or calls under way on each connection; connections being opened, for `handshake` and `visit`. */
  readonly depth: number
  readonly kind: Kind
  /** Bytes of a message; of a call how many numbers answer it, more than one as a stream. */
  readonly size: number
  readonly serving: Omit<Serving, "tls"> & { readonly tls?: true }
  /** Who takes part beside those that can do it at all. */
  readonly goals: ReadonlyArray<Goal>
}

const overWs = (batch: number, message: number): ReadonlyArray<Goal> => [
  { contestant: "batch", over: "ws", least: batch },
  { contestant: "message", over: "ws", least: message }
]

const overWsLent = (least: number): Goal => ({ contestant: "lent", over: "ws", least })

const echo = (
  id: string,
  title: string,
  [connections, depth, kind, size]: readonly [number, number, Kind, number],
  goals: ReadonlyArray<Goal>,
  serving: Omit<Workload["serving"], "what"> = {}
): Workload => ({
  id,
  title,
  mode: "echo",
  connections,
  depth,
  kind,
  size,
  serving: { what: kind === "events" ? "typed" : "echo", ...serving },
  goals
})

const opening = (id: string, title: string, mode: "handshake" | "visit", least: number | undefined, tls?: true) => ({
  id,
  title,
  mode,
  connections: 0,
  depth: 16,
  kind: "text",
  size: 0,
  serving: { what: "echo", ...tls === undefined ? {} : { tls } },
  goals: least === undefined ? [] : [{ contestant: "message", over: "ws", least }]
} as const)

const kibi = 1_024
const mebi = 1_048_576

export const workloads: ReadonlyArray<Workload> = [
  echo("pipelined", "10 connections x 64 deep, 64 B binary", [10, 64, "binary", 64], [
    ...overWs(20, 14),
    { contestant: "batch", over: "raw", least: 0.5 },
    { contestant: "batch", over: "bun", least: 1 }
  ]),
  echo("pipelined-text", "10 x 64, 64 B text", [10, 64, "text", 64], overWs(12, 9)),
  echo("depth-1", "100 connections x 1 deep, 64 B binary", [100, 1, "binary", 64], [
    ...overWs(1.2, 1.1),
    { contestant: "batch", over: "raw", least: 0.95 }
  ]),
  echo("large", "1 x 4, 1 MiB binary", [1, 4, "binary", mebi], [
    ...overWs(2, 2),
    overWsLent(2),
    { contestant: "lent", over: "raw", least: 1 }
  ]),
  echo("text-16k", "10 x 16, 16 KiB text", [10, 16, "text", 16 * kibi], overWs(2, 2)),
  echo("typed", "10 x 64, 897 B JSON, checked by Schemas (ws: not at all)", [10, 64, "events", 897], overWs(1.8, 1.8)),
  echo("typed-depth-1", "100 x 1, 897 B JSON, checked by Schemas", [100, 1, "events", 897], overWs(1, 1)),
  echo("deflate", "10 x 16, 1 KiB JSON, permessage-deflate", [10, 16, "json", 1_100], overWs(4, 4), {
    deflate: "no-takeover"
  }),
  opening("handshake", "opening handshakes", "handshake", 1.6),
  opening("handshake-tls", "opening handshakes, TLS resumed", "handshake", 1.2, true),
  opening("visit", "connections opened, one Close handshake each, and closed", "visit", undefined),
  echo("wss-depth-1", "wss, 100 x 1, 64 B binary", [100, 1, "binary", 64], overWs(1.1, 1.1), { tls: true }),
  echo("wss-pipelined", "wss, 10 x 64, 64 B binary", [10, 64, "binary", 64], overWs(3, 3), { tls: true }),
  echo("wss-large", "wss, 1 x 4, 1 MiB binary", [1, 4, "binary", mebi], [...overWs(1.2, 1.2), overWsLent(1.2)], {
    tls: true
  }),
  {
    ...echo("broadcast", "broadcast from 1 to 1,000, 64 B text", [1_000, 1, "text", 64], [
      { contestant: "message", over: "ws", least: 1.2 }
    ]),
    mode: "broadcast",
    serving: { what: "broadcast" }
  },
  {
    ...echo("client", "client, 10 x 64, 64 B binary", [10, 64, "binary", 64], overWs(5, 5)),
    mode: "client"
  },
  {
    ...echo("client-large", "client, 1 x 4, 1 MiB binary", [1, 4, "binary", mebi], [
      ...overWs(1.2, 1.2),
      overWsLent(1.2)
    ]),
    mode: "client"
  }
]

/** Effect's RPC over our sockets, and over its own. */
export const rpc: ReadonlyArray<Workload> = (["websocket", "tcp"] as const).flatMap((carrier) =>
  ([["1", 1, 1], ["64", 64, 1], ["stream", 1, 1_000]] as const).map(([name, depth, size]) => ({
    id: `rpc-${carrier}-${name}`,
    title: `RPC over ${carrier === "tcp" ? "TCP" : "WebSocket"}, ${size === 1 ? `1 x ${depth}` : `streams of ${size}`}`,
    mode: "rpc",
    connections: 1,
    depth,
    kind: "text",
    size,
    serving: { what: "rpc", carrier },
    goals: [{ contestant: "rpc", over: "rpc-effect", least: 1 }]
  }))
)

/** One depth, and from few connections to many. */
export const byConnections: ReadonlyArray<Workload> = [1, 10, 100, 1_000, 10_000].map((connections) =>
  echo(`connections-${connections}`, `${connections.toLocaleString("en")} x 1, 64 B binary`, [
    connections,
    1,
    "binary",
    64
  ], [])
)

/** About the same number of bytes under way, in messages from small to large. */
export const bySize: ReadonlyArray<Workload> = [
  16,
  64,
  256,
  kibi,
  4 * kibi,
  16 * kibi,
  64 * kibi,
  256 * kibi,
  mebi,
  4 * mebi,
  16 * mebi
]
  .map((size) =>
    echo(
      `size-${size}`,
      `4 connections, ${bytes(size)} binary`,
      [4, Math.max(1, Math.min(64, Math.floor(mebi / size))), "binary", size],
      []
    )
  )
