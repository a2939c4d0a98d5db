import { assert, describe } from "@effect/vitest"
import { Effect, Scope } from "effect"
import { spawn } from "node:child_process"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { exists } from "../support/processes.ts"
import { type Client, clientSuite, type Closed, onStacks, Refused } from "./clients.ts"
import { serverSuite } from "./servers.ts"
import { common, connect, files, home, type Message, missing, shared, type Stack } from "./support.ts"

/** Debian's: another one that comes first may not have the package. */
const python = "/usr/bin/python3"
const skip = missing(exists(python, "-c", "import websockets"), "python3-websockets")

type Sent = { readonly text: string } | { readonly data: string }

const dump = (message: Message): Sent =>
  typeof message === "string" ? { text: message } : { data: message.toString("base64") }
const load = (sent: Sent): Message => "text" in sent ? sent.text : Buffer.from(sent.data, "base64")

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** The process of all tests: asks it to do something, and gives the answer and the number by which to speak of it. */
const peer = shared(Effect.gen(function*() {
  const waiting = new Map<number, (answer: Effect.Effect<unknown>) => void>()
  let asked = 0
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(python, [path.join(import.meta.dirname, "python_peer.py")], { stdio: "pipe" })),
    (child) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.on("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  )
  let complaint = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => complaint += text)
  const ended = () => Effect.die(new Error(`python ended with ${child.exitCode ?? child.signalCode}: ${complaint}`))
  child.on("close", () => {
    for (const resume of waiting.values()) resume(ended())
  })
  child.stdin.on("error", () => {})
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { error, id, value }: Answer = JSON.parse(line)
    waiting.get(id)?.(error === undefined ? Effect.succeed(value) : Effect.die(new Error(error)))
    waiting.delete(id)
  })
  return <A>(name: string, request: object) =>
    Effect.callback<{ readonly id: number; readonly value: A }>((resume) => {
      if (child.exitCode !== null || child.signalCode !== null) return resume(ended())
      const id = asked++
      waiting.set(id, (answer) => resume(Effect.map(answer, (value) => ({ id, value: value as A }))))
      child.stdin.write(`${JSON.stringify({ id, do: name, ...request })}\n`)
    })
}))

const ask = <A>(name: string, request: object) => Effect.flatMap(peer, (peer) => peer<A>(name, request))

/** Asks for something that is given back with the scope. */
const acquire = <A>(name: string, request: object, release: string) =>
  Effect.acquireRelease(ask<A>(name, request), ({ id }) => ask(release, { on: id }))

type Opened = { readonly protocol: string; readonly extensions: ReadonlyArray<string> } | { readonly refused: number }

describe.skipIf(skip)("python3-websockets", () => {
  clientSuite({
    name: "its client",
    stacks: common,
    connect: Effect.fnUntraced(function*(url, { foreign = false, protocols = [] } = {}) {
      const origin = foreign ? "https://evil.test" : home
      const { id, value } = yield* acquire<Opened>("connect", { url, ca: files.ca, protocols, origin }, "drop")
      if ("refused" in value) return yield* new Refused({ status: value.refused })
      const on = <A>(name: string, request: object = {}) =>
        Effect.map(ask<A>(name, { on: id, ...request }), ({ value }) => value)
      const client: Client = {
        ...value,
        send: (message) => on("send", { message: dump(message) }),
        fragments: (parts, ping) => on("fragments", { parts: parts.map(dump), ping }),
        ping: (payload) => on("ping", { payload: dump(payload) }),
        next: Effect.map(on<Sent>("receive"), load),
        close: (code, reason = "") => on("close", { code, reason }),
        closed: on<Closed>("closed"),
        drop: on("drop")
      }
      return client
    })
  })

  const start = Effect.fnUntraced(function*({ scheme }: Stack) {
    const { certificate, key } = scheme === "wss" ? files : { certificate: null, key: null }
    const { id, value: port } = yield* acquire<number>("serve", { certificate, key }, "stop")
    return {
      url: `${scheme}://localhost:${port}`,
      closed: Effect.map(ask<Closed>("ended", { on: id }), ({ value }) => value)
    }
  })

  serverSuite({ name: "its server", stacks: common, serve: start })

  onStacks(common)("its server shuts down", (stack) =>
    Effect.gen(function*() {
      const outer = yield* Effect.scope
      const client = yield* Effect.scoped(
        Effect.flatMap(start(stack), ({ url }) => Scope.provide(connect(url), outer))
      )
      const received = { code: 1001, reason: "" }
      assert.deepInclude(yield* client.closed, { first: "remote", clean: true, received })
    }))
})
