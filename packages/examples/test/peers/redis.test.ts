/** Redis with redis-server, which is reached over TCP, a Unix socket and TLS. */
import { assert, describe, it } from "@effect/vitest"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { MachineSuite } from "@wirestack/protocol/testing"
import { Effect, Fiber, Redacted, type Scope, Stream } from "effect"
import * as path from "node:path"
import * as Redis from "../../src/redis.ts"
import { RedisError, text, type Value } from "../../src/redis.ts"
import { type Account, bytes } from "../../src/stack.ts"
import { ca, files, missing, shared } from "../interop/support.ts"
import { example, run, which } from "../support/processes.ts"
import { folder, freePorts, mebibyte, stranger, verifyGarbage, write } from "./support.ts"

const skip = missing(which("redis-server") !== undefined, "redis-server")

const server = Effect.gen(function*() {
  const temporary = yield* folder("redis")
  const [tcp, tls] = yield* freePorts(2)
  const socket = path.join(temporary, "redis.sock")
  const configuration = `
port ${tcp}
bind 127.0.0.1
unixsocket ${socket}
tls-port ${tls}
tls-cert-file ${files.certificate}
tls-key-file ${files.key}
tls-ca-cert-file ${files.ca}
tls-auth-clients optional
save ""
appendonly no
dir ${temporary}
enable-debug-command yes
user me on >secret ~* &* +@all
`
  const process = yield* run("redis-server", [write(temporary, "redis.conf", configuration)])
  yield* process.says(/Ready to accept connections/)
  return {
    process,
    urls: { tcp: `tcp://localhost:${tcp}`, unix: `unix:${socket}`, tls: `tls://localhost:${tls}` }
  }
})

const client = (url: string, account?: Account, trust = ca) =>
  Effect.provide(Redis.connect(url, { closeWithin: "300 millis" }), Redis.over(account)(bytes(url, { ca: trust })))

describe.skipIf(skip)("redis-server", () => {
  const common = shared(server)
  const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(name, () => Effect.scoped(test))

  for (const stack of ["tcp", "unix", "tls"] as const) {
    live(
      `${stack}: answers come to whom they belong, however many are on their way, and of any size`,
      Effect.gen(function*() {
        const { urls } = yield* common
        const outcome = yield* Effect.scoped(Effect.gen(function*() {
          const one = yield* client(urls[stack])
          const counted = Array.from({ length: 1_000 }, () => one.run("incr", stack))
          const numbers = yield* Effect.all(counted, { concurrency: "unbounded" })
          assert.deepStrictEqual(numbers, Array.from({ length: 1_000 }, (_, n) => n + 1))
          const [, error, large] = yield* Effect.all([
            one.run("set", `${stack}/large`, mebibyte),
            Effect.flip(one.run("incr", `${stack}/large`)),
            one.run("get", `${stack}/large`)
          ], { concurrency: "unbounded" })
          assert.deepInclude(error, { _tag: "RedisError", code: "ERR" })
          assert.isTrue(Buffer.from(mebibyte).equals(large as Uint8Array))
          return one.connection
        })).pipe(Effect.flatMap(({ closed }) => closed))
        assert.deepInclude(outcome, { first: "local", clean: true, undelivered: 0 })
      })
    )

    live(
      `${stack}: what is published comes beside the answers`,
      Effect.gen(function*() {
        const { urls } = yield* common
        const one = yield* client(urls[stack])
        const other = yield* client(urls[stack])
        const news = yield* one.subscribe("news")
        yield* Effect.scoped(Effect.gen(function*() {
          const again = yield* one.subscribe("news")
          yield* Effect.all(
            Array.from({ length: 500 }, (_, n) => Effect.andThen(other.run("publish", "news", n), one.run("echo", n))),
            { concurrency: 10 }
          )
          const received = yield* Stream.runCollect(Stream.take(again, 500))
          assert.strictEqual(new Set(received.map(text)).size, 500)
        }))
        assert.strictEqual(yield* other.run("publish", "news", mebibyte), 1)
        const received = yield* Stream.runCollect(Stream.take(news, 501))
        assert.isTrue(Buffer.from(mebibyte).equals(received[500]))
        yield* Effect.asVoid(Effect.scoped(one.subscribe("rumours")))
        assert.strictEqual(yield* other.run("publish", "rumours", ""), 0)
      })
    )
  }

  live(
    "has values of all types",
    Effect.gen(function*() {
      const { urls } = yield* common
      const one = yield* client(urls.tcp)
      const debug = (type: string) => one.run("debug", "protocol", type)
      assert.strictEqual(text(yield* debug("string")), "Hello World")
      assert.strictEqual(yield* debug("integer"), 12345)
      assert.closeTo((yield* debug("double")) as number, 3.14, 0.002)
      assert.strictEqual(yield* debug("null"), null)
      assert.deepStrictEqual(yield* debug("array"), [0, 1, 2])
      assert.deepStrictEqual(yield* debug("set"), new Set([0, 1, 2]))
      assert.deepStrictEqual(yield* debug("map"), new Map([[0, false], [1, true], [2, false]]))
      assert.strictEqual(yield* debug("bignum"), 1234567999999999999999999999999999999n)
      assert.strictEqual(yield* debug("true"), true)
      assert.strictEqual(yield* debug("verbatim"), "This is a verbatim\nstring")
      assert.strictEqual(text(yield* debug("attrib")), "Some real reply following the attribute")
      assert.strictEqual(yield* one.run("get", "nothing"), null)
      const queued = yield* Effect.all(
        [one.run("multi"), one.run("set", "k", "v"), one.run("incr", "k"), one.run("exec")],
        { concurrency: "unbounded" }
      )
      const [done, failed] = queued[3] as ReadonlyArray<unknown>
      assert.deepStrictEqual([queued[1], done], ["QUEUED", "OK"])
      assert.instanceOf(failed, RedisError)
    })
  )

  live(
    "refuses a wrong password, and a certificate nobody knows",
    Effect.gen(function*() {
      const { urls } = yield* common
      const known = yield* client(urls.tls, { username: "me", password: Redacted.make("secret") })
      assert.strictEqual(text(yield* known.run("acl", "whoami")), "me")
      for (const url of Object.values(urls)) {
        const error = yield* Effect.flip(client(url, { username: "me", password: Redacted.make("guess") }))
        assert.deepInclude((error as { readonly reason: object }).reason, { _tag: "Denied" })
        assert.include(String(error), "WRONGPASS")
        assert.notInclude(String(error), "guess")
      }
      const error = yield* Effect.flip(client(urls.tls, {}, yield* stranger))
      assert.deepInclude(error, { layer: "tls" })
      assert.propertyVal((error as { readonly reason: object }).reason, "_tag", "CertificateInvalid")
    })
  )

  live(
    "is killed: what waits fails with why",
    Effect.gen(function*() {
      const { process, urls } = yield* server
      const waiting: Array<Fiber.Fiber<unknown, unknown>> = []
      const clients = yield* Effect.forEach(Object.values(urls), (url) => client(url))
      for (const { run, subscribe } of clients) {
        waiting.push(yield* Effect.forkChild(Effect.flip(Stream.runDrain(yield* subscribe("news")))))
        waiting.push(yield* Effect.forkChild(Effect.flip(run("blpop", "nothing", 0))))
      }
      yield* process.kill("SIGKILL")
      for (const error of yield* Effect.forEach(waiting, Fiber.join)) {
        assert.include(["Closed", "Reset"], (error as ConnectionError).reason._tag)
      }
      for (const { run } of clients) assert.propertyVal(yield* Effect.flip(run("ping")), "_tag", "ConnectionError")
    })
  )

  live(
    "is talked to by the program",
    Effect.gen(function*() {
      const { urls } = yield* common
      const listening = yield* example("run.ts", ["redis", urls.tls, "--ca", files.ca, "subscribe", "program"])
      yield* listening.says(/^subscribed to program$/m)
      const one = yield* client(urls.unix)
      assert.strictEqual(yield* one.run("publish", "program", "hello"), 1)
      yield* listening.says(/^hello$/m)
      yield* listening.kill("SIGINT")
      assert.strictEqual(yield* listening.exit, 0)
    })
  )
})

describe("RESP3", () => {
  const command: Redis.Command = ["x"]

  /** A machine that has sent some commands. */
  const machine = () => {
    const machine = Redis.resp(200).machine()
    MachineSuite.encode(machine, Array.from({ length: 20 }, () => command))
    return machine
  }

  /** Values as they come, each in answer to a command. */
  const vector = (...answers: ReadonlyArray<readonly [text: string, value: Value]>) => {
    const input = answers.map(([text]) => text).join("")
    return {
      name: JSON.stringify(input.slice(0, 40)),
      input: Buffer.from(input),
      messages: answers.map(([, value]): Redis.Incoming => ({ to: command, value }))
    }
  }

  const broken = (input: string, ending: MachineSuite.Ending) => ({ ...vector(), input: Buffer.from(input), ending })

  const push = ">3\r\n+message\r\n+c\r\n=6\r\ntxt:hi\r\n"

  it("is read however it is cut", () =>
    MachineSuite.verifyBytes(machine, [
      vector(["+Grüße\r\n", "Grüße"]),
      vector(["*2\r\n:1\r\n*2\r\n#t\r\n,-inf\r\n", [1, [true, -Infinity]]], ["$-1\r\n", null], ["*0\r\n", []]),
      vector([
        "%1\r\n+a\r\n|1\r\n+ttl\r\n:1\r\n~1\r\n(123456789012345678901\r\n",
        new Map([[
          "a",
          new Set([123456789012345678901n])
        ]])
      ]),
      {
        ...vector([">2\r\n+x\r\n_\r\n", ["x", null]]),
        name: "pushes",
        input: Buffer.from(`${push}>2\r\n+x\r\n_\r\n`),
        messages: [
          { to: undefined, value: ["message", "c", "hi"] },
          ...vector([">2\r\n+x\r\n_\r\n", ["x", null]]).messages
        ]
      },
      broken("$201\r\n", "TooLarge"),
      broken("*1\r\n".repeat(40), "TooLarge"),
      broken("*2\r\n$100\r\n" + "x".repeat(100) + "\r\n$100\r\n", "TooLarge"),
      broken("?\r\n", "Violation"),
      broken(":1x\r\n", "Violation"),
      broken("$2\r\nabcd", "Violation"),
      broken("*-2\r\n", "Violation")
    ]))

  it("is garbage with a reason", () =>
    verifyGarbage(machine, "* $ % ~ > | ! = + - : , # _ ( 0 1 2 -1 t inf 1e9 \xff \r\n \r\n \r\n \n".split(" ")))

  it("knows what nobody has asked for", () => {
    const { ending } = MachineSuite.feed(Redis.resp(200).machine(), [[Buffer.from("+OK\r\n")]])
    assert.strictEqual(ending, "Violation")
  })

  it("refuses what is too large", () => {
    MachineSuite.verifyRefusal(machine(), ["set", "k", Buffer.alloc(201)], "TooLarge")
  })
})
