/** NATS with nats-server, which is reached over TCP and a WebSocket. */
import { assert, describe, it } from "@effect/vitest"
import { detail } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { MachineSuite } from "@wirestack/protocol/testing"
import { until } from "@wirestack/test-support"
import { Cause, Effect, Fiber, Redacted, type Scope, Stream } from "effect"
import { Parsing } from "../../src/kit/Parsing.ts"
import { bytes } from "../../src/kit/stack.ts"
import * as Client from "../../src/nats/client.ts"
import { format } from "../../src/nats/format.ts"
import * as Nats from "../../src/nats/Nats.ts"
import type { Incoming, Msg, Outgoing } from "../../src/nats/Operation.ts"
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

const client = (url: string, options?: Nats.Options) =>
  Effect.provide(Client.make(url, { closeWithin: "300 millis" }), Nats.over(options)(bytes(url)))

const text = ({ payload }: Msg): string => Buffer.from(payload).toString()

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
          const messages = yield* member.subscribe(`open.${stack}.*`, { queue: "workers" })
          yield* Effect.forkScoped(
            Stream.runForEach(messages, (message) => Effect.sync(() => group.push(text(message))))
          )
        }
        const outcome = yield* Effect.scoped(Effect.gen(function*() {
          const other = yield* client(urls[stack], { name: "publisher" })
          assert.isTrue(detail(other.connection, Nats.NatsInfo).info.headers)
          for (let n = 0; n < 500; n++) yield* other.publish(`open.${stack}.n`, `${n}`)
          yield* other.publish(`open.${stack}.x`, mebibyte.subarray(100), { headers: [["Content-Type", "a/b: c"]] })
          yield* other.flush
          return other.connection
        })).pipe(Effect.flatMap(({ closed }) => closed))
        assert.deepInclude(outcome, { first: "local", undelivered: 0, unsent: { messages: 0, bytes: 0 } })
        const received = yield* Stream.runCollect(Stream.take(all, 501))
        assert.deepStrictEqual(received.slice(0, 500).map(text), Array.from({ length: 500 }, (_, n) => `${n}`))
        assert.deepStrictEqual(received[500].headers, [["Content-Type", "a/b: c"]])
        assert.isTrue(Buffer.from(mebibyte.subarray(100)).equals(received[500].payload))
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
            (question) => text(question) === "?" ? Effect.void : one.publish(question.reply!, `${text(question)}!`)
          )
        )
        const other = yield* client(urls[stack], { verbose: true })
        const answers = yield* Effect.all(
          Array.from({ length: 200 }, (_, n) => other.request(`open.ask.${stack}`, `${n}`)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(answers.map(text), Array.from({ length: 200 }, (_, n) => `${n}!`))
        const nobody = yield* Effect.flip(other.request("open.nobody", ""))
        assert.deepInclude(nobody, { _tag: "NoResponders", subject: "open.nobody" })
        const late = yield* Effect.flip(other.request(`open.ask.${stack}`, "?", { within: "50 millis" }))
        assert.isTrue(Cause.isTimeoutError(late))
      })
    )

    live(
      `${stack}: a server that is verbose says of each what it lets pass`,
      Effect.gen(function*() {
        const { urls } = yield* common
        const one = yield* client(urls[stack], { verbose: true })
        const all = yield* Effect.all([
          Effect.exit(one.publish("open.a", "")),
          Effect.exit(one.publish("closed.a", "")),
          Effect.exit(one.publish("open.b", "")),
          Effect.exit(Effect.scoped(one.subscribe("closed.b")))
        ], { concurrency: "unbounded" })
        assert.deepStrictEqual(all.map(({ _tag }) => _tag), ["Success", "Failure", "Success", "Failure"])
        const error = yield* Effect.flip(one.publish("closed.c", ""))
        assert.deepInclude(error, { _tag: "NotPermitted", detail: "Permissions Violation for Publish to \"closed.c\"" })
      })
    )

    live(
      `${stack}: one that is not says what it does not`,
      Effect.gen(function*() {
        const { urls } = yield* common
        const one = yield* client(urls[stack])
        yield* one.publish("closed.a", "")
        const [refusal] = yield* Stream.runCollect(Stream.take(one.refusals, 1))
        assert.deepInclude(refusal, { detail: "Permissions Violation for Publish to \"closed.a\"" })
        const error = yield* Effect.flip(Stream.runDrain(yield* one.subscribe("closed.b")))
        assert.deepInclude(error, { _tag: "NotPermitted" })
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
          _tag: "NatsRefused",
          detail: "Authorization Violation"
        })
        const one = yield* client(url)
        const large = yield* Effect.flip(one.publish("open.a", new Uint8Array(1_048_577)))
        const injected = yield* Effect.flip(one.publish("open.a\r\nPUB open.b", ""))
        assert.deepStrictEqual(
          [large, injected].map((error) => (error as ConnectionError).reason._tag),
          ["TooLarge", "Unencodable"]
        )
        yield* one.flush
        yield* one.connection.send({ _tag: "Connect", options: { user: "me", pass: "guess" } })
        const fatal = yield* Effect.flip(Stream.runDrain(one.refusals))
        assert.deepInclude((fatal as ConnectionError).reason, { _tag: "NatsFailed", detail: "Authorization Violation" })
        assert.propertyVal(yield* Effect.flip(one.flush), "_tag", "ConnectionError")
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
      for (const { flush } of clients) assert.propertyVal(yield* Effect.flip(flush), "_tag", "ConnectionError")
    })
  )

  live(
    "is talked to by the program",
    Effect.gen(function*() {
      const { urls } = yield* common
      const answering = yield* example("run.ts", ["nats", urls.ws, "open.time", "--answer", "noon"])
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
  const ping: Outgoing = { _tag: "Ping" }

  const machine = () => {
    const machine = new Parsing(format(1_000, true))
    MachineSuite.encode<Uint8Array, Outgoing>(machine, [ping, { _tag: "Unsub", sid: 1 }])
    return machine
  }

  const msg = (message: Partial<Msg>): Msg => ({
    _tag: "Msg",
    subject: "a.b",
    sid: 1,
    reply: undefined,
    headers: [],
    status: undefined,
    payload: Buffer.from("hello"),
    ...message
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
        "INFO {\"server_id\":\"ü\"} \r\nPING\r\npong\r\n",
        { _tag: "Info", info: { server_id: "ü" } as never },
        { _tag: "Ping" },
        { _tag: "Pong", to: ping }
      ),
      vector(
        "MSG a.b 1 5\r\nhello\r\nMSG a.b\t1  r 0\r\n\r\n-ERR 'no'\r\n",
        msg({}),
        msg({ reply: "r", payload: Buffer.alloc(0) }),
        { _tag: "Err", to: { _tag: "Unsub", sid: 1 }, detail: "no" }
      ),
      vector(
        "HMSG a.b 1 r 12 17\r\nNATS/1.0\r\n\r\nhello\r\nHMSG a.b 1 27 27\r\nNATS/1.0 503 No\r\na: b:c\r\n\r\n\r\n",
        msg({ reply: "r" }),
        msg({ headers: [["a", "b:c"]], status: 503, payload: Buffer.alloc(0) })
      ),
      broken("MSG a.b 1 1001\r\n", "TooLarge"),
      broken("MSG a.b 1 x\r\n", "Violation"),
      broken("MSG a.b\r\n", "Violation"),
      broken("MSG a.b 1 2\r\nabcd", "Violation"),
      broken("HMSG a.b 1 9 2\r\n", "Violation"),
      broken("HMSG a.b 1 2 2\r\nab\r\n", "Violation"),
      broken("INFO {\r\n", "Undecodable"),
      broken("HELLO\r\n", "Violation")
    ]))

  it("are garbage with a reason", () =>
    verifyGarbage(machine, [
      "MSG a 1 ",
      "HMSG a 1 ",
      "INFO ",
      "PING",
      "-ERR ",
      "NATS/1.0",
      "{}",
      ": ",
      "0",
      "2",
      "12",
      "\xff",
      "\r\n",
      "\r\n",
      "\n"
    ]))

  it("are not too long", () => {
    const { ending } = MachineSuite.feed(machine(), [[Buffer.alloc(65_538, "x")]])
    assert.strictEqual(ending, "TooLarge")
  })

  it("are refused when they are none", () => {
    const payload = Buffer.from("x")
    const refused: ReadonlyArray<Outgoing> = [
      { _tag: "Pub", subject: "", payload },
      { _tag: "Pub", subject: "a b", payload },
      { _tag: "Pub", subject: "a", reply: "b\r\nPING", payload },
      { _tag: "Pub", subject: "a", headers: [["a\r\nb", "c"]], payload },
      { _tag: "Sub", subject: "a", queue: " ", sid: 1 }
    ]
    for (const operation of refused) MachineSuite.verifyRefusal(machine(), operation, "Unencodable")
    MachineSuite.verifyRefusal(machine(), { _tag: "Pub", subject: "a", payload: Buffer.alloc(1_001) }, "TooLarge")
  })
})
