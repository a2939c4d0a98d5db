/** Some of the conformance suite against our echo-server and our echo-client; `npm run conformance` has all of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { isUtf8 } from "node:buffer"
import { all } from "./conformance/cases/all.ts"
import { sectionOf } from "./conformance/cases/Case.ts"
import { againstClient, againstServer, type Result } from "./conformance/run.ts"
import { badAt } from "./conformance/Utf8.ts"
import { example } from "./support/processes.ts"

/** Of what has many cases or takes long, one or two of each kind. */
const samples =
  /^(6\.\d+\.[12]|7\.\d+\.[1-3]|8\..*|9\.[1-8]\.[23]|10\.1\.1|12\.[1-5]\.[3]|12\.6\.1|12\.7\.1|13\.1\.3|13\.[23]\.1)$/

const cases = all.filter((one) => sectionOf(one) <= 5 || samples.test(one.id))

const passed = (results: ReadonlyArray<Result>) => {
  const failures = results.flatMap(({ case: { id, title }, failure }) =>
    failure === undefined ? [] : [`${id} ${title}: ${failure}`]
  )
  assert.deepStrictEqual(failures, [])
}

const limits = ["--compression", "--max-message", String(1 << 26)]

describe("conformance", () => {
  it.live("of the echo server", () =>
    Effect.gen(function*() {
      const server = yield* example("run.ts", ["echo-server", ...limits])
      const [, url] = yield* server.says(/^listening (\S+)\n/)
      passed(yield* Effect.promise(() => againstServer(url, cases)))
    }).pipe(Effect.scoped))

  it.live("of the echo client, which ends in order when it is refused", () => {
    const client = (url: string, connections: number) =>
      Effect.gen(function*() {
        const client = yield* example("run.ts", ["echo-client", url, "--connections", String(connections), ...limits])
        assert.strictEqual(yield* Effect.orDie(client.exit), 0)
        assert.strictEqual(client.stdout() + client.stderr(), "")
      }).pipe(Effect.scoped, Effect.runPromise)
    return Effect.map(Effect.promise(() => againstClient(client, cases)), passed)
  })

  it("has every case once", () => {
    assert.strictEqual(new Set(all.map(({ id }) => id)).size, all.length)
  })

  it("knows where a text becomes impossible", () => {
    const bad = (hex: string) => badAt(Buffer.from(hex, "hex"))
    assert.deepStrictEqual(["6162", "c3a4", "f09f9880"].map(bad), [undefined, undefined, undefined])
    assert.deepStrictEqual(["61c3", "f09f98", "61ff", "c328", "eda0", "f490", "e28261"].map(bad), [2, 3, 1, 1, 1, 1, 2])
    // Every two octets, as the platform judges them.
    const pairs = Array.from({ length: 0x1_0000 }, (_, n) => Buffer.of(n >>> 8, n & 0xff))
    assert.deepStrictEqual(pairs.filter((pair) => (badAt(pair) === undefined) !== isUtf8(pair)), [])
  })

  it.live("tells what is wrong with the options of the echo client", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
        [[], /echo-client takes the URL of a server/],
        [["ws://127.0.0.1:1/", "--connections", "some"], /--connections takes a number/],
        [["ws://127.0.0.1:1/"], /127\.0\.0\.1:1 refused the connection/]
      ]
      const clients = yield* Effect.forEach(wrong, ([args]) => example("run.ts", ["echo-client", ...args]))
      for (const [n, client] of clients.entries()) {
        assert.strictEqual(yield* client.exit, 1)
        assert.match(client.stderr(), wrong[n][1])
        assert.notMatch(client.stderr(), /^\s+at /m)
      }
    }).pipe(Effect.scoped))
})
