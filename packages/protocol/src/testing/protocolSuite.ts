/**
 * What a protocol of your own must keep, with messages that are made up from its Schemas:
 *
 *     for (const { name, run } of protocolSuite(Chat)) it.live(name, () => run)
 *     await checkProtocol(Chat)                                  // or all at once, in a script
 *     protocolSuite(Chat, { stack: chat, bytes: Tcp.layer, endpoint: "tcp://127.0.0.1:0" })
 *
 * A value may be refused, if it is refused whole and with a type (`Unencodable`, `TooLarge`): then the next one passes, and most values are to.
 *
 * Each case connects client and server anew for every example. A case that fails says with which seed, so that it can be run again with
 * the same examples, and shows the smallest it has found.
 */

import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Connection, messages } from "../Connection.ts"
import { ConnectionError } from "../ConnectionError.ts"
import type * as Endpoint from "../Endpoint.ts"
import * as LengthPrefixed from "../framers/LengthPrefixed.ts"
import { type Incident, runScoped } from "../Listener.ts"
import * as MemoryTransport from "../MemoryTransport.ts"
import type { Over } from "../Protocol.ts"
import * as Transport from "../Transport.ts"
import type { At, ByteTransport, Connect, Listen, Shape } from "../Transport.ts"
import * as Codec from "../typed/Codec.ts"
import type { AnyService } from "../typed/Subprotocol.ts"
import { equal, holds } from "./check.ts"
import { withoutLeaks } from "./leaks.ts"
import { concat } from "./machineSuite.ts"
import { bytewise, type Cut, random, rechunk } from "./rechunk.ts"
import { makeRecorder } from "./transcript.ts"
import type { Case } from "./transport/workbench.ts"

/** An example for which a protocol does not keep what it must; the same is found again with the same seed. */
export class ProtocolBroken extends Data.TaggedError("ProtocolBroken")<{
  readonly protocol: string
  /** What it should keep. */
  readonly property: string
  readonly seed: number
  readonly failure: string
}> {
  override get message(): string {
    return `${this.protocol}: ${this.property}, with { seed: ${this.seed} }\n${this.failure}`
  }
}

/** A stack of bytes that can connect and listen. */
export type ByteStack = Layer.Layer<ByteTransport<Connect | Listen>, unknown>

/** A protocol as `Subprotocol.Service` makes it. */
export interface Checked<Self> extends Shape<Self, any, any, any, any>, AnyService {
  readonly over: (codec: Codec.Codec) => Over<"messages", never, Self, never>
}

/** How a protocol is checked. */
export interface ProtocolOptions<Self> {
  /** The whole stack of the protocol, on bytes; by default messages in JSON, each with its length before it. */
  readonly stack?: (bytes: ByteStack) => Layer.Layer<At<Self, Connect | Listen>, unknown>
  /** What the bytes are carried by, called for each example; memory by default. */
  readonly bytes?: () => ByteStack
  /** Where to listen there; `memory:protocol` by default. */
  readonly endpoint?: Endpoint.Input
  /** How many examples a case has; 20 by default. */
  readonly runs?: number
  /** Which examples: the same for the same number. By default others each time. */
  readonly seed?: number
}

/** What both sides say in one example. */
interface Talk {
  readonly client: ReadonlyArray<unknown>
  readonly server: ReadonlyArray<unknown>
}

interface Exchanged {
  readonly received: ReadonlyArray<unknown>
  readonly sent: ReadonlyArray<unknown>
}

/** Sends one value after the other; those that were not refused. */
type Say = (
  connection: Connection<any, any>,
  values: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<unknown>, ConnectionError>

/** Sends values, and counts those that are refused for a reason that is allowed. */
const saying = (tally: { sent: number; refused: number; why: string }): Say => (connection, values) =>
  Effect.filter(values, (value) =>
    Effect.matchEffect(connection.send(value), {
      onSuccess: () => {
        tally.sent++
        return Effect.succeed(true)
      },
      onFailure: (error: ConnectionError) => {
        if (!refusals.includes(error.reason._tag)) return Effect.fail(error)
        tally.refused++
        tally.why = error.message
        return Effect.succeed(false)
      }
    }))

/** The cases that a protocol must pass. */
export const protocolSuite = <Self>(
  protocol: Checked<Self>,
  options: ProtocolOptions<Self> = {}
): ReadonlyArray<Case> => {
  const {
    bytes = MemoryTransport.layer,
    endpoint = "memory:protocol",
    runs = 20,
    seed = Effect.runSync(Random.nextIntBetween(0, 2 ** 31)),
    stack = (bytes: ByteStack) => bytes.pipe(LengthPrefixed.over(), protocol.over(Codec.json()))
  } = options
  const cases: Array<Case> = []

  const values = (maxLength: number) => ({
    client: Arbitrary.array(Arbitrary.schema(protocol.client), { maxLength }),
    server: Arbitrary.array(Arbitrary.schema(protocol.server), { maxLength })
  })
  const talks: Arbitrary.Arbitrary<Talk> = Arbitrary.all(values(8))
  const same = {
    client: Schema.toEquivalence(Schema.Array(Schema.toType(protocol.client))),
    server: Schema.toEquivalence(Schema.Array(Schema.toType(protocol.server)))
  }

  /** Fails unless what one side has sent arrived, by what the Schema takes for equal. */
  const arrived = (by: "client" | "server", { received, sent }: Exchanged): void => {
    if (!same[by](received, sent)) equal(`what the ${by} has sent`, received, sent)
  }

  /** A case that holds for all examples; what fails in one of them, also with a defect, is shown with the seed. */
  const property = <A>(
    name: string,
    examples: Arbitrary.Arbitrary<A>,
    holds: (example: A, say: Say) => Effect.Effect<unknown, unknown, Scope.Scope>,
    { size }: { readonly size?: number } = {}
  ): void => {
    const tally = { sent: 0, refused: 0, why: "" }
    const once = (example: A) =>
      Effect.matchCauseEffect(
        withoutLeaks(Effect.scoped(Effect.timeout(holds(example, saying(tally)), "10 seconds"))),
        {
          onFailure: Effect.fail,
          onSuccess: () => Effect.succeed(true)
        }
      )
    const run = Effect.flatMap(
      Arbitrary.checkEffect(examples, once, { runs, seed, maxShrinks: 100, ...(size === undefined ? {} : { size }) }),
      (result) => {
        const failure = Arbitrary.formatCheckFailure(result) ??
          (size === undefined && tally.refused > tally.sent ? `most values are refused: ${tally.why}` : undefined)
        return failure === undefined
          ? Effect.void
          : Effect.fail(new ProtocolBroken({ protocol: protocol.protocol, property: name, seed, failure }))
      }
    )
    cases.push({ name, run })
  }

  /** The protocol on bytes that are the same for all who are on them. */
  const over = (lower: Context.Context<ByteTransport<Connect | Listen>>, wrap: (bytes: ByteStack) => ByteStack) =>
    Layer.build(stack(wrap(Layer.succeedContext(lower))))

  type Services = Context.Context<At<Self, Connect | Listen>>

  /** A listener, and a connected pair of it, each end in a scope of its own. */
  const connected = (services: Services) =>
    Effect.gen(function*() {
      const accepted = yield* Deferred.make<Connection<any, any>>()
      const serverEnd = yield* Deferred.make<void, unknown>()
      const listener = yield* Transport.listen(protocol)(endpoint)
      yield* runScoped(
        listener.run((server) => Effect.andThen(Deferred.succeed(accepted, server), Deferred.await(serverEnd)), {
          onIncident: () => Effect.void
        })
      )
      const scope = yield* Scope.fork(yield* Effect.scope)
      const client = yield* Scope.provide(Transport.connect(protocol)(listener.address), scope)
      const server = yield* Deferred.await(accepted)
      const closeClient = Scope.close(scope, Exit.void)
      const closeServer = Effect.andThen(Deferred.succeed(serverEnd, undefined), server.closed)
      yield* Effect.addFinalizer(() => Effect.all([closeClient, closeServer], { concurrency: "unbounded" }))
      return { client, server, closeClient, closeServer }
    }).pipe(Effect.provideContext(services))

  const pair = (wrap: (bytes: ByteStack) => ByteStack = (bytes) => bytes) =>
    Effect.flatMap(Layer.build(bytes()), (lower) => Effect.flatMap(over(lower, wrap), connected))

  /** Has one side say these values while the other receives; what it was, and what arrived. */
  const exchange = (say: Say, from: Connection<any, any>, to: Connection<any, any>, values: ReadonlyArray<unknown>) =>
    Effect.gen(function*() {
      const received: Array<unknown> = []
      const speaking = yield* Effect.forkChild(say(from, values))
      const pulling = Effect.map(to.pull, (batch) => {
        received.push(...batch)
        return undefined
      })
      let sent: ReadonlyArray<unknown> | undefined
      while (sent === undefined || received.length < sent.length) {
        if (sent === undefined) sent = yield* Effect.raceFirst(pulling, Fiber.join(speaking))
        else yield* pulling
      }
      return { received, sent }
    })

  const chunkings: ReadonlyArray<readonly [name: string, cut: (() => Cut) | undefined]> = [
    ["as it is sent", undefined],
    ["cut at every byte", () => bytewise],
    ["cut anywhere", () => random(seed, 40)]
  ]
  for (const [name, cut] of chunkings) {
    property(
      `what either side says arrives as it was, in order: ${name}`,
      talks,
      (talk, say) =>
        Effect.gen(function*() {
          const { client, server } = yield* pair(cut === undefined ? undefined : rechunk(cut))
          const [toServer, toClient] = yield* Effect.all([
            exchange(say, client, server, talk.client),
            exchange(say, server, client, talk.server)
          ], { concurrency: "unbounded" })
          arrived("client", toServer)
          arrived("server", toClient)
        })
    )
  }

  for (const by of ["client", "server"] as const) {
    property(
      `what the ${by} says before it closes arrives, and then the end`,
      talks,
      (talk, say) =>
        Effect.gen(function*() {
          const { client, closeClient, closeServer, server } = yield* pair()
          const [near, far, closeNear, closeFar] = by === "client"
            ? [client, server, closeClient, closeServer] as const
            : [server, client, closeServer, closeClient] as const
          const [received, sent] = yield* Effect.all([
            Effect.tap(Stream.runCollect(messages(far)), () => closeFar),
            Effect.tap(say(near, talk[by]), () => closeNear)
          ], { concurrency: "unbounded" })
          arrived(by, { received, sent })
          const [ours, theirs] = [yield* near.closed, yield* far.closed]
          equal("who was first, as both know", [ours.first, theirs.first], ["local", "remote"])
          equal("clean on both sides", [ours.clean, theirs.clean], [true, true])
          equal("left unsent", ours.unsent.messages, 0)
        })
    )
  }

  property("a cut loses only the last of what was said, and is told", talks, (talk, say) =>
    Effect.gen(function*() {
      const { client, server } = yield* pair()
      const sent = yield* say(client, talk.client)
      yield* client.abort
      const received: Array<unknown> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(messages(server), (value) => Effect.sync(() => received.push(value)))
      )
      arrived("client", { received, sent: sent.slice(0, received.length) })
      const { clean } = yield* client.closed
      equal("clean", clean, false)
      if (received.length < sent.length) {
        holds("the server is told of what is missing", Exit.isFailure(exit), exit)
      }
    }))

  property(
    "a large value arrives, or is refused whole and the next one passes",
    values(3).client,
    (values, say) =>
      Effect.gen(function*() {
        const { client, server } = yield* pair()
        arrived("client", yield* exchange(say, client, server, values))
      }),
    { size: large }
  )

  property("what is no value is refused, and nothing of it is sent", talks, (talk, say) =>
    Effect.gen(function*() {
      const { client, server } = yield* pair()
      const nonsense = Symbol("nonsense")
      if (!Schema.is(protocol.client)(nonsense)) {
        const error: unknown = yield* Effect.flip(client.send(nonsense))
        equal("why", error instanceof ConnectionError ? error.reason._tag : error, "Unencodable")
      }
      arrived("client", yield* exchange(say, client, server, talk.client))
    }))

  const harms = Arbitrary.schema(Schema.Struct({
    harm: Schema.Literals(["noise", "cut", "flip", "insert"]),
    at: Schema.Natural,
    noise: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))
  }))

  const isValue = Schema.is(protocol.client)

  /** Has somebody visit a server, and then a client that behaves; what it was given that is no value, and its defects. */
  const visited = (
    services: Services,
    visit: (address: Endpoint.Endpoint) => Effect.Effect<unknown, unknown, Scope.Scope>
  ) =>
    Effect.gen(function*() {
      const wrong: Array<string> = []
      const gone = yield* Deferred.make<void>()
      const left = Effect.asVoid(Deferred.succeed(gone, undefined))
      const check = (value: unknown) =>
        Effect.sync(() => {
          if (!isValue(value)) wrong.push(`no value: ${String(value)}`)
        })
      const onIncident = (incident: Incident) => {
        if (incident._tag === "HandlerFailed" && Cause.hasDies(incident.cause)) wrong.push(Cause.pretty(incident.cause))
        return left
      }
      const listener = yield* Transport.listen(protocol)(endpoint)
      yield* runScoped(
        listener.run((server) => Effect.ensuring(Stream.runForEach(messages(server), check), left), { onIncident })
      )
      yield* Effect.scoped(Effect.andThen(visit(listener.address), Deferred.await(gone)))
      yield* Effect.scoped(Transport.connect(protocol)(listener.address))
      return wrong
    }).pipe(Effect.scoped, Effect.provideContext(services))

  property(
    "what is no conversation gives no values that are none, and leaves others alone",
    Arbitrary.all({
      harm: harms,
      words: Arbitrary.array(Arbitrary.schema(protocol.client), { minLength: 1, maxLength: 4 })
    }),
    ({ harm: { at, harm, noise }, words }, say) =>
      Effect.gen(function*() {
        const lower = yield* Layer.build(bytes())
        const recorder = makeRecorder(Transport.Bytes)
        const recording = yield* over(lower, (bytes) => recorder.over(bytes))
        const services = yield* over(lower, (bytes) => bytes)
        const speak = (address: Endpoint.Endpoint) =>
          Effect.scoped(
            Effect.flatMap(Transport.connect(protocol)(address), (client) => say(client, words))
          ).pipe(Effect.provideContext(recording))
        yield* visited(services, speak)
        const genuine = concat(
          recorder.transcripts[0].entries.flatMap(({ by, said }) =>
            by === "client" && said instanceof Uint8Array ? [said] : []
          )
        )
        const spoilt = spoil(genuine, harm, scattered(at) % (genuine.length + 1), Uint8Array.from(noise))
        const intrude = (address: Endpoint.Endpoint) =>
          Effect.gen(function*() {
            const raw = yield* Transport.connect(Transport.Bytes)({ ...address, demands: [] })
            yield* Effect.exit(raw.send(spoilt))
            yield* Effect.exit(raw.end)
          }).pipe(Effect.provideContext(lower))
        equal("what went wrong", yield* visited(services, intrude), [])
      })
  )

  return cases
}

/** How large strings and collections of a large value may be, each of them: those in one another multiply. */
const large = 64

/** Why a value may be refused. */
const refusals = ["Unencodable", "TooLarge"]

/** Made-up numbers are mostly small; places are to be anywhere. */
const scattered = (n: number): number => Math.imul(n + 1, 0x9e3779b1) >>> 0

/** Bytes with something wrong at a place. */
const spoil = (
  bytes: Uint8Array,
  harm: "noise" | "cut" | "flip" | "insert",
  at: number,
  noise: Uint8Array
): Uint8Array => {
  switch (harm) {
    case "noise":
      return noise
    case "cut":
      return bytes.subarray(0, at)
    case "flip":
      return bytes.map((byte, index) => index === at ? byte ^ (1 << (noise.length % 8)) : byte)
    case "insert":
      return concat([bytes.subarray(0, at), noise, bytes.subarray(at)])
  }
}

/** Runs all cases, one after the other; rejects with the first that fails. */
export const checkProtocol = <Self>(protocol: Checked<Self>, options?: ProtocolOptions<Self>): Promise<void> =>
  Effect.runPromise(Effect.orDie(Effect.forEach(protocolSuite(protocol, options), ({ run }) => run, { discard: true })))
