/** A server under test: a process of its own, which runs what is published, the compiled packages. */
import { fork } from "node:child_process"
import { once } from "node:events"
import type { Usage } from "./servers/ready.ts"

/** What is started, and how it is spoken to. */
export interface Contestant {
  readonly name: string
  readonly file: string
  readonly args: ReadonlyArray<string>
  /** What its clients speak: bare bytes, WebSocket, or WebSocket with permessage-deflate. */
  readonly speaks: "bytes" | "frames" | "deflate"
  /** The largest payload of the frames it sends; any by default. */
  readonly frameSize?: number
}

/** A running one. */
export interface Server extends Contestant {
  readonly port: number
  readonly ask: () => Promise<Usage>
  readonly stop: () => Promise<void>
}

/** Starts one; `flags` are Node's. */
export const start = async (contestant: Contestant, flags: ReadonlyArray<string> = []): Promise<Server> => {
  const file = new URL(`./servers/${contestant.file}.js`, import.meta.url)
  const child = fork(file, contestant.args, { execArgv: [...process.execArgv, ...flags] })
  const exited = once(child, "exit")
  const [{ port }] = await once(child, "message") as [{ readonly port: number }]
  return {
    ...contestant,
    port,
    ask: async () => {
      child.send("usage")
      return (await once(child, "message"))[0] as Usage
    },
    stop: async () => {
      child.disconnect()
      await exited
    }
  }
}

/** Those whose file is among the named ones, separated by commas; without names all. */
export const choose = <C extends Contestant>(all: ReadonlyArray<C>, names: string | undefined): ReadonlyArray<C> =>
  all.filter(({ file }) => (names ?? file).split(",").includes(file))
