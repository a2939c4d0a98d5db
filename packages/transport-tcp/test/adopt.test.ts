import { afterEach, assert, describe, it } from "@effect/vitest"
import { Endpoint, Transport } from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { SocketWire } from "@wirestack/protocol/wire/SocketWire"
import type { Receiver } from "@wirestack/protocol/wire/Wire"
import { resources } from "@wirestack/test-support"
import { Tcp, Unix } from "@wirestack/transport-tcp"
import { Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { adopt, capable } from "../src/internal/adopt.ts"

const capabilities = { halfClose: true, statuses: "bytes carry no reason", abortIsSeen: true } as const
const suite = { shape: Transport.Bytes, samples: Samples.bytes, capabilities, resources }
const { identity, trust } = await Effect.runPromise(DevelopmentCertificates.localhost)
let paths = 0

const suites = {
  tcp: transportSuite({
    ...suite,
    layer: () => Tcp.layer(),
    endpoint: () => "127.0.0.1:0",
    nobody: "127.0.0.1:1"
  }),
  "tls on tcp": transportSuite({
    ...suite,
    layer: () => Tls.over({ client: { trust }, server: { identity } })(Tcp.layer()),
    endpoint: () => "127.0.0.1:0",
    nobody: "127.0.0.1:1"
  }),
  unix: transportSuite({
    ...suite,
    layer: () => Unix.layer(),
    endpoint: () => Endpoint.unix(`${tmpdir()}/wirestack-${process.pid}-${paths++}.sock`),
    nobody: `unix:${tmpdir()}/wirestack-nobody.sock`,
    capabilities: { ...capabilities, abortIsSeen: "an abort of a Unix socket is an ordinary end" }
  })
}

afterEach(() => {
  capable.dialed = capable.accepted = true
})

it("this Node can do it", () => assert.isTrue(capable.accepted))

// Where Node can do it, every transport reads into our memory, and its own suite has shown that.
describe("reading as any stream", () => {
  for (const [name, cases] of Object.entries(suites)) {
    describe(name, () => {
      for (const { name, run } of cases) {
        it.live(name, () => {
          capable.dialed = capable.accepted = false
          return run
        })
      }
    })
  }
})

/** A wire on an accepted socket, with a receiver that offers `memory` and keeps what it gets. */
const accept = async (memory: () => Uint8Array | undefined) => {
  const server = Net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const client = Net.connect((server.address() as Net.AddressInfo).port, "127.0.0.1")
  const [socket] = await once(server, "connection") as [Net.Socket]
  const wire = new SocketWire(socket, { layer: "tcp" }, adopt(socket))
  const got: Array<Uint8Array> = []
  let size = 0
  let wanted: { readonly size: number; readonly resolve: () => void } | undefined
  const receiver: Receiver<Uint8Array> = {
    memory,
    receive: (batch, more) => {
      got.push(...batch)
      size += more
      if (wanted !== undefined && size >= wanted.size) wanted.resolve()
    },
    drained: () => {},
    ended: () => {},
    goodbye: () => {},
    failed: () => {}
  }
  wire.attach(receiver)
  wire.resume()
  const until = (all: number) =>
    new Promise<void>((resolve) => size >= all ? resolve() : wanted = { size: all, resolve })
  const close = async () => {
    wire.abort()
    client.destroy()
    server.close()
    await once(server, "close")
  }
  return { client, close, got, server, until, wire }
}

it("chunks share no byte, and a tiny one keeps little memory alive", async () => {
  const { client, close, got, until } = await accept(() => undefined)
  let sent = 0
  for (const size of [3, 3, 1_000, 5_000, 60_000, 3]) {
    client.write(Buffer.alloc(size))
    await until(sent += size)
  }
  for (const [i, chunk] of got.entries()) chunk.fill(i)
  for (const [i, chunk] of got.entries()) {
    assert.isTrue(chunk.every((byte) => byte === i))
    if (chunk.length <= 1_000) assert.isAtMost(chunk.buffer.byteLength, 16_384)
  }
  await close()
})

it("reads into the memory it is offered", async () => {
  const memory = new Uint8Array(200_000)
  let filled = 0
  const { client, close, got, until } = await accept(() => {
    filled = got.slice(1).reduce((sum, { length }) => sum + length, 0)
    return got.length === 0 || filled === memory.length ? undefined : memory.subarray(filled)
  })
  // The first read was asked for before anything was received.
  client.write("first")
  await until(5)
  const sent = Buffer.from(Uint8Array.from({ length: memory.length + 4 }, (_, i) => i * 7 + (i >> 8)))
  client.write(sent)
  await until(5 + sent.length)
  assert.isTrue(sent.subarray(0, memory.length).equals(memory))
  const last = got.at(-1)!
  assert.notStrictEqual(last.buffer, memory.buffer)
  assert.isTrue(sent.subarray(memory.length).equals(last))
  for (const chunk of got.slice(1, -1)) assert.strictEqual(chunk.buffer, memory.buffer)
  await close()
})

it("reads nothing while paused, and the server still counts the connection", async () => {
  const { client, close, got, server, until, wire } = await accept(() => undefined)
  const count = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)))
  assert.strictEqual(await count(), 1)
  wire.pause()
  client.write("later")
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.strictEqual(got.length, 0)
  wire.resume()
  await until(5)
  wire.abort()
  await once(client, "close").catch(() => {})
  assert.strictEqual(await count(), 0)
  await close()
})
