/** `--tap` and `--tap-file`. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { folder, piped, serving, wsServer } from "./support.ts"

it.live("shows what passes above each layer, without who we are", () =>
  Effect.gen(function*() {
    const { url } = yield* wsServer()
    const { code, stderr, stdout } = yield* piped(
      ["connect", "--once", "--tap", url],
      "hello\x1b[2J\n",
      { WIRESTACK_AUTH: "ada:hidden" }
    )
    assert.deepStrictEqual([code, stdout], [0, "hello\x1b[2J\n"])
    assert.match(stderr, /^tcp > \d+ at [\d.]+ ms\n {4}GET \/ HTTP\/1\.1\n/)
    assert.match(stderr, /\ntcp < \d+ at [\d.]+ ms\n {4}HTTP\/1\.1 101 /)
    assert.match(stderr, /\nws > 9 at [\d.]+ ms\n {4}hello\\x1b\[2J\n/)
    assert.match(stderr, /\nws < 9 at [\d.]+ ms\n {4}hello\\x1b\[2J\n/)
    assert.notInclude(stderr, Buffer.from("ada:hidden").toString("base64"))
  }).pipe(Effect.scoped))

it.live("writes the plaintext above TLS as packets, and tells which layers there are", () =>
  Effect.gen(function*() {
    const { server, url } = yield* serving("echo", ["--development-certificate", "tls+lines://localhost:0"])
    const [, ca] = yield* server.says(/--ca (\S+)/)
    const file = `${yield* folder}/tap.pcapng`
    const tap = ["--tap=tls", "--tap-file", file]
    const { code, stderr, stdout } = yield* piped(["connect", "--once", "--ca", ca, ...tap, url], "hello\n")
    assert.deepStrictEqual([code, stdout], [0, "hello\n"])
    assert.match(stderr, /^tls > 6 at [\d.]+ ms\n {4}hello\n(?:[^]*\n)?tls < 6 at [\d.]+ ms\n {4}hello\n/)
    const packets = fs.readFileSync(file)
    assert.strictEqual(packets.readUInt32LE(0), 0x0a0d0d0a)
    assert.include(packets.toString("latin1"), "hello\n")
    const wrong = yield* piped(["connect", "--tap=ws", "--ca", ca, url], "")
    assert.deepStrictEqual([wrong.code, wrong.stderr], [2, `wirestack: --tap ws: ${url} has tcp, tls, lines\n`])
  }).pipe(Effect.scoped))
