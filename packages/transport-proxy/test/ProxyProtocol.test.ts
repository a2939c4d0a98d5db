import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import type { Incident } from "@wirestack/protocol/Listener"
import { ProxyProtocol, ProxyProtocolInfo } from "@wirestack/transport-proxy"
import { Tcp } from "@wirestack/transport-tcp"
import { Effect, Exit, Queue } from "effect"
import { above, connect, listen } from "./support.ts"

const soon = { closeWithin: "300 millis" } as const

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"))
const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(Buffer.concat(parts))

const signature = "0d0a0d0a 000d0a51 5549540a"

/** Sends these pieces to a server that wants a preface; what it was told and what came behind it, or why it said no. */
const served = (pieces: ReadonlyArray<Uint8Array>, options: Partial<ProxyProtocol.Options> = {}) =>
  Effect.gen(function*() {
    const { above: stack, below } = yield* above(
      Tcp.layer(),
      ProxyProtocol.server({ trusted: ["127.0.0.0/8"], ...options })
    )
    const seen = yield* Queue.unbounded<
      { readonly info: ProxyProtocolInfo["Service"]; readonly first: string } | Incident
    >()
    const listener = yield* Effect.provide(listen<ProxyProtocolInfo>("127.0.0.1:0", soon), stack)
    yield* Effect.forkScoped(listener.run(
      (peer) =>
        Effect.flatMap(
          peer.pull,
          ([first]) =>
            Queue.offer(seen, {
              info: Connection.detail(peer, ProxyProtocolInfo),
              first: new TextDecoder().decode(first)
            })
        ).pipe(
          Effect.ignore
        ),
      { onIncident: (incident) => Effect.asVoid(Queue.offer(seen, incident)) }
    ))
    const client = yield* Effect.provide(connect(listener.address, soon), below)
    for (const piece of pieces) {
      yield* Effect.ignore(client.send(piece))
      if (pieces.length > 1) yield* Effect.sleep(2)
    }
    return yield* Queue.take(seen)
  })

const version1 = ascii("PROXY TCP4 192.0.2.1 198.51.100.7 49152 443\r\n")

const version2 = hex(`${signature} 21 11 0013 c0000201 c6336407 c000 01bb 01 0004 68322d31`)

const info1 = {
  version: 1,
  source: { host: "192.0.2.1", port: 49_152 },
  destination: { host: "198.51.100.7", port: 443 },
  fields: []
} as const

const bytewise = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => Array.from(bytes, (byte) => Uint8Array.of(byte))

const told = (name: string, pieces: ReadonlyArray<Uint8Array>, info: ProxyProtocolInfo["Service"]) =>
  it.live(name, () =>
    Effect.scoped(Effect.gen(function*() {
      assert.deepStrictEqual(yield* served(pieces), { info, first: "h" })
    })))

const refused = (
  name: string,
  bytes: Uint8Array,
  expected: string,
  options?: Partial<ProxyProtocol.Options>
) =>
  it.live(name, () =>
    Effect.scoped(Effect.gen(function*() {
      const incident = yield* served([bytes], options)
      assert("_tag" in incident && incident._tag === "HandshakeFailed")
      assert.strictEqual(incident.error.layer, "proxy protocol")
      assert.strictEqual(incident.error.reason._tag, expected)
    })))

describe("the PROXY protocol", () => {
  const h = ascii("h")

  told("2.1: version 1, in the same piece as what follows", [joined(version1, h)], info1)
  told("2.1: byte by byte", [...bytewise(version1), h], info1)
  told("2.1: IPv6", [joined(ascii("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"), h)], {
    version: 1,
    source: { host: "2001:db8::1", port: 1 },
    destination: { host: "2001:db8::2", port: 2 },
    fields: []
  })
  told("2.1: a proxy that does not know", [joined(ascii("PROXY UNKNOWN ffff::1 x 1 2\r\n"), h)], {
    version: 1,
    source: undefined,
    destination: undefined,
    fields: []
  })
  const info2 = { ...info1, version: 2, fields: [{ type: 1, value: ascii("h2-1") }] } as const
  told("2.2: version 2 with a field", [joined(version2, h)], info2)
  told("2.2: byte by byte", [...bytewise(version2), h], info2)
  told("2.2: IPv6", [joined(
    hex(`${signature} 21 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 0001 0002`),
    h
  )], {
    version: 2,
    source: { host: "2001:db8::1", port: 1 },
    destination: { host: "2001:db8::2", port: 2 },
    fields: []
  })
  const mapped = { source: { host: "192.0.2.1", port: 1 }, destination: { host: "198.51.100.7", port: 2 } } as const
  told("2.1: IPv4 of a proxy that listens for both families", [
    ascii("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.7 1 2\r\n"),
    h
  ], { version: 1, ...mapped, fields: [] })
  told("2.2: IPv4 of a proxy that listens for both families", [joined(
    hex(`${signature} 21 21 0024 ${"00".repeat(10)}ffffc0000201 ${"00".repeat(10)}ffffc6336407 0001 0002`),
    h
  )], { version: 2, ...mapped, fields: [] })
  told("2.2: the proxy's own connection", [joined(hex(`${signature} 20 00 0000`), h)], {
    version: 2,
    source: undefined,
    destination: undefined,
    fields: []
  })

  it.live("who has connected is the peer, in incidents and where connections are counted", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above: stack, below } = yield* above(Tcp.layer(), ProxyProtocol.server({ trusted: ["127.0.0.0/8"] }))
      const seen = yield* Queue.unbounded<string | undefined>()
      const incidents = yield* Queue.unbounded<Incident>()
      const listener = yield* Effect.provide(listen("127.0.0.1:0", { maxConnectionsPerPeer: 1, ...soon }), stack)
      yield* Effect.forkScoped(listener.run(
        (peer) =>
          Effect.andThen(
            Queue.offer(seen, Connection.peer(peer)),
            Effect.flatMap(peer.pull, () => Effect.fail("what a pity"))
          ),
        { onIncident: (incident) => Effect.asVoid(Queue.offer(incidents, incident)) }
      ))
      const from = (host: string) =>
        Effect.gen(function*() {
          const client = yield* Effect.provide(connect(listener.address, soon), below)
          yield* client.send(ascii(`PROXY TCP4 ${host} 198.51.100.7 49152 443\r\n`))
          return client
        })
      const first = yield* from("192.0.2.1")
      assert.strictEqual(yield* Queue.take(seen), "192.0.2.1")
      yield* from("192.0.2.2")
      assert.strictEqual(yield* Queue.take(seen), "192.0.2.2")
      const second = yield* from("192.0.2.1")
      assert.deepStrictEqual(yield* Queue.take(incidents), {
        _tag: "TooManyConnections",
        count: 1,
        limit: 1,
        of: "peer",
        peer: "192.0.2.1"
      })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(second.pull)))

      yield* first.send(ascii("h"))
      assert.deepInclude(yield* Queue.take(incidents), { _tag: "HandlerFailed", peer: "192.0.2.1" })
      yield* Effect.ignore(first.pull)
      const again = from("192.0.2.1").pipe(
        Effect.andThen(Queue.take(seen)),
        Effect.timeout("100 millis")
      )
      assert.strictEqual(yield* Effect.retry(again, { times: 20 }), "192.0.2.1")
      yield* Queue.clear(incidents)
      // The load balancer's own connections are its own.
      const own = yield* Effect.provide(connect(listener.address, soon), below)
      yield* own.send(hex(`${signature} 20 00 0000`))
      assert.strictEqual(yield* Queue.take(seen), "127.0.0.1")
      const broken = yield* Effect.provide(connect(listener.address, soon), below)
      yield* broken.send(ascii("GET / HTTP/1.1\r\n\r\n"))
      assert.deepInclude(yield* Queue.take(incidents), { _tag: "HandshakeFailed", peer: "127.0.0.1" })
    })))

  refused("2: a connection without a preface", ascii("GET / HTTP/1.1\r\n\r\n"), "Violation")
  refused("2.1: more than one space", ascii("PROXY TCP4 192.0.2.1  198.51.100.7 1 2\r\n"), "Violation")
  refused("2.1: an address of the other family", ascii("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), "Violation")
  refused("2.1: a port with a leading zero", ascii("PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n"), "Violation")
  refused("2.1: a line without an end", ascii(`PROXY UNKNOWN ${"x".repeat(200)}`), "Violation")
  refused("2.1: a carriage return alone", ascii("PROXY UNKNOWN\rxx"), "Violation")
  refused("2.2: an unknown version", hex(`${signature} 31 11 000c ${"00".repeat(12)}`), "Violation")
  refused("2.2: an unknown command", hex(`${signature} 22 11 000c ${"00".repeat(12)}`), "Violation")
  refused("2.2: addresses that are cut off", hex(`${signature} 21 11 0004 c0000201`), "Violation")
  refused("2.2.7: a field that is cut off", hex(`${signature} 21 11 000f ${"00".repeat(12)} 01 0004`), "Violation")
  refused("2.2: a preface that is too long", hex(`${signature} 21 11 1001`), "TooLarge")
  refused("an address that is not trusted", version1, "Forbidden", { trusted: ["10.0.0.0/8", "192.0.2.1"] })
})
