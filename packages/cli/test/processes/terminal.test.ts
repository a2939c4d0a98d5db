/** `wirestack` in a pseudo-terminal. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { WebSocket } from "ws"
import { eventually, freePort, tcpServer, terminal, wsServer } from "./support.ts"

const controlC = "\x03"
const controlD = "\x04"
const up = "\x1b[A"

describe("a person at a terminal", () => {
  it.live("types messages, sees the answers above the prompt, and leaves with Ctrl-C", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer()
      const running = yield* terminal(["connect", url])
      yield* running.says(/connected to ws:\/\/127/)
      yield* running.write("hello\r")
      yield* running.says(/< hello\r?\n/)
      yield* running.write(`${up}\r`)
      yield* eventually("sent again", () => seen.messages.length === 2)
      yield* running.write(controlC)
      assert.strictEqual(yield* running.exit, 0)
      assert.deepStrictEqual(seen.messages, ["hello", "hello"])
      assert.deepStrictEqual(seen.closes, [1001])
      assert.match(running.stdout(), /closed by us with 1001/)
    }).pipe(Effect.scoped))

  it.live("leaves with Ctrl-D, as with the end of any input", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* wsServer()
      const running = yield* terminal(["connect", url])
      yield* running.says(/connected to/)
      yield* running.write(controlD)
      assert.strictEqual(yield* running.exit, 0)
      assert.deepStrictEqual(seen.closes, [1000])
    }).pipe(Effect.scoped))

  it.live("keeps what is being typed while messages come", () =>
    Effect.gen(function*() {
      const { seen, sockets, url } = yield* wsServer()
      const running = yield* terminal(["connect", url])
      yield* running.says(/connected to/)
      yield* running.write("half a ")
      yield* running.says(/half a /)
      for (const socket of sockets.clients) socket.send("in between")
      yield* running.says(/< in between\r?\n.*> half a /s)
      yield* running.write("line\r")
      yield* eventually("sent", () => seen.messages.length === 1)
      assert.deepStrictEqual(seen.messages, ["half a line"])
    }).pipe(Effect.scoped))

  it.live("is safe from what peers say", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer((socket) => {
        socket.send("\x1b]0;owned\x07\x1b[2J\u202e")
        socket.send(Uint8Array.of(0xff, 0x00, 0x1b))
      })
      const running = yield* terminal(["connect", url])
      yield* running.says(/< \\x1b\]0;owned\\x07\\x1b\[2J\\u202e\r?\n/)
      yield* running.says(/< ff 00 1b \(3 bytes\)\r?\n/)
    }).pipe(Effect.scoped))

  it.live("is told how the peer has left", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer((socket) => socket.close(4321, "enough"))
      const running = yield* terminal(["connect", url])
      assert.strictEqual(yield* running.exit, 6)
      assert.match(running.stdout(), /closed by the peer with 4321 \(enough\)/)
    }).pipe(Effect.scoped))

  it.live("is safe from why peers leave", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer((socket) => socket.close(4321, "\x1b]0;owned\x07"))
      const running = yield* terminal(["connect", url])
      assert.strictEqual(yield* running.exit, 6)
      assert.match(running.stdout(), /closed by the peer with 4321 \(\\x1b\]0;owned\\x07\)/)
      assert.match(running.stdout(), /wirestack: websocket: the peer closed with 4321 \(\\x1b\]0;owned\\x07\)/)
      assert.notInclude(running.stdout(), "\x1b]0;")
    }).pipe(Effect.scoped))

  it.live("types lines on a stack of bytes, with CRLF if that is asked for", () =>
    Effect.gen(function*() {
      let received = ""
      const { address } = yield* tcpServer((socket) =>
        socket.setEncoding("utf8").on("data", (text) => {
          received += text
        }).on("end", () => socket.end())
      )
      const running = yield* terminal(["connect", "--crlf", address])
      yield* running.says(/connected to/)
      yield* running.write("PING\r")
      yield* eventually("sent", () => received === "PING\r\n")
      yield* running.write(controlD)
      assert.strictEqual(yield* running.exit, 0)
    }).pipe(Effect.scoped))

  it.live("talks to who comes, and is told that nobody is here", () =>
    Effect.gen(function*() {
      const running = yield* terminal(["listen", "ws://127.0.0.1:0/"])
      const [, url] = yield* running.says(/listening (\S+?)\r?\n/)
      yield* running.write("anybody?\r")
      yield* running.says(/nobody is here/)
      const client = new WebSocket(url)
      const greeted = once(client, "message")
      yield* running.says(/\+ 127\.0\.0\.1:\d+/)
      yield* running.write("hello\r")
      assert.strictEqual(String((yield* Effect.promise(() => greeted))[0]), "hello")
      client.send("and you?")
      yield* running.says(/< and you\?\r?\n/)
      const closed = once(client, "close")
      yield* running.write(controlC)
      assert.strictEqual((yield* Effect.promise(() => closed))[0], 1001)
      assert.strictEqual(yield* running.exit, 0)
    }).pipe(Effect.scoped))

  it.live("is told loudly of what is insecure, in colour", () =>
    Effect.gen(function*() {
      const url = `tls://127.0.0.1:${yield* freePort}`
      const running = yield* terminal(["connect", "--insecure", url], {
        NO_COLOR: "",
        FORCE_COLOR: "1"
      })
      assert.strictEqual(yield* running.exit, 3)
      assert.match(running.stdout(), /\x1b\[31m.*INSECURE: nobody has to prove to be tls:\/\/127\.0\.0\.1:\d+;/)
    }).pipe(Effect.scoped))
})
