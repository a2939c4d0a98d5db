/** Writing past the stream of a socket: what waits, what is done at once, and what becomes of it at the end. */
import { assert, it } from "@effect/vitest"
import { SocketWire } from "@wirestack/protocol/wire/SocketWire"
import type { Receiver } from "@wirestack/protocol/wire/Wire"
import * as crypto from "node:crypto"
import { once } from "node:events"
import * as Net from "node:net"
import { adopt } from "../src/internal/adopt.ts"
import { outletOf, writesPast } from "../src/internal/outlet.ts"

const accept = async () => {
  const server = Net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const client = Net.connect({ port: (server.address() as Net.AddressInfo).port, host: "127.0.0.1" }).pause()
  const [socket] = await once(server, "connection") as [Net.Socket]
  const outlet = outletOf(socket)!
  const wire = new SocketWire(socket, { layer: "tcp", copies: true }, adopt(socket), outlet)
  let drained: (() => void) | undefined
  const receiver: Receiver<Uint8Array> = {
    receive: () => {},
    drained: () => drained?.(),
    ended: () => {},
    goodbye: () => {},
    failed: () => {}
  }
  wire.attach(receiver)
  wire.resume()
  const room = () => wire.writable ? Promise.resolve() : new Promise<void>((resolve) => drained = resolve)
  return { client, outlet, room, server, socket, wire }
}

/** Some bytes of each size, none like the other. */
const chunksOf = (sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> =>
  sizes.map((size, n) => Uint8Array.from({ length: size }, (_, i) => (n * 31 + i * 7 + (i >> 8)) & 0xff))

const hashOf = (chunks: Iterable<Uint8Array>): string => {
  const hash = crypto.createHash("sha256")
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest("hex")
}

it("Node can be written to so, up to 25", () => {
  assert.strictEqual(writesPast, Number(process.versions.node.split(".")[0]) < 26)
})

it.skipIf(!writesPast)("small and large pieces arrive in order at a slow reader, and the end after them", async () => {
  const { client, outlet, room, server, wire } = await accept()
  const sizes = Array.from({ length: 600 }, (_, n) => [1, 70, 5_000, 40_000, 200_000][n % 5])
  const sent = chunksOf(sizes)
  const received: Array<Buffer> = []
  client.on("data", (chunk) => received.push(chunk)).pause()
  let waited = false
  const reading = setInterval(() => client.isPaused() ? client.resume() : client.pause(), 2)
  for (const chunk of sent) {
    await room()
    wire.write(chunk)
    if (chunk.length % 3 > 0) wire.flush()
    waited ||= outlet.waiting > 0
  }
  wire.end()
  clearInterval(reading)
  client.resume()
  await once(client, "end")
  assert.isTrue(waited)
  assert.strictEqual(hashOf(received), hashOf(sent))
  assert.strictEqual(outlet.waiting, 0)
  wire.abort()
  server.close()
  await once(server, "close")
})

it.skipIf(!writesPast)("what waits is given up by an abort, also after the end was announced", async () => {
  const { client, outlet, server, socket, wire } = await accept()
  for (const chunk of chunksOf(Array.from({ length: 100 }, () => 100_000))) wire.write(chunk)
  assert.isAbove(outlet.waiting, 0)
  wire.end()
  client.on("error", () => {})
  wire.abort()
  await once(socket, "close")
  client.destroy()
  server.close()
  await once(server, "close")
})

it.skipIf(!writesPast)("a write to a socket whose peer is gone is the socket's error", async () => {
  const { client, server, socket, wire } = await accept()
  const failed = once(socket, "error")
  client.resetAndDestroy()
  const writing = setInterval(() => {
    wire.write(new Uint8Array(10))
    wire.flush()
  }, 1)
  const [error] = await failed as [NodeJS.ErrnoException]
  clearInterval(writing)
  assert.include(["EPIPE", "ECONNRESET"], error.code)
  server.close()
  await once(server, "close")
})
