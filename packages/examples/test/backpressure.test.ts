/** A peer that does not read stalls who sends, whatever the stack, and memory stays bounded. */
import { assert, describe, it } from "@effect/vitest"
import { Transport } from "@wirestack/protocol"
import { type Connection, messages } from "@wirestack/protocol/Connection"
import { Tcp } from "@wirestack/transport-tcp"
import { Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { WebSocket } from "@wirestack/websocket"
import { Deferred, Effect, type Layer, Stream } from "effect"
import { createHash } from "node:crypto"
import { once } from "node:events"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { WebSocket as Ws } from "ws"
import { example, run, type Running } from "./support/processes.ts"

const mebibyte = 1_048_576

const { ca, identity } = await Effect.runPromise(Effect.gen(function*() {
  const authority = yield* DevelopmentCertificates.make()
  return { ca: authority.ca, identity: yield* authority.issue() }
}))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "wirestack-flood-"))
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }))
const caFile = path.join(folder, "ca.pem")
fs.writeFileSync(caFile, ca)

type Stack = Layer.Layer<Transport.MessageTransport<Transport.Listen>, unknown>

/** Asks until the answer is the same for half a second. */
const settled = <A>(ask: Effect.Effect<A>, same: (one: A, other: A) => boolean): Effect.Effect<A> =>
  Effect.gen(function*() {
    let last = yield* ask
    for (let still = 0; still < 5;) {
      yield* Effect.sleep("100 millis")
      const next = yield* ask
      still = same(last, next) ? still + 1 : 0
      last = next
    }
    return last
  })

/** How far the sender is, and how much memory it has taken for that. */
const progress = (sender: Running) => {
  let asked = 0
  return Effect.gen(function*() {
    asked++
    yield* sender.write("?\n")
    yield* sender.says(new RegExp(`(?:^at .*\\n[^]*?){${asked}}`, "m"))
    const [, at, rss, arrayBuffers] = /at (\d+) rss (\d+) arrayBuffers (\d+)\n$/.exec(sender.stdout())!.map(Number)
    return { at, rss, arrayBuffers }
  })
}

const report = (what: string, bytes: number) => `${what} ${(bytes / mebibyte).toFixed(1)} MiB`

describe("256 MiB for a peer that does not read at first", () => {
  const stacks: ReadonlyArray<readonly [scheme: string, ca: ReadonlyArray<string>, () => Stack]> = [
    ["ws", [], () => WebSocket.server()(Tcp.layer())],
    ["wss", [caFile], () => WebSocket.server()(Tls.server({ identity })(Tcp.layer()))]
  ]
  for (const [scheme, trust, layer] of stacks) {
    it.live(`the sender waits with less than 32 MiB, and all arrives (${scheme})`, () =>
      Effect.gen(function*() {
        const reading = yield* Deferred.make<void>()
        const received = yield* Deferred.make<readonly [number, string]>()
        const receive = (connection: Connection<Transport.Message, Transport.Message>) =>
          Effect.gen(function*() {
            yield* Deferred.await(reading)
            const hash = createHash("sha256")
            let count = 0
            yield* Stream.runForEach(messages(connection), (message) =>
              Effect.sync(() => {
                hash.update(message)
                count++
              }))
            yield* Deferred.succeed(received, [count, hash.digest("hex")] as const)
          })
        const listener = yield* Transport.listen(Transport.Messages)(`${scheme}://127.0.0.1:0/`)
        yield* Effect.forkScoped(listener.run(receive))
        const { place } = listener.address
        assert(place._tag === "Tcp")
        const flags = [
          "--expose-gc",
          "--conditions=@wirestack/source",
          fileURLToPath(new URL("./support/flood.ts", import.meta.url))
        ]
        const sender = yield* run(process.execPath, [...flags, `${scheme}://localhost:${place.port}/`, ...trust])
        yield* sender.says(/^ready$/m)

        const stalled = yield* settled(progress(sender), (one, other) => one.at === other.at)
        assert.isBelow(stalled.at, 1_024, "the sender waits")
        assert.isBelow(stalled.rss, 32 * mebibyte, report("rss", stalled.rss))

        yield* Deferred.succeed(reading, undefined)
        const [, count, hash, rss, arrayBuffers] = yield* sender.says(
          /^sent (\d+) (\w+) rss (\d+) arrayBuffers (\d+)$/m
        )
        assert.deepStrictEqual(yield* Deferred.await(received), [Number(count), hash])
        assert.strictEqual(Number(count), 4_096)
        if (process.env.WIRESTACK_FIGURES !== undefined) {
          console.log(
            scheme,
            stalled.at,
            report("stalled rss", stalled.rss),
            report("stalled buffers", stalled.arrayBuffers),
            report("peak rss", Number(rss)),
            report("peak buffers", Number(arrayBuffers))
          )
        }
        // While all flows, what is resident is also what is not collected yet: only what is in use is bounded as tightly.
        assert.isBelow(Number(arrayBuffers), 32 * mebibyte, report("buffers", Number(arrayBuffers)))
        assert.isBelow(Number(rss), 96 * mebibyte, report("rss", Number(rss)))
        assert.strictEqual(yield* sender.exit, 0)
      }).pipe(Effect.scoped, Effect.provide(layer())))
  }
})

/** The resident memory of a process, in bytes. */
const residentOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024

const hasProc = fs.existsSync("/proc/self/status")
if (!hasProc) console.warn("there is no /proc: the memory of the echo server is not measured")

describe("a peer that floods the echo server and reads nothing", () => {
  for (const options of [[], ["--tls"]]) {
    it.live.skipIf(!hasProc)(
      `is held back, and costs it less than 64 MiB (${options[0] ?? "plain"})`,
      () =>
        Effect.gen(function*() {
          const server = yield* example("run.ts", ["echo-server", ...options])
          const [, url] = yield* server.says(/^listening (.*)\n/)
          const peer = yield* Effect.acquireRelease(
            Effect.promise(async () => {
              const peer = new Ws(url, { perMessageDeflate: false, rejectUnauthorized: false })
              await once(peer, "open")
              return peer
            }),
            (peer) => Effect.sync(() => peer.terminate())
          )
          peer.send("warm")
          yield* Effect.promise(() => once(peer, "message"))
          const before = residentOf(server.pid)
          peer.pause()
          let accepted = 0
          const message = Buffer.alloc(65_536, 1)
          // Each message is sent when the one before is with the system, so that what waits is not in this process.
          const flood = () =>
            peer.send(message, (error) => {
              if (error != null) return
              accepted++
              flood()
            })
          flood()
          yield* settled(Effect.sync(() => accepted), (one, other) => one === other)
          const grown = residentOf(server.pid) - before
          assert.isBelow(accepted, 1_024, "the peer is held back")
          assert.isBelow(grown, 64 * mebibyte, report("rss", grown))
          if (process.env.WIRESTACK_FIGURES !== undefined) console.log(url, accepted, report("rss grew", grown))

          const other = yield* Effect.promise(async () => {
            const other = new Ws(url, { rejectUnauthorized: false })
            await once(other, "open")
            return other
          })
          other.send("and the others?")
          assert.strictEqual(String((yield* Effect.promise(() => once(other, "message")))[0]), "and the others?")
          other.terminate()
        }).pipe(Effect.scoped)
    )
  }
})
