/** Runs cases against a server or against a client, some at a time. */
import { once } from "node:events"
import * as Net from "node:net"
import type { Case } from "./cases/Case.ts"
import { answerTo, format, type Parameters, parse, readAnswer } from "./Deflate.ts"
import { Broken } from "./Frame.ts"
import { answer, connect, type Head, readHead } from "./Handshake.ts"
import { Mismatch, Peer } from "./Peer.ts"

export interface Result {
  readonly case: Case
  readonly took: number
  /** What was expected, and seen instead. */
  readonly failure?: string
  /** Why it could not be run. */
  readonly skipped?: string
}

class Skipped extends Error {}

/** How many cases run at once, and how long each waits for what it expects. */
const light = { concurrency: 8, patience: 5000 }
const heavy = { concurrency: 2, patience: 30_000 }

/** The cases that may run side by side. */
const groups = (cases: ReadonlyArray<Case>) =>
  [
    { ...light, cases: cases.filter(({ heavy }) => heavy !== true) },
    { ...heavy, cases: cases.filter(({ heavy }) => heavy === true) }
  ].filter(({ cases }) => cases.length > 0)

const run = async (one: Case, open: () => Promise<Peer>): Promise<Result> => {
  const started = performance.now()
  const done = (how: Omit<Result, "case" | "took">) => ({ case: one, took: performance.now() - started, ...how })
  let peer: Peer | undefined
  try {
    peer = await open()
    await one.run(peer)
    peer.finish()
    return done({})
  } catch (error) {
    peer?.abort()
    const { message, stack } = error as Error
    if (error instanceof Skipped) return done({ skipped: message })
    if (error instanceof Broken) {
      return done({ failure: `expected a peer that keeps the rules, saw otherwise: ${message}` })
    }
    return done({ failure: error instanceof Mismatch ? message : stack ?? message })
  }
}

/** How permessage-deflate was negotiated with a server. */
const agreedWith = ({ headers }: Head, { deflate, offer }: Case): Parameters | undefined => {
  const header = headers.get("sec-websocket-extensions")
  if (deflate === undefined) {
    if (header !== undefined) throw new Mismatch("no extension", header)
    return undefined
  }
  const agreed = readAnswer(header, deflate)
  if (agreed === undefined && offer !== undefined) throw new Mismatch("an answer to the offer", "none")
  if (agreed === undefined) throw new Skipped("the server declined the offer")
  return agreed
}

/** Whether the server takes the simplest offer. */
const compressing = async (url: string): Promise<boolean> => {
  const { head, socket } = await connect(url, format({}))
  socket.destroy()
  return head.headers.has("sec-websocket-extensions")
}

/** Runs the cases against the server at a URL, which echoes. */
export const againstServer = async (url: string, cases: ReadonlyArray<Case>): Promise<ReadonlyArray<Result>> => {
  const results: Array<Result> = []
  const compresses = await compressing(url)
  const runOne = (one: Case, patience: number) =>
    run(one, async () => {
      if (one.deflate !== undefined && !compresses) throw new Skipped("the server does not compress")
      const offer = one.offer ?? (one.deflate === undefined ? undefined : format(one.deflate))
      const { head, socket } = await connect(url, offer)
      try {
        return new Peer(socket, head.rest, { role: "client", agreed: agreedWith(head, one), patience })
      } catch (error) {
        socket.destroy()
        throw error
      }
    })
  for (const { cases: group, concurrency, patience } of groups(cases)) {
    const queue = [...group]
    await Promise.all(Array.from({ length: concurrency }, async () => {
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) results.push(await runOne(one, patience))
    }))
  }
  return results
}

/** What a server answers to what a client offered, for this case. */
const answerFor = ({ headers }: Head, { deflate }: Case): Parameters | undefined => {
  const offers = parse(headers.get("sec-websocket-extensions") ?? "")
  if (deflate === undefined) return undefined
  if (offers.length === 0) throw new Skipped("the client does not offer to compress")
  for (const offer of offers) {
    const agreed = answerTo(offer, deflate)
    if (agreed !== undefined) return agreed
  }
  throw new Skipped("the client's offer has no client_max_window_bits")
}

const gone = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

/** Starts a client with a URL and a number of connections; settles when it has ended. The signal gives it up. */
export type Start = (url: string, connections: number, signal: AbortSignal) => Promise<void>

/** How long a client may do nothing. */
const idleFor = 15_000

/** Serves one group of cases, one a connection, and then refuses. */
const serveGroup = async (
  { cases, concurrency, patience }: ReturnType<typeof groups>[number],
  start: Start
): Promise<ReadonlyArray<Result>> => {
  const results: Array<Result> = []
  const queue = [...cases]
  const idle = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let busy = 0
  const watch = (change: 1 | -1 | 0) => {
    busy += change
    clearTimeout(timer)
    if (busy === 0) timer = setTimeout(() => idle.abort(), idleFor)
  }
  const serve = async (socket: Net.Socket) => {
    const head = await readHead(socket)
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const current = one
      let used = false
      results.push(
        await run(current, async () => {
          const agreed = answerFor(head, current)
          const response = answer(head, agreed === undefined ? undefined : format(agreed))
          used = true
          // What the case begins with arrives together with the handshake.
          socket.cork()
          socket.write(response)
          process.nextTick(() => socket.uncork())
          return new Peer(socket, head.rest, { role: "server", agreed, patience })
        })
      )
      if (used) return
    }
    socket.end(gone)
  }
  const server = Net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => {})
    watch(1)
    serve(socket).catch(() => socket.destroy()).finally(() => watch(-1))
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  const { port } = server.address() as Net.AddressInfo
  watch(0)
  const failed = await start(`ws://127.0.0.1:${port}/`, concurrency, idle.signal).then(() => undefined, String)
  clearTimeout(timer)
  server.close()
  const failure = failed ?? "expected to be run, saw the client end before"
  const unseen = cases.filter((one) => !results.some((result) => result.case === one))
  return [...results, ...unseen.map((one) => ({ case: one, took: 0, failure }))]
}

/**
 * Runs the cases against a client, which connects with so many connections at once, again and again, echoes on each, and
 * ends when it is refused.
 */
export const againstClient = async (start: Start, cases: ReadonlyArray<Case>): Promise<ReadonlyArray<Result>> => {
  const results: Array<Result> = []
  for (const group of groups(cases.filter(({ offer }) => offer === undefined))) {
    results.push(...await serveGroup(group, start))
  }
  return results
}
