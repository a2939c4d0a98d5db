/**
 * Kills a server again and again under clients that send numbered messages, and checks that each was stored and answered once, in
 * order.
 *
 *     npm run restarts -- --times 20 --clients 200 --seed 1
 *
 * The server is a process of its own (`server.ts`), ended with SIGKILL at random moments and started anew on the same port. What it
 * had stored is in its journal, by which the next one goes on with the sessions.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Connection, Establishment, Resume, Transport } from "@wirestack/protocol"
import { random } from "@wirestack/test-support"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Console, Data, Effect, Fiber, Schedule } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { numbers } from "../support/numbers.ts"
import { read } from "./Journal.ts"

const options = numbers({ times: 20, clients: 200, seed: Date.now() % 1_000_000, pause: 100 })

const next = random(options.seed)
const between = (from: number, to: number): number => Math.round(from + (to - from) * next())

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "restarts-"))
const journal = path.join(folder, "journal")

class Failed extends Data.TaggedError("Failed")<{ readonly message: string }> {}

/** A server process, and where it listens. */
interface Server {
  readonly process: ChildProcess
  readonly url: string
}

const started = (port: string): Effect.Effect<Server, Failed> =>
  Effect.callback((resume) => {
    const child = spawn(
      process.execPath,
      ["--conditions=@wirestack/source", path.join(import.meta.dirname, "server.ts"), port, journal],
      { stdio: ["ignore", "pipe", "inherit"] }
    )
    const ended = () => resume(Effect.fail(new Failed({ message: "the server ended before it listened" })))
    child.once("exit", ended)
    child.stdout.once("data", (line: Buffer) => {
      child.off("exit", ended)
      resume(Effect.succeed({ process: child, url: `ws://${new URL(String(line).trim()).host}` }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const killed = ({ process }: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (process.exitCode !== null || process.signalCode !== null) return resume(Effect.void)
    process.once("exit", () => resume(Effect.void))
    process.kill("SIGKILL")
  })

const schedule = Schedule.jittered(Schedule.spaced("100 millis"))

const stack = Tcp.layer({ noDelay: true }).pipe(
  WebSocket.client(),
  Resume.client({
    schedule,
    verdict: (ended) => {
      if ("clean" in ended) seen.cuts++
      return undefined
    }
  })
)

/** What the clients have seen, and whether they are to stop. */
const seen = { cuts: 0, wrong: 0, unclean: 0, stopping: false }

/** The clients that the present server has answered. */
const served = new Set<number>()

/** Waits until all of them are, so that each kill strikes all. */
const allServed = Effect.timeoutOrElse(
  Effect.repeat(Effect.sleep("20 millis"), { until: () => served.size === options.clients }),
  {
    duration: "30 seconds",
    orElse: () => Effect.fail(new Failed({ message: `${options.clients - served.size} clients did not come back` }))
  }
)

/** Sends numbers until it is to stop, and checks that each is answered once, in order. */
const client = Effect.fnUntraced(function*(number: number, url: string) {
  const connecting = Transport.connect(Transport.Messages)<Resume.Session>(url)
  const connection = yield* Effect.retry(connecting, { schedule, while: Establishment.mayPass })
  let sent = 0
  let answered = 0
  const sending = Effect.gen(function*() {
    while (!seen.stopping) {
      yield* connection.send(`${sent++}`)
      yield* Effect.sleep(between(1, 2 * options.pause))
    }
    // Whoever waits for an answer has one to wait for.
    yield* connection.send(`${sent++}`)
  })
  const receiving = Effect.whileLoop({
    while: () => !seen.stopping || answered < sent,
    body: () => connection.pull,
    step: (batch) => {
      served.add(number)
      for (const answer of batch) if (answer !== `stored ${answered++}`) seen.wrong++
    }
  })
  const late = Effect.delay(Effect.fail(new Failed({ message: "an answer is missing" })), "30 seconds")
  yield* Effect.raceFirst(receiving, Effect.andThen(sending, late))
  return { id: Connection.detail(connection, Resume.Session).id, sent, connection }
})

/** The same, and closes. */
const visit = Effect.fnUntraced(function*(number: number, url: string) {
  const { connection, id, sent } = yield* Effect.scoped(client(number, url))
  const { clean } = yield* connection.closed
  if (!clean) seen.unclean++
  return { id, sent }
})

/** What is wrong with what was stored of a session. */
const faultsOf = (id: string, sent: number, messages: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  const at = messages.findIndex((message, index) => message !== `${index}`)
  if (at >= 0) return [`${id}: ${messages[at]} is stored where ${at} belongs`]
  return messages.length === sent ? [] : [`${id}: ${messages.length} of ${sent} messages are stored`]
}

const program = Effect.gen(function*() {
  const began = Date.now()
  let server = yield* started("0")
  yield* Effect.addFinalizer(() => killed(server))
  const { port } = new URL(server.url)
  const visits = yield* Effect.forkChild(Effect.forEach(
    Array.from({ length: options.clients }, (_, number) => number),
    (number) => Effect.provide(visit(number, server.url), stack),
    { concurrency: "unbounded" }
  ))
  for (let time = 0; time < options.times; time++) {
    yield* allServed
    yield* Effect.sleep(between(0, 500))
    yield* killed(server)
    served.clear()
    yield* Effect.sleep(between(0, 100))
    server = yield* started(port)
  }
  yield* allServed
  seen.stopping = true
  const visited = yield* Fiber.join(visits)
  const entries = read(journal)
  const faults = visited.flatMap(({ id, sent }) => faultsOf(id, sent, entries.get(id)?.messages))
  const messages = visited.reduce((sum, { sent }) => sum + sent, 0)
  yield* Console.log(
    `${options.times} kills, ${options.clients} clients, ${seen.cuts} connections cut, ${messages} messages, ` +
      `${((Date.now() - began) / 1_000).toFixed(1)} s`
  )
  yield* Effect.forEach(faults.slice(0, 10), (fault) => Console.error(fault))
  const { unclean, wrong } = seen
  if (faults.length === 0 && unclean === 0 && wrong === 0) return
  const message = `${faults.length} sessions with faults, ${wrong} wrong answers, ${unclean} unclean ends`
  return yield* new Failed({ message: `${message}; --seed ${options.seed}` })
}).pipe(
  Effect.scoped,
  Effect.ensuring(Effect.sync(() => fs.rmSync(folder, { recursive: true })))
)

NodeRuntime.runMain(program)
