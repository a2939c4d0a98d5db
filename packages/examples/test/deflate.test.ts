/**
 * permessage-deflate with `ws` in both roles: every combination of its parameters, as ours to demand and as theirs.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7692
 */
import { assert, describe, it } from "@effect/vitest"
import { NodeZlib } from "@wirestack/node"
import { Transport } from "@wirestack/protocol"
import { detail, messages } from "@wirestack/protocol/Connection"
import { Tcp } from "@wirestack/transport-tcp"
import { PerMessageDeflate, WebSocket, type Zlib } from "@wirestack/websocket"
import { Cause, Data, Effect, Layer, Queue, Random, type Scope, Stream } from "effect"
import { once } from "node:events"
import type * as Net from "node:net"
import { type PerMessageDeflateOptions, WebSocket as Ws, WebSocketServer } from "ws"

/** What both ends agree on, as `ws` and we name it. */
interface Terms {
  readonly serverNoContextTakeover: boolean
  readonly clientNoContextTakeover: boolean
  readonly serverMaxWindowBits: Zlib.WindowBits
  readonly clientMaxWindowBits: Zlib.WindowBits
}

/** Demands nothing. */
const lenient: Terms = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15
}

// The one place that knows how our stack is made.

type Needs = Scope.Scope | Transport.MessageTransport<Transport.Connect | Transport.Listen | WebSocket.WebSocket>

/** Runs a program on our stack with the extension. */
const withDeflate =
  (options: Terms & { readonly threshold: number }) => <A, E>(program: Effect.Effect<A, E, Needs>) => {
    const extensions = [PerMessageDeflate.make(options)]
    const stack = WebSocket.over({ client: { extensions }, server: { extensions } })(Tcp.layer())
    return Effect.provide(Effect.scoped(program), Layer.provide(stack, NodeZlib.layer))
  }

// The peers.

/** The terms that an end of `ws` arrived at. */
const termsOf = (socket: Ws): Terms => {
  const { "permessage-deflate": deflate } = (socket as any)._extensions
  assert.isDefined(deflate, "permessage-deflate was declined")
  const { params } = deflate
  return {
    serverNoContextTakeover: params.server_no_context_takeover === true,
    clientNoContextTakeover: params.client_no_context_takeover === true,
    serverMaxWindowBits: params.server_max_window_bits ?? 15,
    clientMaxWindowBits: params.client_max_window_bits ?? 15
  }
}

/** How many bytes came over the socket of a `ws`. */
const bytesRead = (socket: Ws): number => (socket as any)._socket.bytesRead

type Message = string | Buffer

/** Where it went wrong, or how the socket was closed. */
class Failed extends Data.TaggedError("Failed")<{ readonly message: string; readonly cause: unknown }> {}

/** A connection between us and `ws`, on which both echo what the test does not send. */
interface Pair {
  /** The end of `ws`. */
  readonly socket: Ws
  /** Sends to ours, and waits for the echo. */
  readonly echo: (message: Message, options?: { readonly compress: boolean }) => Effect.Effect<Message, Failed>
}

interface Options {
  readonly ours: Terms
  readonly theirs: PerMessageDeflateOptions
  readonly threshold: number
}

/** Sends to ours, and waits for the echo; fails when the socket closes. */
const echoing = (socket: Ws) =>
  Effect.map(Queue.unbounded<Message, Failed>(), (heard) => {
    let cause: unknown
    socket.on("error", (error) => {
      cause = error
    })
    socket.on("message", (data: Buffer, isBinary) => Queue.offerUnsafe(heard, isBinary ? data : String(data)))
    socket.on("close", (code, reason) =>
      Queue.failCauseUnsafe(heard, Cause.fail(new Failed({ message: `closed with ${code} ${reason}`, cause }))))
    return (message: Message) =>
      Effect.andThen(
        Effect.sync(() =>
          socket.send(message)
        ),
        Queue.take(heard)
      )
  })

const listening = Transport.listen(Transport.Messages)<WebSocket.WebSocket>
const connecting = Transport.connect(Transport.Messages)<WebSocket.WebSocket>

/** `ws` as a client: our server echoes. */
const asServer = <A>({ ours, theirs, threshold }: Options, use: (pair: Pair) => Effect.Effect<A, unknown>) =>
  Effect.gen(function*() {
    const listener = yield* listening("ws://127.0.0.1:0/")
    yield* Effect.forkScoped(
      listener.run((connection) => Stream.runForEachArray(messages(connection), connection.sendAll))
    )
    const { place } = listener.address
    assert(place._tag === "Tcp")
    const { port } = place
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => new Ws(`ws://127.0.0.1:${port}`, { perMessageDeflate: { ...theirs, threshold } })),
      (socket) => Effect.sync(() => socket.terminate())
    )
    const echo = yield* echoing(socket)
    yield* Effect.promise(() => once(socket, "open"))
    return yield* use({ socket, echo })
  }).pipe(withDeflate({ ...ours, threshold }))

/** `ws` as a server: our client echoes. */
const asClient = <A>({ ours, theirs, threshold }: Options, use: (pair: Pair) => Effect.Effect<A, unknown>) =>
  Effect.gen(function*() {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: { ...theirs, threshold } })
    yield* Effect.acquireRelease(
      Effect.promise(() => once(server, "listening")),
      () =>
        Effect.sync(() => {
          for (const socket of server.clients) socket.terminate()
          server.close()
        })
    )
    const accepted = once(server, "connection")
    const connection = yield* connecting(`ws://127.0.0.1:${(server.address() as Net.AddressInfo).port}`)
    assert.deepStrictEqual(detail(connection, WebSocket.WebSocket).extensions.map(({ name }) => name), [
      "permessage-deflate"
    ])
    const [socket] = (yield* Effect.promise(() => accepted)) as [Ws]
    const echo = yield* echoing(socket)
    yield* Effect.forkScoped(Stream.runForEachArray(messages(connection), connection.sendAll))
    return yield* use({ socket, echo })
  }).pipe(withDeflate({ ...ours, threshold }))

// What is sent.

const { noise } = Effect.runSync(
  Effect.gen(function*() {
    const bytes = Buffer.alloc(40_000)
    for (let n = 0; n < bytes.length; n++) bytes[n] = yield* Random.nextIntBetween(0, 256)
    return { noise: bytes }
  }).pipe(Random.withSeed("deflate"))
)

/** Noise that is only shorter when the window reaches back to where it was said before. */
const twice = (size: number): Buffer => Buffer.concat([noise.subarray(0, size), noise.subarray(0, size)])

/**
 * Something for a window of so many bits: what lies inside of it, across messages too, and what lies outside, which a sender
 * with a larger window than was agreed on would refer to.
 */
const samplesFor = (bits: number): ReadonlyArray<Message> => {
  const window = 2 ** bits
  const inside = Math.floor(window * 0.9)
  const outside = Math.floor(window * 1.1)
  return [twice(inside), ...bits < 15 ? [twice(outside)] : [], noise.subarray(0, inside)]
}

const common: ReadonlyArray<Message> = ["", "short", "schön, ".repeat(200), Buffer.alloc(0), noise.subarray(0, 1_500)]

const allBits = [8, 9, 10, 11, 12, 13, 14, 15] as const
const windows = allBits.flatMap((serverMaxWindowBits) =>
  allBits.map((clientMaxWindowBits) => ({ serverMaxWindowBits, clientMaxWindowBits }))
)

const samples = new Map(allBits.map((bits) => [bits, samplesFor(bits)]))

/** Those for both windows. Which messages are small enough to stay as they are has nothing to do with windows. */
const fitting = ({ clientMaxWindowBits, serverMaxWindowBits }: Terms, threshold: number): ReadonlyArray<Message> =>
  threshold > 0 ? [] : [...new Set([serverMaxWindowBits, clientMaxWindowBits])].flatMap((bits) => samples.get(bits)!)

const same = (a: Message, b: Message): boolean => typeof a === "string" || typeof b === "string" ? a === b : a.equals(b)

const ways = [
  { title: "our server demands", role: asServer, options: (terms: Terms) => ({ ours: terms, theirs: {} }) },
  { title: "a client of ws demands", role: asServer, options: (terms: Terms) => ({ ours: lenient, theirs: terms }) },
  { title: "our client demands", role: asClient, options: (terms: Terms) => ({ ours: terms, theirs: {} }) },
  { title: "a server of ws demands", role: asClient, options: (terms: Terms) => ({ ours: lenient, theirs: terms }) }
]

for (const { options, role, title } of ways) {
  describe(title, () => {
    for (const serverNoContextTakeover of [false, true]) {
      for (const clientNoContextTakeover of [false, true]) {
        for (const threshold of [0, 1024]) {
          const forgets = [...serverNoContextTakeover ? ["server"] : [], ...clientNoContextTakeover ? ["client"] : []]
          const pairs = threshold > 0 ?
            windows.filter(({ clientMaxWindowBits, serverMaxWindowBits }) =>
              clientMaxWindowBits === serverMaxWindowBits
            ) :
            windows
          const name = `${forgets.join(" and ") || "nobody"} without takeover, threshold ${threshold}, all windows`
          it.live(name, () =>
            Effect.forEach(pairs, (bits) => {
              const terms: Terms = { serverNoContextTakeover, clientNoContextTakeover, ...bits }
              return role({ ...options(terms), threshold }, ({ echo, socket }) =>
                Effect.gen(function*() {
                  assert.deepStrictEqual(termsOf(socket), terms)
                  for (const message of [...common, ...fitting(terms, threshold)]) {
                    assert.isTrue(same(yield* echo(message), message))
                  }
                })).pipe(Effect.mapError((cause) => new Failed({ message: JSON.stringify(terms), cause })))
            }, { concurrency: 4, discard: true }))
        }
      }
    }
  })
}

describe("what is sent", () => {
  const said = noise.toString("hex", 0, 4_000)
  const roles = [["server", asServer], ["client", asClient]] as const

  /** The bytes that each echo takes on the wire. */
  const costs = ({ echo, socket }: Pair, ...all: ReadonlyArray<Message>) =>
    Effect.forEach(all, (message) =>
      Effect.gen(function*() {
        const before = bytesRead(socket)
        yield* echo(message)
        return bytesRead(socket) - before
      }))

  for (const [name, role] of roles) {
    for (const keeps of [true, false]) {
      it.live(`our ${name} ${keeps ? "keeps" : "forgets"} its context`, () =>
        role({
          ours: { ...lenient, [`${name}NoContextTakeover`]: !keeps },
          theirs: {},
          threshold: 0
        }, (pair) =>
          Effect.gen(function*() {
            const [first, second, third] = yield* costs(pair, said, said, said)
            assert.isBelow(first, said.length * 0.7)
            if (keeps) assert.isBelow(Math.max(second, third), 100)
            else assert.deepStrictEqual([second, third], [first, first])
          })))
    }

    it.live(`our ${name} compresses from its threshold on`, () =>
      role({ ours: lenient, theirs: {}, threshold: 1000 }, (pair) =>
        Effect.gen(function*() {
          const mask = name === "client" ? 4 : 0
          const [below, at, bytes] = yield* costs(pair, "a".repeat(999), "a".repeat(1000), Buffer.alloc(999))
          assert.strictEqual(below, 999 + 4 + mask)
          assert.isBelow(at, 50)
          assert.strictEqual(bytes, 999 + 4 + mask)
        })))
  }

  for (const [name, role] of roles) {
    it.live(`our ${name} hears messages of which some are not compressed`, () =>
      role({ ours: lenient, theirs: {}, threshold: 0 }, ({ echo }) =>
        Effect.gen(function*() {
          for (const compress of [true, false, true, true, false]) {
            assert.strictEqual(yield* echo(said, { compress }), said)
          }
        })))

    it.live(`our ${name} hears compressed messages in fragments`, () =>
      role({ ours: lenient, theirs: {}, threshold: 0 }, ({ echo, socket }) =>
        Effect.gen(function*() {
          for (const last of [said.slice(3_000), ""]) {
            const rest = said.slice(0, said.length - last.length)
            for (let at = 0; at < rest.length; at += 1_000) {
              socket.send(rest.slice(at, at + 1_000), { fin: false })
              socket.ping()
            }
            assert.strictEqual(yield* echo(last), said)
          }
        })))
  }
})
