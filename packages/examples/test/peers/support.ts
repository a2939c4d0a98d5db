/** What the servers that others wrote need: a port, a folder, a configuration. */
import { Codec, type Machine, Subprotocol } from "@wirestack/protocol"
import { MachineSuite, random } from "@wirestack/protocol/testing"
import { Tcp } from "@wirestack/transport-tcp"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Schema, type Scope } from "effect"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"

/** A port that nobody listens on. */
const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** So many of them. */
export const freePorts = (count: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.all(Array.from({ length: count }, () => freePort), { concurrency: "unbounded" })

/** A folder for as long as the scope is open. */
export const folder = (name: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), `wirestack-${name}-`))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  )

/** A file in a folder. */
export const write = (folder: string, name: string, text: string): string => {
  const full = path.join(folder, name)
  fs.writeFileSync(full, text)
  return full
}

/** A value in the size that makes servers and parsers sweat. */
export const mebibyte = new Uint8Array(1_048_576).map((_, n) => n * 7 + (n >> 8))

/** The certificate of an authority that has issued none of theirs. */
export const stranger: Effect.Effect<string> = Effect.map(DevelopmentCertificates.make(), ({ ca }) => ca)

class Nonsense extends Subprotocol.Service<Nonsense>()("nonsense", { client: Schema.String, server: Schema.String }) {}

/** Offers a subprotocol that nobody speaks; tells why there is no connection. */
export const offeringNonsense = (url: string) =>
  Nonsense.connect(url).pipe(
    Effect.scoped,
    Effect.provide(Tcp.layer().pipe(WebSocket.client(), Nonsense.over(Codec.json()))),
    Effect.flip,
    Effect.map(({ reason }) => reason)
  )

/** Whatever a peer says that is made of these pieces, a machine takes it, or says by a reason of its own why it does not. */
export const verifyGarbage = (
  make: () => Machine.Machine<Uint8Array, Uint8Array, unknown, never>,
  pieces: ReadonlyArray<string>
): void => {
  const endings = new Set<string>()
  for (let seed = 1; seed <= 2_000; seed++) {
    const next = random(seed, 1_000)
    const said = Array.from({ length: 1 + next(0) % 12 }, () => pieces[next(0) % pieces.length]).join("")
    const { ending, reason } = MachineSuite.feed(make(), [[Buffer.from(said, "latin1")]])
    const isTyped = ["open", "TooLarge", "Violation", "Undecodable"].includes(ending)
    if (!isTyped) throw new Error(`${JSON.stringify(said)}: ${String(reason)}`)
    endings.add(ending)
  }
  if (endings.size < 2) throw new Error(`all ended in ${[...endings].join()}`)
}
