import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, reasonOf, resources, until } from "@wirestack/test-support"
import { Unix, UnixInfo } from "@wirestack/transport-tcp"
import { Effect, Fiber, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { bareServer } from "./support.ts"

const connect = Transport.connect(Transport.Bytes)
const listen = Transport.listen(Transport.Bytes)

type Needs = Scope.Scope | Transport.ByteTransport<Unix.Can>

/** A live test with a folder of its own. */
const live = <E>(name: string, program: (path: string) => Effect.Effect<unknown, E, Needs>) =>
  it.live(name, () =>
    withoutLeaks(
      Effect.suspend(() => {
        const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "unix-"))
        return Effect.ensuring(
          Effect.provide(Effect.scoped(program(Path.join(folder, "s"))), Unix.layer()),
          Effect.sync(() => Fs.rmSync(folder, { recursive: true }))
        )
      }),
      resources
    ))

const quiet = { onIncident: () => Effect.void }
describe("Unix sockets", () => {
  live("carry bytes both ways, and half-close", (path) =>
    Effect.gen(function*() {
      const listener = yield* listen(`unix:${path}`)
      yield* Effect.forkScoped(
        listener.run((connection) => Effect.flatMap(collect(connection), (all) => connection.send(all)), quiet)
      )
      const connection = yield* connect<UnixInfo>(listener.address)
      const sent = pattern(300_000)
      const receiving = yield* Effect.forkChild(collect(connection))
      yield* connection.send(sent)
      yield* connection.end
      assert.isTrue(sent.equals(yield* Fiber.join(receiving)))
      assert.strictEqual(Connection.detail(connection, UnixInfo).path, path)
    }))

  if (process.platform === "linux") {
    live("abstract names have no file", () =>
      Effect.gen(function*() {
        const name = `unix:@wirestack-${process.pid}`
        yield* Effect.scoped(Effect.gen(function*() {
          const listener = yield* listen(name)
          yield* Effect.forkScoped(listener.run((connection) => connection.send(pattern(100)), quiet))
          const connection = yield* connect<UnixInfo>(name)
          assert.isTrue(pattern(100).equals((yield* connection.pull)[0]))
          assert.include(Fs.readFileSync("/proc/net/unix", "utf8"), `@wirestack-${process.pid}`)
          assert.isFalse(Fs.existsSync(`@wirestack-${process.pid}`))
          assert.strictEqual((yield* reasonOf(listen(name)))._tag, "AddressInUse")
        }))
        assert.strictEqual((yield* reasonOf(connect(name)))._tag, "Refused")
        yield* listen(name)
      }))
  }

  live("nobody listens", (path) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* reasonOf(connect(`unix:${path}`)))._tag, "Refused")
      Fs.writeFileSync(path, "")
      assert.strictEqual((yield* reasonOf(connect(`unix:${path}`)))._tag, "Refused")
    }))

  live("endpoints that can't be", (path) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* reasonOf(connect("127.0.0.1:80")))._tag, "InvalidEndpoint")
      const long = `unix:${path}${"x".repeat(120)}`
      assert.strictEqual((yield* reasonOf(connect(long)))._tag, "InvalidEndpoint")
      assert.strictEqual((yield* reasonOf(listen(long)))._tag, "InvalidEndpoint")
      assert.strictEqual((yield* reasonOf(listen(`unix:${path}/none/s`)))._tag, "Unreachable")
      const secure = { ...Endpoint.unix(path), demands: ["tls"] as const }
      assert.strictEqual((yield* reasonOf(connect(secure)))._tag, "LayersMissing")
    }))

  live("the file is removed at the close", (path) =>
    Effect.gen(function*() {
      yield* Effect.scoped(
        Effect.tap(listen(`unix:${path}`), () => Effect.sync(() => assert.isTrue(Fs.existsSync(path))))
      )
      assert.isFalse(Fs.existsSync(path))
      yield* listen(`unix:${path}`)
    }))

  live("a path on which somebody listens is in use, and stays so", (path) =>
    Effect.gen(function*() {
      let accepted = 0
      yield* bareServer(() => accepted++, { path })
      const reason = yield* reasonOf(listen(`unix:${path}`))
      assert.strictEqual(reason._tag, "AddressInUse")
      yield* Effect.scoped(connect(`unix:${path}`, { closeWithin: "50 millis" }))
      yield* until(() => accepted >= 1)
    }))

  live("a file left by a dead process is replaced", (path) =>
    Effect.gen(function*() {
      const script = `require("net").createServer().listen(${
        JSON.stringify(path)
      }, () => process.kill(process.pid, "SIGKILL"))`
      spawnSync(process.execPath, ["-e", script])
      assert.isTrue(Fs.lstatSync(path).isSocket())
      const listener = yield* listen(`unix:${path}`)
      yield* Effect.forkScoped(listener.run((connection) => connection.send(Buffer.from("hi")), quiet))
      assert.strictEqual((yield* collect(yield* connect(listener.address))).toString(), "hi")
    }))

  live("a file that is no socket is left alone", (path) =>
    Effect.gen(function*() {
      Fs.writeFileSync(path, "precious")
      assert.strictEqual((yield* reasonOf(listen(`unix:${path}`)))._tag, "AddressInUse")
      assert.strictEqual(Fs.readFileSync(path, "utf8"), "precious")
    }))

  const root = process.getuid?.() === 0
  it.skipIf(root)("permission (skipped: root may do everything)", () =>
    Effect.runPromise(
      Effect.gen(function*() {
        const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "unix-"))
        Fs.chmodSync(folder, 0o500)
        const reason = yield* reasonOf(Effect.scoped(listen(`unix:${folder}/s`)))
        assert.strictEqual(reason._tag, "Forbidden")
      }).pipe(Effect.provide(Unix.layer()))
    ))
})
