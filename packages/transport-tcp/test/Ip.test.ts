import { assert, it } from "@effect/vitest"
import { Ip } from "@wirestack/transport-tcp"
import { Effect } from "effect"
import { NetAddress } from "effect/net"

const resolve = (host: string) =>
  Effect.gen(function*() {
    const ip = yield* Ip.Ip
    return (yield* ip.resolve(host, 80)).map(NetAddress.formatInet)
  })

it.effect("resolves from a fixed zone, in its order", () =>
  Effect.gen(function*() {
    assert.deepStrictEqual(yield* resolve("both.test"), ["[::1]:80", "127.0.0.1:80", "127.0.0.2:80"])
    assert.deepStrictEqual(yield* resolve("127.0.0.9"), ["127.0.0.9:80"])
    assert.deepStrictEqual(yield* resolve("::1"), ["[::1]:80"])
    const error = yield* Effect.flip(resolve("other.test"))
    assert.strictEqual(error._tag, "Unresolved")
    assert.strictEqual(error.host, "other.test")
  }).pipe(Effect.provide(Ip.layerStatic({ hosts: { "both.test": ["::1", "127.0.0.1", "127.0.0.2"] } }))))

it.effect("is told apart from another one in the same program", () =>
  Effect.gen(function*() {
    const zone = (address: string) => Ip.layerStatic({ hosts: { "a.test": [address] } })
    const inner = Effect.provide(resolve("a.test"), zone("127.0.0.2"))
    assert.deepStrictEqual(yield* Effect.all([resolve("a.test"), inner]), [["127.0.0.1:80"], ["127.0.0.2:80"]])
  }).pipe(Effect.provide(Ip.layerStatic({ hosts: { "a.test": ["127.0.0.1"] } }))))

it.live("resolves by the system", () =>
  Effect.gen(function*() {
    assert.deepStrictEqual(yield* resolve("127.0.0.2"), ["127.0.0.2:80"])
  }).pipe(Effect.provide(Ip.layer)))

it.effect("RFC 6761 6.3: localhost, and what ends in it, is this machine without asking anybody", () =>
  Effect.gen(function*() {
    const { resolve } = yield* Ip.Ip
    for (const host of ["localhost", "LOCALHOST.", "chat.localhost"]) {
      const all = yield* Effect.forEach(
        [undefined, "IPv4", "IPv6"] as const,
        (family) => Effect.map(resolve(host, 80, family), (addresses) => addresses.map(String))
      )
      assert.deepStrictEqual(all, [["127.0.0.1:80", "[::1]:80"], ["127.0.0.1:80"], ["[::1]:80"]])
    }
  }).pipe(Effect.provide(Ip.layer)))
