/** The example programs as people run them: the conversation that ends, and the chat that goes on serving. */
import { assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { example, type Running } from "./support/processes.ts"

const invitation = path.resolve(import.meta.dirname, "../../../node_modules/.cache/wirestack/invitation.json")

const opens = (who: string) => [
  new RegExp(`^${who} +ip +localhost is (127\\.0\\.0\\.1|::1), of \\d tried$`, "m"),
  new RegExp(`^${who} +tcp +.+:\\d+ to .+:\\d+, in [\\d.]+ ms$`, "m"),
  new RegExp(`^${who} +tls +TLSv1\\.3, TLS_\\w+, ALPN http/1\\.1, CN=localhost verified, in [\\d.]+ ms$`, "m"),
  new RegExp(`^${who} +websocket +/chat, subprotocol chat\\.v1, in [\\d.]+ ms$`, "m")
]

const closes = (who: string) => [
  new RegExp(`^${who} +websocket +closed, sent 1000, received 1000, in [\\d.]+ ms$`, "m"),
  new RegExp(`^${who} +tls, tcp +closed, close_notify and FIN, in [\\d.]+ ms$`, "m"),
  new RegExp(`^${who} +clean: local first, 0 bytes unsent, 0 messages undelivered$`, "m")
]

const inOrder = (text: string, patterns: ReadonlyArray<RegExp>) => {
  let last = -1
  for (const pattern of patterns) {
    const at = text.search(pattern)
    assert.isAbove(at, last, `${pattern} in its place in\n${text}`)
    last = at
  }
}

/** Ends a serving program as Ctrl-C does. */
const ends = (server: Running, signal: NodeJS.Signals) =>
  Effect.gen(function*() {
    assert.isTrue(fs.existsSync(invitation))
    yield* server.kill(signal)
    assert.strictEqual(yield* server.exit, 0)
    assert.strictEqual(server.stderr(), "")
    assert.isFalse(fs.existsSync(invitation), "the invitation is taken back")
  })

/** Joins the chat, and waits until it is in. */
const joined = (name: string, ...options: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const client = yield* example("run.ts", ["chat", "--join", name, ...options])
    yield* client.says(new RegExp(`\\* in \\w+: .*\\b${name}\\b`))
    return client
  })

/** Of a server that was killed. */
beforeEach(() => fs.rmSync(invitation, { force: true }))

describe("the main program", () => {
  it.live("--once shows how each layer opens and closes, and ends", () =>
    Effect.gen(function*() {
      const program = yield* example("main.ts", ["--once"])
      assert.strictEqual(yield* program.exit, 0)
      assert.strictEqual(program.stderr(), "")
      const text = program.stdout()
      assert.match(text, /^server chat\.v1 on wss:\/\/localhost:\d+\/chat\n/)
      for (const who of ["ada", "grace"]) inOrder(text, [...opens(who), ...closes(who)])
      inOrder(text, [/^ada +< <ada> Hello/m, /^ada +< <grace> I am/m, /^ada +< \* grace left$/m])
      inOrder(text, [/^grace +< <ada> Hello/m, /^grace +< <grace> I am/m])
    }).pipe(Effect.scoped))

  it.live("goes on serving, until Ctrl-C", () =>
    Effect.gen(function*() {
      const server = yield* example("main.ts", ["--port", "0"])
      yield* server.says(/^Ctrl-C ends it$/m)
      const alan = yield* joined("alan")
      inOrder(`${alan.stdout().replace(/^/gm, "alan ")}`, opens("alan"))
      yield* alan.write("Is it still on?\n")
      yield* alan.says(/^<alan> Is it still on\?$/m)
      yield* ends(server, "SIGINT")
      assert.match(server.stdout(), /^drained in \d+ ms: 1 open, 1 clean, 0 forced, 0 failed$/m)
      assert.strictEqual(yield* alan.exit, 0)
      assert.strictEqual(alan.stderr(), "")
    }).pipe(Effect.scoped))
})

describe("the chat", () => {
  it.live("is talked on from several terminals", () =>
    Effect.gen(function*() {
      const server = yield* example("run.ts", ["chat", "--port", "0"])
      yield* server.says(/^Ctrl-C ends it$/m)
      const ada = yield* joined("ada", "--room", "sea")
      const grace = yield* joined("grace", "--room", "sea")
      const alan = yield* joined("alan", "--room", "land")
      yield* ada.says(/^\* grace came$/m)
      yield* grace.write("ahoy, ünïcode\n\nsecond line\n")
      for (const client of [ada, grace]) yield* client.says(/^<grace> ahoy, ünïcode\n<grace> second line$/m)
      yield* grace.end
      assert.strictEqual(yield* grace.exit, 0)
      yield* ada.says(/^\* grace left$/m)
      assert.notMatch(alan.stdout(), /grace/)
      const twin = yield* example("run.ts", ["chat", "--join", "ada", "--room", "sea"])
      yield* twin.says(/^! ada is here already$/m)
      yield* twin.kill("SIGINT")
      assert.strictEqual(yield* twin.exit, 0)
      yield* ends(server, "SIGTERM")
      assert.match(server.stdout(), /^drained in \d+ ms: 2 open, 2 clean, 0 forced, 0 failed$/m)
      for (const client of [ada, alan]) assert.strictEqual(yield* client.exit, 0)
    }).pipe(Effect.scoped))

  it.live("says when there is nothing to join", () =>
    Effect.gen(function*() {
      const client = yield* example("run.ts", ["chat", "--join", "ada"])
      assert.strictEqual(yield* client.exit, 1)
      assert.match(client.stderr(), /no chat is running/)
      assert.notMatch(client.stderr(), /^\s+at /m)
    }).pipe(Effect.scoped))
})
