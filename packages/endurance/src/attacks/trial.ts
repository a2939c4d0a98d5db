/** An attack by so many at once, and what came of it. */
import { once } from "node:events"
import * as net from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { type Child, start } from "../support/Child.ts"
import { accepted, request } from "../support/upgrade.ts"
import type { Attack } from "./Attack.ts"
import type * as Bystander from "./bystander.ts"
import type { Drained, News, Questions } from "./Serving.ts"

export interface Result {
  /** How long it took until all were stopped, in milliseconds. */
  readonly took: number
  /** The memory an attacker cost while it was there, in KiB without garbage. */
  readonly held: number
  /** How much all of them together cost at the most, in MiB with all garbage. */
  readonly peak: number
  readonly news: News
  readonly drained: Drained
  /** The longest that the bystander waited for an echo, in milliseconds. */
  readonly waited: number
  /** What was not as it should be. */
  readonly faults: ReadonlyArray<string>
}

/** How many open their connections at once. */
const atOnce = 200

/** How much longer it may take on a machine that has much else to do, in milliseconds. */
const slack = 5_000

/** They come from an address of their own, so that they can be told apart from the bystander. */
const source = "127.0.0.2"

const opened = async (socket: net.Socket, port: number, { opening }: Attack): Promise<void> => {
  if (opening === undefined) return
  socket.write(request(port, opening.path, ...opening.headers ?? []))
  let head = ""
  while (!head.includes("\r\n\r\n")) head += String((await once(socket, "data"))[0])
  if (!head.includes(accepted)) throw new Error(`no upgrade: ${head.split("\r\n")[0]}`)
}

/** Not `once` of Node's events, which takes an error for the end. */
const closed = (socket: net.Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once("close", () => resolve())
  })

/** One attacker; resolves once it attacks, or was cut before. */
const attacker = (port: number, attack: Attack): readonly [socket: net.Socket, begun: Promise<void>] => {
  const socket = net.connect({ host: "127.0.0.1", port, localAddress: source })
  socket.on("error", () => undefined)
  const begun = once(socket, "connect").then(() => opened(socket, port, attack)).then(() => {
    // What comes is read, unless the attack is not to read.
    socket.resume()
    attack.act(socket)
  }, () => {
    socket.destroy()
  })
  return [socket, begun]
}

const wantedOf = ({ spared = 0 }: Attack, count: number): number => count - spared

/** What has gone by itself is not yet told of. */
const told = async (target: Child<Questions>, attack: Attack, count: number): Promise<void> => {
  for (const until = performance.now() + attack.within; performance.now() < until;) {
    if (((await target.ask("news"))[attack.stoppedBy] ?? 0) >= wantedOf(attack, count)) return
    await sleep(20)
  }
}

const faultsOf = (attack: Attack, count: number, took: number, held: number, news: News): ReadonlyArray<string> => {
  const stopped = news[attack.stoppedBy] ?? 0
  const wanted = wantedOf(attack, count)
  return [
    ...stopped === wanted
      ? []
      : [`${stopped} of ${wanted} were stopped by ${attack.stoppedBy}: ${JSON.stringify(news)}`],
    ...took <= attack.within + slack ? [] : [`it took ${took.toFixed(0)} ms, and may take ${attack.within}`],
    ...held <= attack.most ? [] : [`an attacker costs ${held.toFixed(1)} KiB, and may cost ${attack.most}`]
  ]
}

/** Attacks by `count`; the server is opened for it, and closed in the end. */
const through = async (
  target: Child<Questions>,
  bystander: Child<Bystander.Questions>,
  attack: Attack,
  count: number
): Promise<Result> => {
  const port = await target.ask("open", attack.serving)
  await bystander.ask("begin", `${attack.serving.tls === undefined ? "ws" : "wss"}://127.0.0.1:${port}/`)
  const before = await target.ask("usage")
  await target.ask("peak")
  const from = performance.now()
  const sockets: Array<net.Socket> = []
  const lane = async (): Promise<void> => {
    while (sockets.length < count) {
      const [socket, begun] = attacker(port, attack)
      sockets.push(socket)
      await begun
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane))
  const all = performance.now() - from
  if (attack.lasts === true) await sleep(300)
  const during = await target.ask("usage")
  const held = (during.heap + during.external - before.heap - before.external) * 1_024 / count
  const stopped = Promise.all(sockets.map(closed))
  if (attack.lasts !== true) {
    await Promise.race([stopped, sleep(attack.within + slack)])
    await told(target, attack, count)
  }
  const took = performance.now() - from - all
  const peak = await target.ask("peak") - before.rss
  const served = await bystander.ask("stop")
  const drained = await target.ask("close")
  const news = await target.ask("news")
  for (const socket of sockets) socket.destroy()
  const time = attack.lasts === true ? drained.took : took
  return {
    took: time,
    held,
    peak,
    news,
    drained,
    waited: typeof served === "string" ? Infinity : served.max,
    faults: [
      ...typeof served === "string" ? [`the bystander was not served: ${served}`] : [],
      ...faultsOf(attack, count, time, held, news)
    ]
  }
}

/** The same on a new server, beside a new bystander. */
export const trial = async (attack: Attack, count: number): Promise<Result> => {
  const target = start<Questions>(new URL("./target.ts", import.meta.url), [], ["--expose-gc"])
  const bystander = start<Bystander.Questions>(new URL("./bystander.ts", import.meta.url))
  try {
    return await through(target, bystander, attack, count)
  } finally {
    await bystander.stop()
    await target.stop()
  }
}
