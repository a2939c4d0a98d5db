/**
 * A server is ended by SIGTERM while it is under load, and some of its clients are silent.
 *
 *     npm run sigterm -- --clients 100 --silent 10 --load 1000 --within 3000
 *
 * What must hold: it ends with 0 within the time of its drain, whoever is silent; every client that is not is told 1012 behind the
 * application's goodbye, and has received each acknowledgement that was accepted; who connects meanwhile is told 503 and when to come again.
 */
import { WebSocket } from "@wirestack/node"
import { messages } from "@wirestack/protocol/Connection"
import type { Status } from "@wirestack/protocol/Outcome"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as net from "node:net"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { numbers } from "../support/numbers.ts"

/** Times in milliseconds: `load` passes before the signal, `within` is the drain's, of which `over` to tell the clients. */
const options = numbers({ clients: 100, silent: 10, load: 1_000, within: 3_000, over: 500 })

/** What a process may take to end once the drain is over. */
const grace = 1_000

/** How many messages a client sends ahead of their acknowledgements. */
const ahead = 8

/** What the server says. */
interface Said {
  readonly listening: string
  readonly report: { readonly open: number; readonly clean: number; readonly forced: number; readonly refused: number }
  readonly last: { readonly handled: Record<string, number>; readonly acknowledged: Record<string, number> }
}

const start = (): ChildProcess & { readonly stdout: NodeJS.ReadableStream } =>
  spawn(process.execPath, [
    "--conditions=@wirestack/source",
    path.join(import.meta.dirname, "server.ts"),
    ...["within", "over"].flatMap((name) => [`--${name}`, String(options[name as "within"])])
  ], { stdio: ["ignore", "pipe", "inherit"] }) as any

/** Sends on, a few messages ahead of what is acknowledged, until the server closes. */
const client = Effect.fnUntraced(function*(url: string, name: string, isIn: Latch.Latch) {
  const connection = yield* WebSocket.connect(url)
  yield* isIn.open
  const heard: Array<string> = []
  let sent = 0
  const send = Effect.suspend(() => Effect.ignore(connection.send(`${name} ${++sent}`)))
  yield* Effect.replicateEffect(send, ahead)
  yield* Stream.runForEach(messages(connection), (message) => {
    heard.push(String(message))
    return message === "goodbye" ? Effect.void : send
  })
  const { received } = yield* connection.closed
  return { name, heard, received }
}, Effect.scoped)

type Client = Effect.Success<ReturnType<typeof client>>

/** A client that is in, or not even that, and then neither reads nor says anything. */
const silent = async (port: number, isIn: boolean) => {
  const socket = net.connect(port, "127.0.0.1")
  socket.on("error", () => {})
  await once(socket, "connect")
  if (isIn) {
    socket.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await once(socket, "data")
  }
  socket.pause()
  return socket
}

const failures: Array<string> = []

const check = (what: string, holds: boolean, seen: unknown): void => {
  if (!holds) failures.push(`${what}: ${JSON.stringify(seen)}`)
}

/** Acknowledgements in their order, the goodbye behind them, and then the Close. */
const checkClient = ({ heard, name, received }: Client, { acknowledged, handled }: Said["last"]): void => {
  const status = received as Status | undefined
  check(`${name} is told 1012`, status?.code === 1012, status)
  check(`${name} hears the goodbye last`, heard.at(-1) === "goodbye", heard.at(-1))
  const numbers = heard.slice(0, -1)
  check(`${name} is acknowledged in order`, numbers.every((number, n) => number === String(n + 1)), numbers.slice(-3))
  check(`${name} lost no acknowledgement`, numbers.length === acknowledged[name], [numbers.length, acknowledged[name]])
  check(`${name} was acknowledged what was handled`, acknowledged[name] <= handled[name], [acknowledged, handled])
}

const program = Effect.gen(function*() {
  const server = start()
  yield* Effect.addFinalizer(() => Effect.sync(() => server.kill("SIGKILL")))
  const lines = createInterface({ input: server.stdout })
  const exit = once(server, "exit")
  const [first] = yield* Effect.promise(() => once(lines, "line"))
  const { listening } = JSON.parse(first) as Said
  const last = once(lines, "line")
  const names = Array.from({ length: options.clients }, (_, n) => `client-${n}`)
  const running = yield* Effect.forEach(names, (name) =>
    Effect.gen(function*() {
      const isIn = yield* Latch.make()
      const running = yield* Effect.forkChild(client(listening, name, isIn))
      yield* isIn.await
      return running
    }))
  const port = Number(new URL(listening).port)
  const mute = yield* Effect.promise(() =>
    Promise.all(Array.from({ length: options.silent }, (_, n) => silent(port, n % 5 !== 4)))
  )
  yield* Effect.sleep(options.load)
  const began = performance.now()
  server.kill("SIGTERM")
  const clients = yield* Effect.forEach(running, Fiber.join)
  const told = performance.now() - began
  const late = yield* Effect.flip(Effect.scoped(WebSocket.connect(listening)))
  const [code] = yield* Effect.promise(() => exit)
  const took = performance.now() - began
  const said = JSON.parse((yield* Effect.promise(() => last))[0]) as Said
  for (const socket of mute) socket.destroy()

  check("it ends with 0", code === 0, code)
  check("it ends in time", took <= options.within + grace, took)
  for (const client of clients) checkClient(client, said.last)
  const { reason } = late as { readonly reason: { readonly _tag: string; readonly status?: number } }
  if (options.silent > 0) check("who comes meanwhile is told 503", reason.status === 503, reason)
  const silentInside = options.silent - Math.floor(options.silent / 5)
  const { clean, forced } = said.report
  check("the report counts them", clean === options.clients && forced === silentInside, said.report)
  const acknowledged = Object.values(said.last.acknowledged).reduce((sum, number) => sum + number, 0)
  console.log(JSON.stringify(said.report))
  console.log(
    `${clients.length} clients were told after ${
      told.toFixed(0)
    } ms at most, ${acknowledged} messages were acknowledged and none lost, ` +
      `the server ended after ${took.toFixed(0)} ms`
  )
})

await Effect.runPromise(Effect.scoped(program))
for (const failure of failures) console.error(failure)
process.exit(failures.length === 0 ? 0 : 1)
