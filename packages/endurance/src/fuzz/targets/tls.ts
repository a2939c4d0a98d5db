/**
 * TLS: records that are changed on their way between our client and our server, and peers that speak no TLS, or nearly.
 *
 * Whatever happens to the records, what each end receives is a beginning of what the other one has sent, and all else is a typed error.
 */
import { ConnectError } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { holds } from "@wirestack/protocol/testing/check"
import * as Transport from "@wirestack/protocol/Transport"
import { pattern } from "@wirestack/test-support"
import { Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { once } from "node:events"
import { duplexPair } from "node:stream"
import * as NodeTls from "node:tls"
import { hex, joined } from "../bytes.ts"
import { accepting, connecting, peer } from "../oracles/peer.ts"
import type { Target, Verdict } from "../Target.ts"

type Bytes = Connection<Uint8Array, Uint8Array>

const { identity, trust } = await Effect.runPromise(DevelopmentCertificates.localhost)

const client = Tls.client({ trust, serverName: "localhost", handshakeWithin: "2 seconds" })
const server = Tls.server({ identity, handshakeWithin: "2 seconds" })

const connect = Transport.connect(Transport.Bytes)
const listen = Transport.listen(Transport.Bytes)

/** What the two say to each other. */
const [question, answer] = [pattern(3_000), pattern(20_000).reverse()]

const headSize = 5

/** A change of one record: which way it goes, which one of that way it is, what is done with it, where, and with which bytes. */
interface Change {
  readonly way: number
  readonly record: number
  readonly kind: number
  readonly at: number
  readonly bytes: Uint8Array
}

const changeIn = (input: Uint8Array): Change => {
  const [way = 0, record = 0, kind = 0, high = 0, low = 0] = input
  return { way: way % 2, record: record % 12, kind: kind % 8, at: high * 256 + low, bytes: input.subarray(headSize) }
}

/** What becomes of a record. */
const changed = (record: Uint8Array, { at, bytes, kind }: Change): Uint8Array => {
  const place = at % record.length
  switch (kind) {
    case 0:
      return record
    case 1:
      return record.map((byte, i) => i === place ? byte ^ (bytes[0] || 1) : byte)
    case 2:
      return joined(record.subarray(0, place), bytes, record.subarray(place))
    case 3:
      return joined(record.subarray(0, place), record.subarray(place + 1 + bytes.length))
    case 4:
      return joined(record, record)
    case 5:
      return new Uint8Array(0)
    case 6:
      return bytes
    default:
      return record.map((byte, i) => i < headSize ? bytes[i] ?? byte : byte)
  }
}

/** How long nothing passes before whoever is in the middle cuts both, in milliseconds. */
const silence = 100

/** Passes records on, of which one is changed. */
const relay = (from: Bytes, to: Bytes, change: Change | undefined, passed: () => void): Effect.Effect<void> => {
  let kept: Uint8Array = new Uint8Array(0)
  let record = 0
  const records = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
    const out: Array<Uint8Array> = []
    kept = joined(kept, ...chunks)
    for (;;) {
      const size = kept.length < headSize ? Infinity : headSize + kept[3] * 256 + kept[4]
      if (kept.length < size) return out
      const one = kept.slice(0, size)
      out.push(record++ === change?.record ? changed(one, change) : one)
      kept = kept.slice(size)
    }
  }
  const loop: Effect.Effect<void, ConnectionError> = Effect.matchEffect(from.pull, {
    onSuccess: (chunks) => {
      passed()
      const all = records(chunks).filter(({ length }) => length > 0)
      return Effect.andThen(all.length === 0 ? Effect.void : to.sendAll(all as [Uint8Array]), loop)
    },
    onFailure: (failure) => Cause.isDone(failure) ? to.end : Effect.fail(failure)
  })
  return Effect.ignore(loop)
}

/** Stands between the two until both are done, or nothing happens any more. */
const middle = (near: Bytes, change: Change) =>
  Effect.gen(function*() {
    const far = yield* connect("memory:server")
    let passed = 0
    const count = (): void => void passed++
    const quiet: Effect.Effect<void> = Effect.suspend(() => {
      const before = passed
      return Effect.andThen(Effect.sleep(silence), Effect.suspend(() => passed === before ? Effect.void : quiet))
    })
    const both = Effect.all([
      relay(near, far, change.way === 0 ? change : undefined, count),
      relay(far, near, change.way === 1 ? change : undefined, count)
    ], { concurrency: 2, discard: true })
    yield* Effect.raceFirst(both, quiet)
    yield* Effect.andThen(near.abort, far.abort)
  })

/** All that is received, however it ends. */
const received = (connection: Bytes, into: Array<Uint8Array>): Effect.Effect<void, ConnectionError> =>
  Effect.matchEffect(connection.pull, {
    onSuccess: (chunks) => {
      into.push(...chunks.map((chunk) => chunk.slice()))
      return received(connection, into)
    },
    onFailure: (failure) => Cause.isDone(failure) ? Effect.void : Effect.fail(failure)
  })

const isBeginning = (what: string, chunks: ReadonlyArray<Uint8Array>, sent: Uint8Array): boolean => {
  const all = joined(...chunks)
  holds(`${what} receives what was sent`, Buffer.compare(all, sent.subarray(0, all.length)) === 0, all)
  return all.length === sent.length
}

/** What went wrong, which has to be typed. */
const wayOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "done"
  const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
  const isTyped = failure instanceof ConnectError || failure instanceof ConnectionError
  if (!isTyped) throw new Error(Cause.pretty(exit.cause))
  return failure.reason._tag
}

const program = (change: Change) =>
  Effect.gen(function*() {
    const network = Layer.succeedContext(yield* Layer.build(MemoryTransport.layer()))
    const [toServer, toClient]: [Array<Uint8Array>, Array<Uint8Array>] = [[], []]
    let atServer = "nothing"
    const soon = { closeWithin: "200 millis", drain: { within: "200 millis" } } as const
    const onIncident = (incident: { readonly _tag: string; readonly error?: ConnectError }) =>
      Effect.sync(() => {
        if (incident._tag !== "HandshakeFailed") throw new Error(JSON.stringify(incident))
        atServer = incident.error!.reason._tag
      })
    const bound = yield* Effect.provide(listen("memory:server", soon), server(network))
    yield* Effect.forkScoped(bound.run((connection) =>
      Effect.gen(function*() {
        yield* connection.send(answer)
        yield* connection.end
        yield* received(connection, toServer)
      }).pipe(Effect.exit, Effect.map((exit) => void (atServer = wayOf(exit)))), { onIncident }))
    const between = yield* Effect.provide(listen("memory:middle", soon), network)
    yield* Effect.forkScoped(
      Effect.provide(
        between.run((near) => Effect.ignore(middle(near, change)), { onIncident: () => Effect.void }),
        network
      )
    )
    const exit = yield* Effect.exit(
      Effect.scoped(Effect.gen(function*() {
        const connection = yield* connect("memory:middle", soon)
        yield* connection.send(question)
        yield* connection.end
        yield* received(connection, toClient)
      })).pipe(Effect.provide(client(network)))
    )
    const atClient = wayOf(exit)
    const whole = isBeginning("the server", toServer, question) && isBeginning("the client", toClient, answer)
    return { accepted: whole, how: `${atClient} ${atServer}` }
  })

const script = (...numbers: ReadonlyArray<number>): Uint8Array => Uint8Array.from(numbers)

const tampered: Target = {
  name: "tls-records",
  within: 3_000,
  corpus: [
    script(0, 0, 0, 0, 0),
    ...[0, 1].flatMap((way) =>
      [0, 1, 2, 3].flatMap((
        record
      ) => [script(way, record, 1 + record, 0, 20, 1, 2), script(way, record, 6, 0, 0, 22, 3, 3, 0, 1)])
    )
  ],
  show: (input): Promise<Verdict> => Effect.runPromise(Effect.scoped(program(changeIn(input))))
}

/** What a client of Node says first. */
const hello = async (maxVersion: NodeTls.SecureVersion): Promise<Uint8Array> => {
  const [near, far] = duplexPair()
  const socket = NodeTls.connect({
    socket: near as never,
    maxVersion,
    ALPNProtocols: ["h2", "http/1.1"],
    servername: "localhost"
  })
  socket.on("error", () => {})
  const [said] = await once(far, "data")
  socket.destroy()
  return new Uint8Array(said as Buffer)
}

const plain = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
const alert = hex("15 0303 0002 0228")
const serverHello = hex(`16 0303 002e 02 00002a 0303 ${"11".repeat(32)} 00 1301 00 0002 002b`)

export const tls: ReadonlyArray<Target> = [
  tampered,
  peer({
    name: "tls-server",
    takes: "none",
    within: 3_000,
    corpus: [await hello("TLSv1.3"), await hello("TLSv1.2"), plain, alert],
    see: accepting((below) => Layer.orDie(server(below)))
  }),
  peer({
    name: "tls-client",
    takes: "none",
    within: 3_000,
    corpus: [serverHello, alert, plain],
    see: connecting((below) => Layer.orDie(client(below)))
  })
]
