/**
 * The load generator for machines without a C compiler: what load/load.c says of itself holds, but it knows only the mode
 * `echo`, and being slower it is sooner the bottleneck. What a server's threads used before they ended is not seen.
 */
import { readFileSync } from "node:fs"
import * as net from "node:net"
import * as readline from "node:readline"
import * as tls from "node:tls"
import { cpuOf, ownCpu } from "./cpu.ts"
import { bucketOf, type Sample } from "./Sample.ts"
import * as Script from "./Script.ts"

const [, , mode, port, server, connections, depth, file, secure] = process.argv
const script = Script.decode(readFileSync(file))

const fail = (error: string): never => {
  console.log(JSON.stringify({ error }))
  return process.exit(1)
}

const nanos = (): number => performance.now() * 1e6

/** Whether echoes are answered with the next messages, and whether they are counted. */
const flow = { running: false, counting: false }
const histogram = new Map<number, number>()

/** An open connection, which checks every byte. */
class Connection {
  done = 0
  private granted = 0
  private received = 0
  /** When each message under way was sent. */
  private readonly stamps: Array<number> = Array.from({ length: Number(depth) })
  private readonly socket: net.Socket

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.on("data", (chunk) => this.receive(chunk))
    socket.on("close", () => fail("the server has closed"))
  }

  get isQuiet(): boolean {
    return this.done === this.granted
  }

  grant(messages: number): void {
    const from = script.sent.start(this.granted)
    const now = nanos()
    for (; messages > 0; messages--) this.stamps[this.granted++ % this.stamps.length] = now
    for (const piece of script.sent.between(from, script.sent.start(this.granted))) this.socket.write(piece)
  }

  private receive(chunk: Buffer): void {
    const before = this.done
    const from = this.received
    this.received += chunk.length
    for (const piece of script.echoed.between(from, this.received)) {
      if (!chunk.subarray(0, piece.length).equals(piece)) fail("what came back is wrong")
      chunk = chunk.subarray(piece.length)
    }
    const now = nanos()
    for (; script.echoed.start(this.done + 1) <= this.received; this.done++) {
      if (!flow.counting) continue
      const bucket = bucketOf(now - this.stamps[this.done % this.stamps.length])
      histogram.set(bucket, (histogram.get(bucket) ?? 0) + 1)
    }
    if (this.done > this.granted) fail("a message nobody asked for")
    if (flow.running && this.done > before) this.grant(this.done - before)
  }
}

const open = (): Promise<Connection> =>
  new Promise((resolve) => {
    const options = { port: Number(port), host: "127.0.0.1", noDelay: true }
    const connected = (): void => {
      if (script.request.length === 0) return resolve(new Connection(socket))
      socket.write(script.request)
      let head = ""
      socket.on("data", function read(chunk) {
        head += chunk.toString("latin1")
        const end = head.indexOf("\r\n\r\n")
        if (end < 0) return
        if (end + 4 !== head.length) fail("the answer is not a head alone")
        if (!head.startsWith("HTTP/1.1 101 ") || !head.includes(script.answer)) fail("no upgrade")
        socket.removeListener("data", read)
        resolve(new Connection(socket))
      })
    }
    const socket = secure === undefined
      ? net.connect(options, connected)
      : tls.connect({ ...options, rejectUnauthorized: false }, connected)
    socket.on("error", ({ message }) => fail(message))
  })

const serverCpu = (): number => cpuOf(Number(server))

const wait = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** What the server still has to do for this load is not to be on the account of another. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 40; i++) {
    const before = serverCpu()
    await wait(25)
    if (serverCpu() - before < 0.0005) return
  }
}

const window = async (all: ReadonlyArray<Connection>, millis: number): Promise<Sample> => {
  const count = (): number => all.reduce((sum, { done }) => sum + done, 0)
  histogram.clear()
  flow.running = true
  for (const connection of all) connection.grant(Number(depth))
  await wait(millis / 5)
  const before = { count: count(), server: serverCpu(), own: ownCpu(), time: nanos() }
  flow.counting = true
  await wait(millis)
  const seen = {
    count: count() - before.count,
    seconds: (nanos() - before.time) / 1e9,
    server: serverCpu() - before.server,
    own: ownCpu() - before.own
  }
  flow.running = flow.counting = false
  for (const deadline = nanos() + 20e9; !all.every(({ isQuiet }) => isQuiet);) {
    if (nanos() > deadline) fail("not everything came back within 20 s")
    await wait(1)
  }
  await settle()
  return { ...seen, latency: [...histogram] }
}

if (mode !== "echo") fail(`no mode ${mode}`)
const all: Array<Connection> = []
while (all.length < Number(connections)) {
  all.push(...await Promise.all(Array.from({ length: Math.min(128, Number(connections) - all.length) }, open)))
}
console.log("{}")
for await (const line of readline.createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await window(all, Number(line))))
}
process.exit()
