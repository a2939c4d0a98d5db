/** MQTT with mosquitto, which is reached over four stacks. */
import { assert, describe, it } from "@effect/vitest"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { MachineSuite, random } from "@wirestack/protocol/testing"
import { Effect, Exit, Fiber, Redacted, Scope, Stream } from "effect"
import { generate, type Packet } from "mqtt-packet"
import { spawnSync } from "node:child_process"
import * as Mqtt from "../../src/mqtt.ts"
import { bytes } from "../../src/stack.ts"
import { ca, files, missing, shared } from "../interop/support.ts"
import { example, run, which } from "../support/processes.ts"
import { folder, freePorts, mebibyte, offeringNonsense, stranger, write } from "./support.ts"

const skip = missing(which("mosquitto") !== undefined, "mosquitto")

/** Everybody may use `open/`, and who has a password everything. */
const broker = Effect.gen(function*() {
  const temporary = yield* folder("mosquitto")
  const [tcp, tls, ws, wss] = yield* freePorts(4)
  const passwords = write(temporary, "passwords", "")
  spawnSync("mosquitto_passwd", ["-b", passwords, "me", "secret"])
  const identity = `certfile ${files.certificate}\nkeyfile ${files.key}`
  const configuration = `
log_dest stderr
persistence false
set_tcp_nodelay true
user root
allow_anonymous true
max_queued_messages 10000
password_file ${passwords}
acl_file ${write(temporary, "acl", "topic readwrite open/#\n\nuser me\ntopic readwrite #\n")}
listener ${tcp} 127.0.0.1
listener ${tls} 127.0.0.1
${identity}
listener ${ws} 127.0.0.1
protocol websockets
listener ${wss} 127.0.0.1
protocol websockets
${identity}
`
  const server = yield* run("mosquitto", ["-c", write(temporary, "mosquitto.conf", configuration)])
  yield* server.says(/version [\d.]+ running/)
  return {
    server,
    urls: {
      tcp: `tcp://localhost:${tcp}`,
      tls: `tls://localhost:${tls}`,
      ws: `ws://localhost:${ws}`,
      wss: `wss://localhost:${wss}`
    }
  }
})

const client = (url: string, options?: Mqtt.Options, trust = ca) =>
  Effect.provide(Mqtt.connect(url, { closeWithin: "300 millis" }), Mqtt.over(options)(bytes(url, { ca: trust })))

const account = { username: "me", password: Redacted.make("secret") }

const text = (message: { readonly topic: string; readonly payload: string | Buffer }): string =>
  `${message.topic} ${message.payload}`

describe.skipIf(skip)("mosquitto", () => {
  const common = shared(broker)
  const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(name, () => Effect.scoped(test))

  for (const stack of ["tcp", "tls", "ws", "wss"] as const) {
    for (const version of [4, 5] as const) {
      live(
        `${stack}, version ${version}: what is published arrives as often as it should, and all of it`,
        Effect.gen(function*() {
          const { urls } = yield* common
          const topic = `open/${stack}/${version}`
          const subscriber = yield* client(urls[stack], { version })
          const messages = yield* subscriber.subscribe(`${topic}/+`, 1)
          // It sends some 40 kB a second to a WebSocket (2.0.11), so what is large is read from a socket.
          const other = yield* client(stack === "ws" ? urls.tcp : stack === "wss" ? urls.tls : urls[stack], { version })
          const large = yield* other.subscribe(`open/large/${topic}`, 1)
          const outcome = yield* Effect.scoped(Effect.gen(function*() {
            const publisher = yield* client(urls[stack], { version })
            for (const qos of [0, 1] as const) yield* publisher.publish(`${topic}/${qos}`, `at ${qos}`, { qos })
            const burst = Array.from({ length: 200 }, (_, n) => publisher.publish(`${topic}/n`, `${n}`, { qos: 1 }))
            yield* Effect.all(burst, { concurrency: "unbounded" })
            yield* publisher.publish(`open/large/${topic}`, Buffer.from(mebibyte), { qos: 1 })
            return publisher.connection
          })).pipe(Effect.flatMap(({ closed }) => closed))
          assert.deepInclude(outcome, { first: "local", undelivered: 0, unsent: { messages: 0, bytes: 0 } })
          // It ends TCP at once behind the goodbye, which may leave that of a WebSocket without an answer.
          if (stack === "tcp" || stack === "tls") assert.isTrue(outcome.clean)
          const received = yield* Stream.runCollect(Stream.take(messages, 202))
          assert.deepStrictEqual(received.slice(0, 2).map(text), [0, 1].map((qos) => `${topic}/${qos} at ${qos}`))
          assert.deepStrictEqual(
            received.slice(2).map(({ payload }) => Number(payload)),
            Array.from({ length: 200 }, (_, n) => n)
          )
          const [{ payload }] = yield* Stream.runCollect(Stream.take(large, 1))
          assert.isTrue(Buffer.from(mebibyte).equals(payload as Buffer))
        })
      )
    }
  }

  live(
    "keeps what is retained, and says who gets it by the filter",
    Effect.gen(function*() {
      const { urls } = yield* common
      const one = yield* client(urls.tcp)
      yield* one.publish("open/kept/here", "for later", { qos: 1, retain: true })
      const first = yield* one.subscribe("open/kept/#")
      const second = yield* one.subscribe("open/+/there")
      yield* one.publish("open/kept/there", "for both", { qos: 1 })
      assert.deepStrictEqual((yield* Stream.runCollect(Stream.take(first, 2))).map(text), [
        "open/kept/here for later",
        "open/kept/there for both"
      ])
      assert.deepStrictEqual((yield* Stream.runCollect(Stream.take(second, 1))).map(text), ["open/kept/there for both"])
    })
  )

  live(
    "publishes the will of who fails or is cut, and of nobody who closes in order",
    Effect.gen(function*() {
      const { urls } = yield* common
      const heir = yield* client(urls.tcp)
      const messages = yield* heir.subscribe("open/will/+")
      const testator = (name: string, version: 4 | 5, how: Exit.Exit<void, string>) =>
        Effect.gen(function*() {
          const scope = yield* Scope.make()
          const will = { topic: `open/will/${name}`, payload: Buffer.from("adieu"), qos: 1 } as const
          const one = yield* Scope.provide(client(urls.ws, { version, will }), scope)
          if (name === "cut") yield* one.connection.abort
          yield* Scope.close(scope, how)
        })
      yield* testator("done", 5, Exit.void)
      yield* testator("done", 4, Exit.void)
      yield* testator("failed", 5, Exit.fail("no"))
      yield* testator("failed", 4, Exit.fail("no"))
      yield* testator("cut", 5, Exit.void)
      const received = (yield* Stream.runCollect(Stream.take(messages, 3))).map(text)
      assert.deepStrictEqual(received, ["open/will/failed adieu", "open/will/failed adieu", "open/will/cut adieu"])
    })
  )

  live(
    "refuses a wrong password, a certificate nobody knows, and a subprotocol it does not speak",
    Effect.gen(function*() {
      const { urls } = yield* common
      const wrong = { ...account, password: Redacted.make("guess") }
      const refusals = [[urls.tcp, 4, 5], [urls.wss, 5, 0x87]] as const
      for (const [url, version, code] of refusals) {
        const { reason } = (yield* Effect.flip(client(url, { ...wrong, version }))) as { readonly reason: unknown }
        assert.deepInclude(reason, { _tag: "Denied", detail: `the code is ${code}` })
      }
      for (const url of [urls.tls, urls.wss]) {
        const error = yield* Effect.flip(client(url, {}, yield* stranger))
        assert.deepInclude(error, { layer: "tls" })
        assert.propertyVal((error as { readonly reason: object }).reason, "_tag", "CertificateInvalid")
      }
      assert.propertyVal(yield* offeringNonsense(urls.ws), "_tag", "Truncated")
    })
  )

  live(
    "lets nobody publish who may not, and goes on",
    Effect.gen(function*() {
      const { urls } = yield* common
      const anonymous = yield* client(urls.tcp)
      const published = yield* Effect.flip(anonymous.publish("closed/a", "", { qos: 1 }))
      assert.deepInclude(published, { _tag: "NotPermitted", topic: "closed/a", code: 0x87 })
      yield* anonymous.publish("open/a", "", { qos: 1 })
      const known = yield* client(urls.ws, account)
      yield* known.publish("closed/a", "", { qos: 1 })
    })
  )

  live(
    "tells who is behind, and holds up nobody else",
    Effect.gen(function*() {
      const { urls } = yield* common
      const one = yield* client(urls.tcp)
      const late = yield* one.subscribe("open/flood", 0, 4_000)
      for (let n = 0; n < 100; n++) yield* one.publish("open/flood", "x".repeat(100), { qos: 1 })
      const kept: Array<unknown> = []
      const error = yield* Effect.flip(Stream.runForEach(late, (message) => Effect.sync(() => kept.push(message))))
      assert.deepInclude(error, { _tag: "ConnectionError", layer: "mqtt" })
      assert.strictEqual(error.reason._tag, "TooLarge")
      assert.isTrue(kept.length > 10 && kept.length < 40, `${kept.length} came before`)
      yield* one.publish("open/flood", "", { qos: 1 })
    })
  )

  live(
    "is killed: what waits fails with why",
    Effect.gen(function*() {
      const { server, urls } = yield* broker
      const waiting: Array<Fiber.Fiber<unknown, unknown>> = []
      const clients = yield* Effect.forEach(Object.values(urls), (url) => client(url))
      for (const { subscribe } of clients) {
        const messages = yield* subscribe("open/#", 1)
        waiting.push(yield* Effect.forkChild(Effect.flip(Stream.runDrain(messages))))
      }
      yield* server.kill("SIGSTOP")
      for (const { publish } of clients) {
        waiting.push(yield* Effect.forkChild(Effect.flip(publish("open/x", "", { qos: 1 }))))
      }
      yield* Effect.yieldNow
      yield* server.kill("SIGKILL")
      for (const error of yield* Effect.forEach(waiting, Fiber.join)) {
        assert.propertyVal(error, "_tag", "ConnectionError")
        assert.include(["Closed", "Reset", "Truncated"], (error as ConnectionError).reason._tag)
      }
      for (const { connection, publish } of clients) {
        assert.propertyVal(yield* Effect.flip(publish("open/x", "", { qos: 1 })), "_tag", "ConnectionError")
        assert.isFalse((yield* connection.closed).clean)
      }
    })
  )

  live(
    "is talked to by the program",
    Effect.gen(function*() {
      const { urls } = yield* common
      const subscribe = `mqtt ${urls.wss} subscribe closed/program --qos 1 --user me --password secret`
      const program = yield* example("run.ts", [...subscribe.split(" "), "--ca", files.ca])
      yield* program.says(/^subscribed to closed\/program$/m)
      const one = yield* client(urls.tls, account)
      yield* one.publish("closed/program", "hello", { qos: 1 })
      yield* program.says(/^closed\/program hello$/m)
      yield* program.kill("SIGINT")
      assert.strictEqual(yield* program.exit, 0)
    })
  )
})

describe("packets", () => {
  const machine = (limit = 1_000) => Mqtt.framer(5, limit).machine()

  const vector = (name: string, ...packets: ReadonlyArray<Packet>) => {
    const pieces = packets.map((packet) => generate(packet, { protocolVersion: 5 }))
    const boundaries = pieces.map((_, n) => Buffer.concat(pieces.slice(0, n)).length)
    const messages = MachineSuite.feed(machine(), pieces.map((piece) => [piece])).emitted
    assert.strictEqual(messages.length, packets.length)
    return { name, input: Buffer.concat(pieces), messages, boundaries, ending: "closed" as const }
  }

  const publish = { cmd: "publish", dup: false, retain: false, topic: "t" } as const

  it("are found however they are cut", () =>
    MachineSuite.verifyBytes(machine, [
      vector("a ping", { cmd: "pingresp" }),
      vector("several", { ...publish, qos: 0, payload: "" }, { cmd: "puback", messageId: 1 }, {
        ...publish,
        qos: 1,
        messageId: 7,
        payload: Buffer.alloc(300, 7)
      }),
      { name: "too large", input: Buffer.from([0x30, 0xe9, 0x07, 0, 0]), messages: [], ending: "TooLarge" },
      {
        name: "no end to the length",
        input: Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1]),
        messages: [],
        ending: "Violation"
      },
      { name: "no packet", input: Buffer.from([0x30, 2, 0xff, 0xff]), messages: [], ending: "Undecodable" },
      { name: "the goodbye", input: Buffer.from([0xe0, 0]), messages: [], ending: "closed" }
    ]))

  it("fail as they should, whatever is in them", () => {
    for (let seed = 1; seed <= 2_000; seed++) {
      const next = random(seed, 256)
      const body = Buffer.from(Array.from({ length: seed % 40 }, () => next(1) - 1))
      const input = Buffer.concat([Buffer.from([seed & 0xff, body.length]), body])
      const { ending, reason } = MachineSuite.feed(machine(), [[input]])
      assert.include(["open", "closed", "Undecodable"], ending, `${input.toString("hex")}: ${String(reason)}`)
    }
  })

  it("are refused when they are too large, or none", () => {
    MachineSuite.verifyRefusal(machine(), { ...publish, qos: 0, payload: Buffer.alloc(1_000) }, "TooLarge")
    MachineSuite.verifyRefusal(machine(), { ...publish, qos: 1, payload: "" }, "Unencodable")
  })
})

describe("filters", () => {
  it("admit as section 4.7 has it", () => {
    const admitted = [
      "a/b a/b",
      "+/b a/b",
      "a/+ a/b",
      "# a/b",
      "a/# a",
      "a/b/# a/b",
      "+/+ /b",
      "$share/g/a/+ a/b",
      "$SYS/# $SYS/x"
    ]
    const refused = ["a/b a", "a a/b", "+ a/b", "a/+ a", "# $SYS/x", "+/x $SYS/x", "a/b/c a/b"]
    for (const pair of admitted) assert.isTrue(Mqtt.matches(...pair.split(" ") as [string, string]), pair)
    for (const pair of refused) assert.isFalse(Mqtt.matches(...pair.split(" ") as [string, string]), pair)
  })
})
