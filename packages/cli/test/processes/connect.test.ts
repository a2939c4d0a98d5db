/** `wirestack connect` in a pipe, with the servers of `ws` and of Node. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { eventually, folder, freePort, piped, redirected, tcpServer, wirestack, wsServer } from "./support.ts"

describe("messages of a WebSocket", () => {
  it.live("are the lines of the input, and the answers are lines", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer()
      const { code, stderr, stdout } = yield* piped(["connect", url], "hello\n\nwörld\nno end")
      assert.deepStrictEqual([code, stdout, stderr], [0, "hello\n\nwörld\nno end\n", ""])
      assert.deepStrictEqual(seen.messages, ["hello", "", "wörld", "no end"])
      yield* eventually("closed", () => seen.closes.length === 1)
      assert.deepStrictEqual(seen.closes, [1000])
    }).pipe(Effect.scoped))

  it.live("are binary, and between zeros, if that is asked for", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer()
      const { code, stdout } = yield* piped(["connect", "--binary", "--null", "--count", "2", url], "a\nb\0c")
      assert.deepStrictEqual([code, stdout], [0, "a\nb\0c\0"])
      assert.deepStrictEqual(seen.messages, [Buffer.from("a\nb"), Buffer.from("c")])
    }).pipe(Effect.scoped))

  it.live("is all of the input, and comes back as it is", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer()
      const text = "line\n".repeat(50_000)
      const { code, stdout } = yield* piped(["connect", "--whole", "--raw", "--once", url], text)
      assert.deepStrictEqual([code, stdout === text, seen.messages.length], [0, true, 1])
    }).pipe(Effect.scoped))

  it.live("end with the first one, though the input goes on", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer((socket) => socket.send("welcome"))
      const running = yield* wirestack(["connect", "--once", "--close", "4001", url])
      assert.strictEqual(yield* running.exit, 0)
      assert.strictEqual(running.stdout(), "welcome\n")
      yield* eventually("closed", () => seen.closes.length === 1)
      assert.deepStrictEqual(seen.closes, [4001])
    }).pipe(Effect.scoped))

  it.live("go on when nothing can be said to people", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer()
      const { code, stdout } = yield* redirected("2>/dev/full", ["connect", "--report", url], "hello\n")
      assert.deepStrictEqual([code, stdout], [0, "hello\n"])
    }).pipe(Effect.scoped))

  it.live("are not lost without being told, when the output takes no more", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer()
      const { code, stderr } = yield* redirected(">/dev/full", ["connect", url], "hello\n")
      assert.strictEqual(code, 1)
      assert.match(stderr, /^wirestack: output: ENOSPC/)
    }).pipe(Effect.scoped))

  it.live("end with the output, when nobody reads it any more", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer((socket) => {
        const timer = setInterval(() => socket.send("tick"), 5)
        socket.on("close", () => clearInterval(timer))
      })
      const running = yield* wirestack(["connect", url])
      yield* running.says(/tick/)
      yield* running.unread
      assert.strictEqual(yield* running.exit, 0)
      yield* eventually("closed", () => seen.closes.length === 1)
      assert.deepStrictEqual(seen.closes, [1000])
    }).pipe(Effect.scoped))
})

describe("the opening handshake", () => {
  it.live("says what the flags say, and who we are, which the list of processes does not", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer(undefined, { protocols: ["chat.v1"] })
      const running = yield* wirestack([
        "connect",
        "--subprotocol",
        "chat.v2",
        "-s",
        "chat.v1",
        "-H",
        "X-Trace: 7",
        "--origin",
        "https://chat.example",
        "--compression",
        "--auth",
        "ada:hidden",
        "--report",
        `${url}room?id=1`
      ])
      yield* running.says(/subprotocol chat\.v1/)
      yield* eventually("connected", () => seen.requests.length === 1)
      const [{ headers, url: path }] = seen.requests
      assert.strictEqual(path, "/room?id=1")
      assert.strictEqual(headers["sec-websocket-protocol"], "chat.v2, chat.v1")
      assert.strictEqual(headers["x-trace"], "7")
      assert.strictEqual(headers.origin, "https://chat.example")
      assert.strictEqual(headers.authorization, `Basic ${Buffer.from("ada:hidden").toString("base64")}`)
      assert.match(headers["sec-websocket-extensions"]!, /permessage-deflate/)
      assert.notInclude(fs.readFileSync(`/proc/${running.pid}/cmdline`, "latin1"), "hidden")
      yield* running.end
      assert.strictEqual(yield* running.exit, 0)
      assert.notInclude(running.stderr(), "hidden")
    }).pipe(Effect.scoped))

  it.live("is told as bars over time, and so is what has passed", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer()
      const { stderr } = yield* piped(["connect", "--report", "--once", url], "hello\n")
      assert.match(
        stderr,
        /^ws:\S+ in [\d.]+ ms\ntcp +[█▏▎▍▌▋▊▉]+ .* ms {2}address 127\.0\.0\.1:\d+\nwebsocket +[█▏▎▍▌▋▊▉]+/
      )
      assert.match(stderr, /closed by us with 1000\n/)
      assert.match(stderr, /websocket +1 message, 5 bytes +1 message, 5 bytes\n/)
    }).pipe(Effect.scoped))

  it.live("is followed by pings, whose round trips are told", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer()
      const running = yield* wirestack(["connect", "--ping", "0.05", url])
      yield* running.says(/(pong after [\d.]+ ms\n){3}/)
      yield* running.end
      assert.strictEqual(yield* running.exit, 0)
    }).pipe(Effect.scoped))

  it.live("that is answered with 401 is rejected, with a hint", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer(undefined, { reject: 401 })
      const { code, stderr } = yield* piped(["connect", url], "")
      assert.strictEqual(code, 5)
      assert.match(stderr, /^wirestack: websocket: the upgrade was answered with status 401.*\n {2}hint: .*--auth-file/)
    }).pipe(Effect.scoped))

  it.live("takes who we are from the environment, and from a file", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer()
      const file = `${yield* folder}/auth`
      fs.writeFileSync(file, "grace:secret\n")
      yield* piped(["connect", "--linger", "0", url], "", { WIRESTACK_AUTH: "ada:hidden" })
      yield* piped(["connect", "--linger", "0", "--auth-file", file, url], "")
      assert.deepStrictEqual(
        seen.requests.map(({ headers }) => Buffer.from(headers.authorization!.slice(6), "base64").toString()),
        ["ada:hidden", "grace:secret"]
      )
    }).pipe(Effect.scoped))
})

describe("the end", () => {
  it.live("is a failure if the peer says so with its code", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer((socket) => socket.close(4000, "no more"))
      const running = yield* wirestack(["connect", url])
      assert.strictEqual(yield* running.exit, 6)
      assert.strictEqual(running.stderr(), "wirestack: websocket: the peer closed with 4000 (no more)\n")
    }).pipe(Effect.scoped))

  it.live("is none if the peer just goes, once all it said is out", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer((socket) => {
        for (let i = 0; i < 2_000; i++) socket.send(`${i}`)
        socket.close(1001)
      })
      const running = yield* wirestack(["connect", url])
      assert.strictEqual(yield* running.exit, 0)
      assert.strictEqual(running.stdout().split("\n").length, 2_001)
    }).pipe(Effect.scoped))

  it.live("is a failure if the connection breaks", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer((socket) => socket.terminate())
      const running = yield* wirestack(["connect", url])
      assert.strictEqual(yield* running.exit, 6)
      assert.match(running.stderr(), /^wirestack: websocket: .+\n$/)
    }).pipe(Effect.scoped))

  it.live("is told to the peer when a signal comes", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer((socket) => socket.send("here"))
      const running = yield* wirestack(["connect", url])
      yield* running.says(/here/)
      yield* running.kill("SIGINT")
      assert.strictEqual(yield* running.exit, 0)
      yield* eventually("closed", () => seen.closes.length === 1)
      assert.deepStrictEqual(seen.closes, [1001])
    }).pipe(Effect.scoped))

  it.live("is at once when a second signal comes, though the peer has no answer", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer((socket) => {
        socket.send("here")
        socket.pause()
      })
      const running = yield* wirestack(["connect", url])
      yield* running.says(/here/)
      yield* running.kill("SIGTERM")
      yield* Effect.sleep("300 millis")
      yield* running.kill("SIGTERM")
      assert.strictEqual(yield* running.exit, 143)
    }).pipe(Effect.scoped))
})

describe("bytes", () => {
  it.live("go both ways as they are, and the end of the input is told", () =>
    Effect.gen(function*() {
      const { address } = yield* tcpServer((socket) => {
        const chunks: Array<Buffer> = []
        socket.on("data", (chunk) => chunks.push(chunk)).on("end", () => socket.end(Buffer.concat(chunks).reverse()))
      })
      const text = "0123456789abcdef".repeat(40_000)
      const { code, stderr, stdout } = yield* piped(["connect", `tcp://${address}`], text)
      assert.deepStrictEqual([code, stderr, stdout === [...text].reverse().join("")], [0, "", true])
    }).pipe(Effect.scoped))

  it.live("stay open on our side without half-close", () =>
    Effect.gen(function*() {
      let ended = 0
      const { address } = yield* tcpServer((socket) => {
        const greeted = setTimeout(() => socket.write(ended === 0 ? "open" : "ended"), 100)
        socket.on("data", () => {}).on("end", () => {
          ended++
          clearTimeout(greeted)
          socket.end()
        })
      })
      const { code, stdout } = yield* piped(["connect", "--no-half-close", "--linger", "0.5", address], "hello")
      assert.deepStrictEqual([code, stdout], [0, "open"])
    }).pipe(Effect.scoped))

  it.live("of a WebSocket are a stream, on which lines may lie", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer((socket) => {
        socket.send(Buffer.from("on"))
        socket.send(Buffer.from("e\ntwo\n"))
      })
      const { code, stdout } = yield* piped(["connect", url.replace("ws:", "ws+lines:")], "three\n")
      assert.deepStrictEqual([code, stdout], [0, "one\ntwo\n"])
      assert.deepStrictEqual(Buffer.concat(seen.messages as Array<Buffer>).toString(), "three\n")
    }).pipe(Effect.scoped))

  it.live("go through a Unix socket, and so does a WebSocket", () =>
    Effect.gen(function*() {
      const path = `${yield* folder}/ws.sock`
      const { seen, url } = yield* wsServer(undefined, { at: path })
      const { code, stdout } = yield* piped(["connect", "--once", `${url}events?since=1`], "hello\n")
      assert.deepStrictEqual([code, stdout, seen.requests[0].url], [0, "hello\n", "/events?since=1"])
      const { stdout: raw } = yield* piped(
        ["connect", "--no-half-close", `unix:${path}`],
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
      )
      assert.match(raw, /^HTTP\/1\.1 400 Bad Request\r\n/)
    }).pipe(Effect.scoped))
})

describe("a failure", () => {
  const failing = (title: string, args: ReadonlyArray<string>, code: number, line: RegExp) =>
    it.live(title, () =>
      Effect.gen(function*() {
        const failed = yield* piped(args, "")
        assert.deepStrictEqual([failed.code, failed.stdout], [code, ""])
        assert.match(failed.stderr, line)
      }).pipe(Effect.scoped))

  it.live("to reach anybody names the layer and the address", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const { code, stderr } = yield* piped(["connect", "--report", `ws://127.0.0.1:${port}/`], "")
      assert.strictEqual(code, 3)
      assert.match(stderr, new RegExp(`^ws://127.0.0.1:${port}/ in .*\ntcp +.* refused the connection\n`))
      assert.match(stderr, new RegExp(`\nwirestack: tcp: 127.0.0.1:${port} refused the connection\n$`))
    }).pipe(Effect.scoped))

  failing(
    "to resolve a name",
    ["connect", "tcp://nobody.invalid:1"],
    3,
    /^wirestack: tcp: nobody\.invalid could not be /
  )
  failing(
    "to read the URL",
    ["connect", "tsl://x:1"],
    2,
    /^wirestack: the scheme of the URL: "tsl" is no layer \(known are /
  )
  failing(
    "to read the flags",
    ["connect", "--count", "many", "tcp://x:1"],
    2,
    /^wirestack: Invalid value for flag --count/
  )
  failing(
    "to make sense of a flag for another layer",
    ["connect", "--subprotocol", "chat", "tcp+lines://x:1"],
    2,
    /^wirestack: --subprotocol is for WebSockets, and tcp\+lines:\/\/x:1 is none\n$/
  )
  failing(
    "to make sense of a name for what has no use for it",
    ["connect", "--auth", "ada:hidden", "tcp://x:1"],
    2,
    /^wirestack: --auth is for WebSockets, and tcp:\/\/x:1 is none\n$/
  )
  failing(
    "to make sense of messages where there are none, before anything is tried",
    ["connect", "--null", "tcp://127.0.0.1:1"],
    2,
    /^wirestack: --null is for messages, and tcp:\/\/127\.0\.0\.1:1 has bytes only\n$/
  )
  failing(
    "to find a file",
    ["connect", "--ca", "/nowhere/ca.pem", "tls://x:1"],
    2,
    /^wirestack: .*--ca.*\/nowhere\/ca\.pem/
  )
})
