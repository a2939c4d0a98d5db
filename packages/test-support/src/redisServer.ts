/** A `redis-server` of one's own, whose data outlives its process: each command is in the file before it is answered. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Starts it again on the same port, with what it had. */
  readonly start: Effect.Effect<void>
  /** Kills it. */
  readonly kill: Effect.Effect<void>
}

const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as net.AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}

const started = async (port: number, folder: string): Promise<ChildProcess> => {
  const child = spawn(
    "redis-server",
    [
      "--port",
      `${port}`,
      "--bind",
      "127.0.0.1",
      "--dir",
      folder,
      "--save",
      "",
      "--appendonly",
      "yes",
      "--appendfsync",
      "always"
    ],
    { stdio: ["ignore", "pipe", "inherit"] }
  )
  child.stdout.setEncoding("utf8")
  let said = ""
  for await (const text of child.stdout.iterator({ destroyOnReturn: false })) {
    said += text
    if (said.includes("Ready to accept connections")) {
      child.stdout.resume()
      return child
    }
  }
  throw new Error(`redis-server ended: ${said}`)
}

const killed = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill("SIGKILL")
  await once(child, "exit")
}

/** A server as long as the scope is open. */
export const redisServer: Effect.Effect<RedisServer, never, Scope.Scope> = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "wirestack-redis-"))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  )
  const port = yield* Effect.promise(freePort)
  let child: ChildProcess
  const start = Effect.promise(async () => {
    child = await started(port, folder)
  })
  const kill = Effect.promise(() => killed(child))
  yield* Effect.acquireRelease(start, () => kill)
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    start,
    kill
  }
})
