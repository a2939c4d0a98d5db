/** Every stack of bytes there is, under one name each, with where to listen and how to connect. */
import { Endpoint, MemoryTransport, type Transport } from "@wirestack/protocol"
import { Tcp, Unix } from "@wirestack/transport-tcp"
import { Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Effect, type Layer } from "effect"
import * as fs from "node:fs"
import * as Net from "node:net"
import * as os from "node:os"
import * as path from "node:path"

type Can = Transport.Connect | Transport.Listen

/** A stack of bytes to test, and to build upon. */
export interface ByteStack {
  readonly name: string
  readonly layer: () => Layer.Layer<Transport.ByteTransport<Can>, unknown>
  readonly endpoint: () => Endpoint.Input
  readonly nobody: Endpoint.Input
}

const { ca, identity } = await Effect.runPromise(Effect.gen(function*() {
  const authority = yield* DevelopmentCertificates.make()
  return { ca: authority.ca, identity: yield* authority.issue() }
}))

export const tls = () => Tls.over({ client: { trust: { ca }, serverName: "localhost" }, server: { identity } })

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "wirestack-"))
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }))
let sockets = 0

/** A path for a socket of its own. */
export const unixEndpoint = () => Endpoint.unix(path.join(folder, `${sockets++}.sock`))

/** A port that nobody listens on: one that was free a moment ago. */
export const freePort = Effect.promise(() =>
  new Promise<number>((resolve) => {
    const server = Net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as Net.AddressInfo
      server.close(() => resolve(port))
    })
  })
)

const nobody = `127.0.0.1:${await Effect.runPromise(freePort)}`

export const onTcp = { endpoint: () => "127.0.0.1:0", nobody }
export const inMemory = { endpoint: () => "memory:here", nobody: "memory:nobody" }

export const byteStacks: ReadonlyArray<ByteStack> = [
  { name: "TCP", layer: () => Tcp.layer(), ...onTcp },
  {
    name: "Unix",
    layer: () => Unix.layer(),
    endpoint: unixEndpoint,
    nobody: Endpoint.unix(path.join(folder, "nobody.sock"))
  },
  { name: "TLS over TCP", layer: () => tls()(Tcp.layer()), ...onTcp },
  { name: "TLS over memory", layer: () => tls()(MemoryTransport.layer()), ...inMemory },
  { name: "TLS in TLS", layer: () => tls()(tls()(Tcp.layer())), ...onTcp }
]
