/**
 * A client under test, as it is driven from outside: like a load generator (see load/load.c) it says "{}" when it is ready, a line
 * "MILLISECONDS" begins a window, and what it saw is one line of JSON. What is measured is this process itself.
 */
import * as readline from "node:readline"
import { ownCpu } from "../cpu.ts"
import { make } from "../Messages.ts"
import type { Kind } from "../Messages.ts"
import type { Sample } from "../Sample.ts"
import type { Serving } from "../Serving.ts"

/** What a client is told, as JSON in its first argument. */
export interface Told {
  /** The server. */
  readonly pid: number
  readonly port: number
  readonly connections: number
  readonly depth: number
  readonly kind: Kind
  readonly size: number
  readonly serving: Serving
}

export const told: Told = JSON.parse(process.argv[2])

export const url = `ws://127.0.0.1:${told.port}/`

const messages = Array.from({ length: 16 }, (_, n) => Buffer.from(make(told.kind, n, told.size) as Uint8Array))

/** Whether a window is open: then every echo is answered with the next message. */
export const flow = { running: false }

/** One connection's messages: which one comes next, and which has to come back. */
export class Lane {
  echoed = 0
  private sent = 0

  /** The next message to send. */
  next(): Uint8Array {
    return messages[this.sent++ % messages.length]
  }

  /** As many of the next as are under way. */
  begin(): ReadonlyArray<Uint8Array> {
    return Array.from({ length: told.depth }, () => this.next())
  }

  /** Checks what came back. */
  take(message: Uint8Array): void {
    if (!messages[this.echoed++ % messages.length].equals(message)) throw new Error("what came back is wrong")
  }

  get isQuiet(): boolean {
    return this.echoed === this.sent
  }
}

/** A connected client: its messages, and how it sends the first of them. */
export interface Driven {
  readonly lane: Pick<Lane, "begin" | "echoed" | "isQuiet">
  readonly send: (messages: ReadonlyArray<Uint8Array>) => void
}

const wait = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const window = async (clients: ReadonlyArray<Driven>, millis: number, used: () => number): Promise<Sample> => {
  const echoed = (): number => clients.reduce((sum, { lane }) => sum + lane.echoed, 0)
  flow.running = true
  for (const { lane, send } of clients) send(lane.begin())
  await wait(millis / 5)
  const before = { count: echoed(), cpu: used(), time: performance.now() }
  await wait(millis)
  const sample = {
    count: echoed() - before.count,
    seconds: (performance.now() - before.time) / 1_000,
    server: used() - before.cpu,
    own: 0,
    latency: []
  }
  flow.running = false
  while (!clients.every(({ lane }) => lane.isQuiet)) await wait(5)
  return sample
}

/** Obeys whoever measures, until its input ends; `used` tells the seconds of CPU of whatever is measured, by default of this process. */
export const drive = async (clients: ReadonlyArray<Driven>, used = ownCpu): Promise<never> => {
  console.log("{}")
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await window(clients, Number(line), used)))
  }
  return process.exit(0)
}
