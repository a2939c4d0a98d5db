/** SIP on WebSockets (RFC 7118) with kamailio. */
import { assert, describe, it } from "@effect/vitest"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { MachineSuite } from "@wirestack/protocol/testing"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Fiber, Queue, Redacted, Schedule, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import * as net from "node:net"
import * as path from "node:path"
import * as Sip from "../../src/sip.ts"
import { codec, Message, values } from "../../src/sip.ts"
import { missing, shared } from "../interop/support.ts"
import { example, run, which } from "../support/processes.ts"
import { folder, freePorts, offeringNonsense, write } from "./support.ts"

/** Where the modules of kamailio are, if that for WebSockets is among them. */
const modules = path.dirname(
  spawnSync("dpkg", ["-L", "kamailio-websocket-modules"], { encoding: "utf8" }).stdout?.match(/^.*\/websocket\.so$/m)
    ?.[0]
    ?? ""
)
const skip = missing(which("kamailio") !== undefined && modules !== ".", "kamailio with its module for WebSockets")

const answers = (port: number): Effect.Effect<void, string> =>
  Effect.callback((resume) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.void)
    }).on("error", () => resume(Effect.fail("nobody")))
  })

/** It knows everybody by the password `secret`, brings messages to who is registered, and says nothing to `INFO`. */
const server = (algorithm: "MD5" | "SHA-256") =>
  Effect.gen(function*() {
    const temporary = yield* folder("kamailio")
    const [udp, tcp] = yield* freePorts(2)
    const loaded = "tm kex sl pv textops siputils xlog xhttp websocket nathelper usrloc registrar auth"
    const configuration = `#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:127.0.0.1:${udp}
listen=tcp:127.0.0.1:${tcp}
tcp_accept_no_cl=yes
mpath="${modules}/"
${loaded.split(" ").map((name) => `loadmodule "${name}.so"`).join("\n")}
modparam("nathelper|registrar", "received_avp", "$avp(RECEIVED)")
modparam("usrloc", "db_mode", 0)
modparam("websocket", "keepalive_mechanism", 0)
modparam("auth", "algorithm", "${algorithm === "MD5" ? "" : algorithm}")
request_route {
  if (is_method("INFO")) { exit; }
  if (proto == WS || proto == WSS) {
    force_rport();
    if (is_method("REGISTER")) { fix_nated_register(); } else { add_contact_alias(); }
  }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("$td", "secret", "0")) { www_challenge("$td", "1"); exit; }
    consume_credentials();
    if (!save("location")) { sl_reply_error(); }
    exit;
  }
  if (is_method("MESSAGE") && lookup("location")) { t_relay(); exit; }
  sl_send_reply("404", "Not here");
}
event_route[xhttp:request] {
  if ($hdr(Upgrade) =~ "websocket" && $hdr(Connection) =~ "Upgrade" && $rm =~ "GET") {
    if (ws_handle_handshake()) { exit; }
  }
  xhttp_reply("404", "Not Found", "text/plain", "no");
}
`
    const file = write(temporary, "kamailio.cfg", configuration)
    const process = yield* run(
      "kamailio",
      ["-DD", "-E", "-f", file, "-Y", temporary, "-P", path.join(temporary, "pid"), "-m", "32", "-M", "4"]
    )
    // It has processes of its own, which end with it only if it is asked.
    const stop = Effect.andThen(process.kill("SIGTERM"), process.exit)
    yield* Effect.addFinalizer(() => stop)
    yield* Effect.orDie(Effect.retry(answers(tcp), { schedule: Schedule.spaced("20 millis"), times: 400 }))
    return { process, stop, url: `ws://localhost:${tcp}` }
  })

type Name = "alice" | "bob"

const agent = (url: string, name: Name, options: Partial<Sip.Options> = {}) =>
  Sip.connect(url, `sip:${name}@wire.test`, {
    password: Redacted.make("secret"),
    closeWithin: "300 millis",
    ...options
  }).pipe(Effect.provide(Tcp.layer({ noDelay: true }).pipe(WebSocket.client(), Sip.Sip.over(codec))))

describe.skipIf(skip)("kamailio", () => {
  const common = shared(server("MD5"))
  const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(name, () => Effect.scoped(test))

  live(
    "is asked what it can, by many at once",
    Effect.gen(function*() {
      const { url } = yield* common
      const outcome = yield* Effect.scoped(Effect.gen(function*() {
        const alice = yield* agent(url, "alice")
        const asked = Array.from({ length: 50 }, () => alice.request("OPTIONS", "sip:wire.test"))
        const all = yield* Effect.all(asked, { concurrency: "unbounded" })
        assert.deepStrictEqual(new Set(all.map(({ start }) => start)), new Set(["SIP/2.0 200 OK"]))
        assert.strictEqual(new Set(all.map((response) => values(response, "cseq")[0])).size, 50)
        return alice.connection
      })).pipe(Effect.flatMap(({ closed }) => closed))
      assert.deepInclude(outcome, { first: "local", clean: true, sent: { code: 1000, reason: "" } })
    })
  )

  for (const algorithm of ["MD5", "SHA-256"] as const) {
    live(
      `registers who shows the password by ${algorithm}, until the scope closes`,
      Effect.gen(function*() {
        const { url } = yield* algorithm === "MD5" ? common : server(algorithm)
        const one = yield* agent(url, "alice")
        const two = yield* agent(url, "alice")
        yield* Effect.scoped(Effect.gen(function*() {
          const contacts = yield* one.register
          assert.match(contacts.join(), /^<sip:alice@\w+\.invalid;transport=ws>;expires=600/)
          assert.strictEqual((yield* two.register).join().split("sip:alice").length, 3)
        }))
        assert.strictEqual((yield* one.register).join().split("sip:alice").length, 2)
        const guess = yield* agent(url, "alice", { password: Redacted.make("guess") })
        const refused = yield* Effect.flip(Effect.scoped(guess.register))
        assert.deepInclude(refused, { _tag: "SipRefused", message: "REGISTER: SIP/2.0 401 Unauthorized" })
      })
    )
  }

  live(
    "brings messages to who is registered, and the answers back",
    Effect.gen(function*() {
      const { url } = yield* common
      const heard = yield* Queue.unbounded<Message>()
      const bob = yield* agent(url, "bob", {
        answer: (request) =>
          Effect.as(
            Queue.offer(heard, request),
            request.body === "are you there?" ? "200 OK" : "486 Busy Here"
          )
      })
      const alice = yield* agent(url, "alice")
      const say = (body: string) =>
        alice.request("MESSAGE", "sip:bob@wire.test", body, [["content-type", "text/plain"]])
      assert.deepInclude(yield* Effect.flip(say("are you there?")), {
        _tag: "SipRefused",
        message: "MESSAGE: SIP/2.0 404 Not here"
      })
      yield* bob.register
      assert.strictEqual((yield* say("are you there?")).start, "SIP/2.0 200 OK")
      assert.deepInclude(yield* Queue.take(heard), { body: "are you there?" })
      assert.deepInclude(yield* Effect.flip(say("Grüße")), { message: "MESSAGE: SIP/2.0 486 Busy Here" })
      assert.deepInclude(yield* Queue.take(heard), { body: "Grüße" })
      const long = "x".repeat(10_000)
      yield* Effect.flip(say(long))
      assert.strictEqual((yield* Queue.take(heard)).body, long)
    })
  )

  live(
    "ends a connection that says too much at once",
    Effect.gen(function*() {
      const { url } = yield* common
      const alice = yield* agent(url, "alice")
      const error = yield* Effect.flip(alice.request("MESSAGE", "sip:bob@wire.test", "x".repeat(1_048_576)))
      assert.propertyVal(error, "_tag", "ConnectionError")
      assert.isFalse((yield* alice.connection.closed).clean)
    })
  )

  live(
    "refuses a subprotocol that is not sip",
    Effect.gen(function*() {
      const { url } = yield* common
      assert.deepInclude(yield* offeringNonsense(url), { _tag: "UpgradeRejected", status: 400 })
    })
  )

  live(
    "goes away: what waits fails with why",
    Effect.gen(function*() {
      const { stop, url } = yield* server("MD5")
      const alice = yield* agent(url, "alice")
      const waiting = yield* Effect.forkChild(Effect.flip(alice.request("INFO", "sip:bob@wire.test")))
      const late = Effect.timeout(alice.request("INFO", "sip:bob@wire.test"), "100 millis")
      assert.propertyVal(yield* Effect.flip(late), "_tag", "TimeoutError")
      yield* stop
      const error = (yield* Fiber.join(waiting)) as ConnectionError
      assert.include(["Closed", "Reset", "Truncated"], error.reason._tag)
      assert.propertyVal(yield* Effect.flip(alice.request("OPTIONS", "sip:wire.test")), "_tag", "ConnectionError")
    })
  )

  live(
    "is talked to by the program",
    Effect.gen(function*() {
      const { url } = yield* common
      const program = yield* example("run.ts", ["sip", url, "sip:bob@wire.test", "--password", "secret"])
      yield* program.says(/^registered <sip:bob@/m)
      assert.match(program.stdout(), /^OPTIONS SIP\/2\.0 200 OK$/m)
      const alice = yield* agent(url, "alice")
      yield* alice.request("MESSAGE", "sip:bob@wire.test", "hello")
      yield* program.says(/^<sip:alice@wire\.test>;tag=\w+ hello$/m)
      yield* program.kill("SIGINT")
      assert.strictEqual(yield* program.exit, 0)
    })
  )
})

describe("messages of SIP", () => {
  const machine = () => codec.machine(Message, Message)()

  const head = "via: SIP/2.0/WS a.invalid;branch=z9\r\nfrom: <sip:a>\r\nto: <sip:b>\r\ncall-id: 1\r\ncseq: 1 INFO"
  const headers = head.split("\r\n").map((line): readonly [string, string] => {
    const [name, value] = line.split(": ")
    return [name, value]
  })
  const request: Message = { start: "INFO sip:b SIP/2.0", headers, body: "" }
  const length: readonly [string, string] = ["content-length", "4"]

  it("are read as text and as bytes, in whatever form they are", () =>
    MachineSuite.verifyMessages(machine, [
      {
        name: "requests",
        input: [
          `INFO sip:b SIP/2.0\r\n${head}\r\n\r\n`,
          Buffer.from(`INFO sip:b SIP/2.0\r\n${head}\r\nContent-Length: 4\r\n\r\nGrü`),
          `INFO sip:b SIP/2.0\r\nv: SIP/2.0/WS\r\n a.invalid;branch=z9\r\nf : <sip:a>\r\nt:<sip:b>\r\ni: 1\r\nCSeq: 1 INFO\r\n\r\n`
        ],
        messages: [request, { ...request, headers: [...headers, length], body: "Grü" }, request]
      },
      {
        name: "a response",
        input: [`SIP/2.0 486 Busy Here\r\n${head}\r\n\r\n`],
        messages: [{ start: "SIP/2.0 486 Busy Here", headers, body: "" }]
      },
      ...[
        "",
        `INFO sip:b SIP/2.0\r\n${head}\r\n`,
        `INFO sip:b SIP/3.0\r\n${head}\r\n\r\n`,
        `SIP/2.0 999 What\r\n${head}\r\n\r\n`,
        `INFO sip:b SIP/2.0\r\n${head}\r\nno header\r\n\r\n`,
        `INFO sip:b SIP/2.0\r\n${head.replace(/from.*\r\n/, "")}\r\n\r\n`,
        `INFO sip:b SIP/2.0\r\n${head}${"\r\nx: y".repeat(200)}\r\n\r\n`
      ].map((input) => ({ name: JSON.stringify(input), input: [input], messages: [], ending: "Undecodable" as const }))
    ]))

  it("are written as they are read, and not with another one inside", () => {
    MachineSuite.verifyRoundTrip(machine(), machine(), [{ ...request, body: "Grü" }], [
      { ...request, headers: [...headers, length], body: "Grü" }
    ])
    for (const part of [{ start: "A\r\nB sip:b SIP/2.0" }, { headers: [["a", "b\r\nc: d"]] as const }]) {
      MachineSuite.verifyRefusal(machine(), { ...request, ...part }, "Unencodable")
    }
  })
})
