/** Who is measured: a server, or for `client` workloads a client, as a process of its own that runs what is published. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { adopt } from "./children.ts"
import type { Usage } from "./servers/ready.ts"
import type { Serving } from "./Serving.ts"
import type { Workload } from "./Workload.ts"

export interface Contestant {
  /** Its name on the command line. */
  readonly id: string
  readonly title: string
  readonly file: string
  readonly args?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** The file is run by Bun instead of Node. */
  readonly bun?: true
  /** It echoes bytes, and knows nothing of frames. */
  readonly bare?: true
  /** It takes part with binary messages from this size on. */
  readonly from?: number
  /** It can be measured as a client. */
  readonly client?: true
  /** It calls, and is called. */
  readonly calls?: true
  readonly serves: (serving: Workload["serving"]) => boolean
  /** It takes no part in a quick run that does not name it. */
  readonly slow?: true
}

const plainEcho = ({ deflate, tls, what }: Workload["serving"]): boolean =>
  what === "echo" && tls === undefined && deflate === undefined

const all = (): boolean => true

export const contestants: ReadonlyArray<Contestant> = [
  { id: "ws", title: "ws with bufferutil", file: "ws", client: true, serves: all },
  {
    id: "ws-plain",
    title: "ws",
    file: "ws",
    env: { WS_NO_BUFFER_UTIL: "1" },
    client: true,
    slow: true,
    serves: all
  },
  { id: "websocket", title: "websocket", file: "websocket", slow: true, serves: plainEcho },
  { id: "effect", title: "Effect's WebSocket server", file: "effect", slow: true, serves: plainEcho },
  { id: "bun", title: "Bun's server", file: "bun", bun: true, serves: all },
  {
    id: "raw",
    title: "node:net, bytes",
    file: "raw",
    bare: true,
    serves: ({ deflate, what }) => what === "echo" && deflate === undefined
  },
  { id: "codec", title: "Wirestack, codec on node:net", file: "codec", slow: true, serves: plainEcho },
  {
    id: "batch",
    title: "Wirestack, Stream per batch",
    file: "wirestack",
    args: ["batch"],
    client: true,
    serves: ({ what }) => what !== "broadcast"
  },
  {
    id: "lent",
    title: "Wirestack, Stream per batch, payloads lent",
    file: "wirestack",
    args: ["batch", "lent"],
    client: true,
    from: 16_384,
    serves: ({ what }) => what === "echo"
  },
  {
    id: "message",
    title: "Wirestack, Stream per message",
    file: "wirestack",
    args: ["message"],
    client: true,
    serves: all
  },
  { id: "rpc", title: "Effect's RPC over Wirestack", file: "rpc", args: ["wirestack"], calls: true, serves: all },
  {
    id: "rpc-effect",
    title: "Effect's RPC over its own sockets",
    file: "rpc",
    args: ["effect"],
    calls: true,
    serves: all
  }
]

/** Whether a contestant can be measured by a workload. */
export const takesPart = (contestant: Contestant, { kind, mode, serving, size }: Workload): boolean => {
  if (mode === "rpc" || contestant.calls === true) return mode === "rpc" && contestant.calls === true
  if (contestant.from !== undefined && (kind !== "binary" || size < contestant.from)) return false
  if (mode === "client") return contestant.client === true
  if (mode === "echo") return contestant.serves(serving)
  return contestant.bare === undefined && contestant.serves(serving)
}

/** A running one. */
export interface Running {
  readonly pid: number
  readonly port: number
  readonly usage: () => Promise<Usage>
  readonly stop: () => Promise<void>
}

/** Where Bun is. */
export const bun = (): string => createRequire(import.meta.url).resolve("bun/bin/bun.exe")

/** Starts a server; `flags` are Node's. */
export const start = async (
  { args = [], bun: onBun, env, file }: Contestant,
  serving: Serving,
  flags: ReadonlyArray<string> = []
): Promise<Running> => {
  const child = adopt(fork(new URL(`./servers/${file}.js`, import.meta.url), [JSON.stringify(serving), ...args], {
    env: { ...process.env, ...env },
    execArgv: onBun === undefined ? [...process.execArgv, ...flags] : [],
    ...onBun === undefined ? {} : { execPath: bun() }
  }))
  const exited = once(child, "exit")
  const gone = exited.then(([code]) => Promise.reject(new Error(`${file} exited with ${code}`)))
  const said = async (): Promise<any> => (await Promise.race([once(child, "message"), gone]))[0]
  const { port } = await said()
  return {
    pid: child.pid!,
    port,
    usage: () => {
      if (child.connected) child.send("usage")
      return said()
    },
    stop: async () => {
      if (child.connected) child.disconnect()
      await exited
    }
  }
}
