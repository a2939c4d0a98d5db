/** The load's program: opens many connections, keeps them busy, and tells what it saw. */
import { setTimeout as sleep } from "node:timers/promises"
import { answer } from "../support/Child.ts"
import { Histogram, type Summary } from "../support/Histogram.ts"
import { Visitor } from "./Visitor.ts"

/** What it is told when it is to open connections. */
export interface Storm {
  readonly port: number
  readonly connections: number
  /** How many are opened at once. */
  readonly atOnce: number
}

/** What came of that: in seconds, and of one connection in nanoseconds. */
export interface Stormed {
  readonly seconds: number
  readonly opening: Summary
}

/** What it saw: latencies in nanoseconds, and what went wrong. */
export interface Seen {
  readonly echo: Summary
  readonly broadcast: Summary
  readonly errors: number
  /** The first few of them. */
  readonly samples: ReadonlyArray<string>
}

/** What the load is asked. */
export interface Questions {
  readonly storm: Stormed
  /** Begins to send: every connection every so many seconds. */
  readonly send: void
  /** Stops, waits for what is missing, and tells all; its argument is the number of broadcasts. */
  readonly finish: Seen
}

/** A source address has ports for so many: those beyond come from further ones. */
const portsPerAddress = 20_000

/** The first one is the system's choice, which finds a port faster than who binds to one. */
const sourceOf = (index: number): string | undefined =>
  index < portsPerAddress ? undefined : `127.0.0.${1 + Math.floor(index / portsPerAddress)}`

/** How long what is missing may still come, in milliseconds. */
const patience = 10_000

const latencies = { echo: new Histogram(), broadcast: new Histogram() }
const visitors: Array<Visitor> = []
const samples: Array<string> = []
let errors = 0
let sending: NodeJS.Timeout | undefined

const failed = (why: string): void => {
  errors++
  if (samples.length < 5) samples.push(why)
}

const open = (port: number, index: number): Promise<void> =>
  new Promise((resolve) => {
    visitors.push(
      new Visitor({ host: "127.0.0.1", port, localAddress: sourceOf(index) }, latencies, resolve, (why) => {
        failed(why)
        resolve()
      })
    )
  })

const storm = async ({ atOnce, connections, port }: Storm): Promise<Stormed> => {
  const opening = new Histogram()
  const from = performance.now()
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < connections) {
      const began = performance.now()
      await open(port, next++)
      opening.add((performance.now() - began) * 1e6)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return { seconds: (performance.now() - from) / 1_000, opening: opening.summary }
}

/** Those whose turn it is, a hundred times a second, so that all have sent after `every` seconds. */
const send = (every: number): void => {
  let said = 0
  const began = performance.now()
  sending = setInterval(() => {
    const due = Math.floor((performance.now() - began) / 1_000 / every * visitors.length)
    for (; said < due; said++) visitors[said % visitors.length].say()
  }, 10)
}

const finish = async (broadcasts: number): Promise<Seen> => {
  clearInterval(sending)
  const isMissing = ({ echoed, heard, sent }: Visitor): boolean => echoed < sent || heard < broadcasts
  for (let waited = 0; visitors.some(isMissing) && waited < patience; waited += 10) await sleep(10)
  for (const { echoed, heard, sent } of visitors.filter(isMissing)) {
    failed(`${sent - echoed} echoes and ${broadcasts - heard} broadcasts are missing`)
  }
  return { echo: latencies.echo.summary, broadcast: latencies.broadcast.summary, errors, samples }
}

answer({ storm, send, finish })
