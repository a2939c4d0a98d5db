/** The runtimes, and what is known to be missing in them. */
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const require = createRequire(import.meta.url)

/** What a runtime lacks. */
export interface Lack {
  /** The tests that need it; they are not run, as most would wait for ever. */
  readonly tests: RegExp
  readonly reason: string
}

export interface Runtime {
  readonly name: string
  readonly command: (file: string) => readonly [program: string, ...args: ReadonlyArray<string>]
  readonly lacks: ReadonlyArray<Lack>
}

const inWorker = fileURLToPath(new URL("./worker.ts", import.meta.url))

export const runtimes: ReadonlyArray<Runtime> = [
  { name: "node", command: (file) => [process.execPath, file], lacks: [] },
  { name: "worker", command: (file) => [process.execPath, inWorker, file], lacks: [] },
  {
    name: "bun",
    command: (file) => [require.resolve("bun/bin/bun.exe"), file],
    lacks: [
      {
        tests: /TLS (over memory|in TLS) > (holds a sender back|a peer that reads no more)/,
        reason: "TLS on other bytes than a socket's does not hold its sender back"
      },
      {
        tests: /TLS (over memory|in TLS) > half-close/,
        reason: "TLS on other bytes than a socket's knows no half-close"
      }
    ]
  },
  {
    name: "deno",
    command: (file) => [
      join(dirname(require.resolve("deno/package.json")), process.platform === "win32" ? "deno.exe" : "deno"),
      "run",
      "--allow-all",
      "--no-lock",
      "--node-modules-dir=none",
      file
    ],
    lacks: [
      {
        tests: /TLS (over memory|in TLS|over TCP) > (holds a sender back|a peer that reads no more)/,
        reason: "TLS does not hold its sender back"
      },
      {
        tests: /TLS (over memory|in TLS) > (delivers what|sends of several|half-close)/,
        reason: "TLS on other bytes than a socket's ends before it has given all that it had"
      },
      {
        tests: /^(TCP|TLS over TCP) > an abort cuts now/,
        reason: "a socket is never reset, so an abort looks like an end"
      }
    ]
  }
]
