/** NATS with nats-server, which is reached over TCP and a WebSocket. */
import { assert, describe, it } from "@effect/vitest"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { MachineSuite } from "@wirestack/protocol/testing"
import { until } from "@wirestack/test-support"
import { Cause, Effect, Fiber, Redacted, type Scope, Stream } from "effect"
import * as Nats from "../../src/nats.ts"
import type { Incoming, Outgoing } from "../../src/nats.ts"
import { type Account, bytes } from "../../src/stack.ts"
import { missing, shared } from "../interop/support.ts"
import { example, run, which } from "../support/processes.ts"
import { folder, freePorts, mebibyte, offeringNonsense, verifyGarbage, write } from "./support.ts"

const skip = missing(which("nats-server") !== undefined, "nats-server")

const server = Effect.gen(function*() {
  const temporary = yield* folder("nats")
  const [tcp, ws] = yield* freePorts(2)
  const configuration = `
host: "127.0.0.1"
port: ${tcp}
websocket { host: "127.0.0.1", port: ${ws}, no_tls: true }
authorization {
  users = [
    { user: me, password: secret }
    { user: guest, password: guest, permissions: { publish: ["open.>", "_INBOX.>"], subscribe: ["open.>", "_INBOX.>"] } }
  ]
}
no_auth_user: guest
`
  const process = yield* run("nats-server", ["-c", write(temporary, "nats.conf", configuration)])
  yield* process.says(/Server is ready/)
  return { process, urls: { tcp: `tcp://localhost:${tcp}`, ws: `ws://localhost:${ws}` } }
})

const client = (url: string, account?: Account) =>
  Effect.provide(Nats.connect(url, { closeWithin: "300 millis" }), Nats.over(account)(bytes(url)))

const text = ({ payload }: Incoming): string => Nats.text(payload!)

describe.skipIf(skip)("nats-server", () => {
  const common = shared(server)
  const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(name, () => Effect.scoped(test))

  for (const stack of ["tcp", "ws"] as const) {
    live(
      `${stack}: what is published comes in order and whole, to all or to one of a group`,
      Effect.gen(function*() {
        const { urls } = yield* common
        const one = yield* client(urls[stack])
        const all = yield* one.subscribe(`open.${stack}.*`)
        const group: Array<string> = []
        for (let n = 0; n < 3; n++) {
          const member = yield* client(urls[stack])
          const messages = yield* member.subscribe(`open.${stack}.*`, ["workers"])
          yield* Effect.forkScoped(
            Stream.runForEach(messages, (message) => Effect.sync(() => group.push(text(message))))
          )
        }
        const outcome = yield* Effect.scoped(Effect.gen(function*() {
          const other = yield* client(urls[stack])
          for (let n = 0; n < 500; n++) yield* other.publish(`open.${stack}.n`, `${n}`)
          yield* other.publish(`open.${stack}.x`, mebibyte.subarray(100))
          return other.connection
        })).pipe(Effect.flatMap(({ closed }) => closed))
        assert.deepInclude(outcome, { first: "local", undelivered: 0, unsent: { messages: 0, bytes: 0 } })
        const received = yield* Stream.runCollect(Stream.take(all, 501))
        assert.deepStrictEqual(received.slice(0, 500).map(text), Array.from({ length: 500 }, (_, n) => `${n}`))
        assert.isTrue(Buffer.from(mebibyte.subarray(100)).equals(received[500].payload!))
        yield* until(() => group.length === 501)
        assert.strictEqual(new Set(group).size, 501)
      })
    )

    live(
      `${stack}: who asks is answered, or told that nobody will`,
      Effect.gen(function*() {
        const { urls } = yield* common
        const one = yield* client(urls[stack])
        const questions = yield* one.subscribe(`open.ask.${stack}`)
        yield* Effect.forkScoped(
          Stream.runForEach(
            questions,
            (question) => text(question) === "?" ? Effect.void : one.publish(question.words[2], `${text(question)}!`)
          )
        )
        const other = yield* client(urls[stack])
        const answers = yield* Effect.all(
          Array.from({ length: 200 }, (_, n) => other.request(`open.ask.${stack}`, `${n}`)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(answers.map(text), Array.from({ length: 200 }, (_, n) => `${n}!`))
        const nobody = yield* Effect.flip(other.request("open.nobody", ""))
        assert.deepInclude(nobody, { _tag: "NatsError", message: "nobody is there to answer" })
        const late = yield* Effect.flip(Effect.timeout(other.request(`open.ask.${stack}`, "?"), "50 millis"))
        assert.isTrue(Cause.isTimeoutError(late))
      })
    )

    live(
      `${stack}: says of each operation whether it is let pass`,
      Effect.gen(function*() {
        const { urls } = yield* common
        const one = yield* client(urls[stack])
        const all = yield* Effect.all([
          Effect.exit(one.publish("open.a", "")),
          Effect.exit(one.publish("closed.a", "")),
          Effect.exit(one.publish("open.b", "")),
          Effect.exit(Effect.scoped(one.subscribe("closed.b")))
        ], { concurrency: "unbounded" })
        assert.deepStrictEqual(all.map(({ _tag }) => _tag), ["Success", "Failure", "Success", "Failure"])
        const error = yield* Effect.flip(one.publish("closed.c", ""))
        assert.deepInclude(error, { _tag: "NatsError", message: "Permissions Violation for Publish to \"closed.c\"" })
        const known = yield* client(urls[stack], { username: "me", password: Redacted.make("secret") })
        const secrets = yield* known.subscribe("closed.>")
        yield* known.publish("closed.c", "hidden")
        assert.deepStrictEqual((yield* Stream.runCollect(Stream.take(secrets, 1))).map(text), ["hidden"])
      })
    )
  }

  live(
    "refuses a wrong password, and what is no message",
    Effect.gen(function*() {
      const { urls } = yield* common
      for (const url of Object.values(urls)) {
        const error = yield* Effect.flip(client(url, { username: "me", password: Redacted.make("guess") }))
        assert.deepInclude((error as { readonly reason: object }).reason, {
          _tag: "Denied",
          detail: "'Authorization Violation'"
        })
        const one = yield* client(url)
        const large = yield* Effect.flip(one.publish("open.a", new Uint8Array(1_048_577)))
        const injected = yield* Effect.flip(one.publish("open.a\r\nPUB open.b", ""))
        assert.deepStrictEqual(
          [large, injected].map((error) => (error as ConnectionError).reason._tag),
          ["TooLarge", "Unencodable"]
        )
        const waiting = yield* Effect.forkChild(Effect.flip(Stream.runDrain(yield* one.subscribe("open.a"))))
        yield* one.connection.send({ words: ["CONNECT", "{\"user\":\"me\",\"pass\":\"guess\"}"] })
        const fatal = yield* Fiber.join(waiting)
        assert.include(String(fatal.reason.message), "Authorization Violation")
        assert.propertyVal(yield* Effect.flip(one.publish("open.a", "")), "_tag", "ConnectionError")
      }
    })
  )

  live(
    "agrees on no subprotocol",
    Effect.gen(function*() {
      const { urls } = yield* common
      assert.propertyVal(yield* offeringNonsense(urls.ws), "_tag", "NothingNegotiated")
    })
  )

  live(
    "is killed: what waits fails with why",
    Effect.gen(function*() {
      const { process, urls } = yield* server
      const waiting: Array<Fiber.Fiber<unknown, unknown>> = []
      const clients = yield* Effect.forEach(Object.values(urls), (url) => client(url))
      for (const { request, subscribe } of clients) {
        waiting.push(yield* Effect.forkChild(Effect.flip(Stream.runDrain(yield* subscribe("open.a")))))
        waiting.push(yield* Effect.forkChild(Effect.flip(request("open.a", ""))))
      }
      yield* process.kill("SIGKILL")
      for (const error of yield* Effect.forEach(waiting, Fiber.join)) {
        assert.include(["Closed", "Reset", "Truncated"], (error as ConnectionError).reason._tag)
      }
      for (const { publish } of clients) {
        assert.propertyVal(yield* Effect.flip(publish("open.a", "")), "_tag", "ConnectionError")
      }
    })
  )

  live(
    "is talked to by the program",
    Effect.gen(function*() {
      const { urls } = yield* common
      const answering = yield* example("run.ts", ["nats", urls.ws, "answer", "open.time", "noon"])
      yield* answering.says(/^subscribed to open\.time$/m)
      const one = yield* client(urls.tcp)
      assert.strictEqual(text(yield* one.request("open.time", "when?")), "noon")
      yield* answering.says(/^open\.time when\?$/m)
      yield* answering.kill("SIGINT")
      assert.strictEqual(yield* answering.exit, 0)
    })
  )
})

describe("operations of NATS", () => {
  const ping: Outgoing = { words: ["PING"] }

  const machine = () => {
    const machine = Nats.operations.machine()
    MachineSuite.encode<Uint8Array, Outgoing>(machine, Array.from({ length: 20 }, () => ping))
    return machine
  }

  const msg = (words: ReadonlyArray<string>, payload: string, status?: string): Incoming => ({
    verb: "MSG",
    words,
    status,
    payload: Buffer.from(payload)
  })

  const vector = (input: string, ...messages: ReadonlyArray<Incoming>) => ({
    name: JSON.stringify(input.slice(0, 40)),
    input: Buffer.from(input),
    messages
  })

  const broken = (input: string, ending: MachineSuite.Ending) => ({ ...vector(input), ending })

  it("are read however they are cut", () =>
    MachineSuite.verifyBytes(machine, [
      vector(
        "INFO {\"id\":\"ü\"} \r\nPING\r\nPONG\r\n",
        { verb: "INFO", words: ["{\"id\":\"ü\"}"] },
        { verb: "PING", words: [] },
        { verb: "PONG", words: [], to: ping }
      ),
      vector(
        "MSG a.b 1 5\r\nhello\r\nMSG a.b\t1  r 0\r\n\r\n+OK\r\n-ERR 'no'\r\n",
        msg(["a.b", "1"], "hello"),
        msg(["a.b", "1", "r"], ""),
        { verb: "+OK", words: [], to: ping },
        { verb: "-ERR", words: ["'no'"], to: ping }
      ),
      vector(
        "HMSG a.b 1 r 12 17\r\nNATS/1.0\r\n\r\nhello\r\nHMSG a.b 1 27 27\r\nNATS/1.0 503 No\r\na: b:c\r\n\r\n\r\n",
        msg(["a.b", "1", "r"], "hello"),
        msg(["a.b", "1"], "", "503")
      ),
      broken("MSG a.b 1 1048577\r\n", "TooLarge"),
      broken("MSG a.b 1 x\r\n", "Violation"),
      broken("MSG a.b\r\n", "Violation"),
      broken("MSG a.b 1 2\r\nabcd", "Violation"),
      broken("HMSG a.b 1 9 2\r\n", "Violation"),
      broken("HELLO\r\n", "Violation")
    ]))

  it("are garbage with a reason", () =>
    verifyGarbage(
      machine,
      "MSG a 1 ,HMSG a 1 ,INFO ,PING,-ERR ,NATS/1.0,{},: ,0,2,12,\xff,\r\n,\r\n,\n".split(",")
    ))

  it("are not too long", () => {
    const { ending } = MachineSuite.feed(machine(), [[Buffer.alloc(65_538, "x")]])
    assert.strictEqual(ending, "TooLarge")
  })

  it("are refused when they are none", () => {
    for (const words of [["PUB", ""], ["PUB", "a b"], ["PUB", "a", "b\r\nPING"], ["SUB", "a", " ", "1"]]) {
      MachineSuite.verifyRefusal(machine(), { words, payload: "x" }, "Unencodable")
    }
    MachineSuite.verifyRefusal(machine(), { words: ["PUB", "a"], payload: Buffer.alloc(1_048_577) }, "TooLarge")
  })
})
