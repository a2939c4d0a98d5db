/** Effect's Cluster, its runners connected by TLS with certificates at both ends. */
import { assert, describe, it } from "@effect/vitest"
import { Transport } from "@wirestack/protocol"
import type { Incident } from "@wirestack/protocol/Listener"
import { withoutLeaks } from "@wirestack/protocol/testing"
import { resources } from "@wirestack/test-support"
import * as ClusterSocket from "@wirestack/transport-streams/ClusterSocket"
import { Tcp } from "@wirestack/transport-tcp"
import { Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Context, Effect, Exit, Layer, Option, Schema, Scope, Stream } from "effect"
import { Entity, MessageStorage, RunnerAddress, Runners, RunnerStorage, ShardingConfig } from "effect/cluster"
import { Rpc, RpcSerialization } from "effect/rpc"
import { freePort } from "../support/stacks.ts"
import * as RunnerTable from "./RunnerTable.ts"

class Closed extends Schema.TaggedError<Closed>()("Closed", { room: Schema.String }) {}

const Room = Entity.make("Room", [
  Rpc.make("Say", { payload: { text: Schema.String }, success: Schema.String, error: Closed }),
  Rpc.make("Count", { payload: { to: Schema.Finite }, success: Schema.Finite, stream: true })
])

/** The entity of a runner: it says where it is. */
const roomsOf = (runner: string) =>
  Room.toLayer(Effect.gen(function*() {
    const { entityId } = yield* Entity.CurrentAddress
    return {
      Say: ({ payload: { text } }) =>
        text === "" ? Effect.fail(new Closed({ room: entityId })) : Effect.succeed(`${runner}/${entityId}: ${text}`),
      Count: ({ payload: { to } }) => Stream.range(1, to)
    }
  }))

const { issue, ca } = await Effect.runPromise(DevelopmentCertificates.make())
const identity = await Effect.runPromise(issue())
const trust = { ca }

/** The stack of those who belong to the cluster, and that of those who only know where it is. */
const member = () =>
  Tcp.layer().pipe(Tls.over({
    client: { trust, identity },
    server: { identity, clientCertificates: { mode: "required", ca } }
  }))
const stranger = () => Tcp.layer().pipe(Tls.client({ trust }))

const endpointOf = ({ host, port }: RunnerAddress.RunnerAddress) => `tls://${host}:${port}`

describe("a cluster over TLS", () => {
  const quick = {
    shardsPerGroup: 8,
    refreshAssignmentsInterval: "50 millis",
    sendRetryInterval: "20 millis",
    entityTerminationTimeout: 0,
    runnerHealthCheckInterval: "1 second"
  } as const

  /** What all runners share, and the name under which each is known. */
  const shared = (
    table: RunnerStorage.RunnerStorage["Service"],
    runnerAddress: Option.Option<RunnerAddress.RunnerAddress>
  ) =>
    Layer.mergeAll(
      ShardingConfig.layer({ ...quick, runnerAddress }),
      Layer.succeed(RunnerStorage.RunnerStorage, table),
      MessageStorage.layerNoop,
      RpcSerialization.layerSchemaBinary()
    )

  /** Builds a layer as a process of its own would. */
  const build = <A, E>(layer: Layer.Layer<A, E>) =>
    Effect.flatMap(Effect.scope, (scope) => Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope))

  /** A runner, in a scope of its own. */
  const start = (name: string, table: RunnerStorage.RunnerStorage["Service"], incidents: Array<Incident> = []) =>
    Effect.gen(function*() {
      const scope = yield* Scope.fork(yield* Effect.scope)
      const address = RunnerAddress.make("127.0.0.1", yield* freePort)
      const onIncident = (incident: Incident) => Effect.sync(() => void incidents.push(incident))
      const runner = roomsOf(name).pipe(
        Layer.provideMerge(ClusterSocket.layer(Transport.Bytes)({ endpointOf, onIncident })),
        Layer.provide(member()),
        Layer.provide(shared(table, Option.some(address)))
      )
      yield* Scope.provide(build(runner), scope)
      return { address, close: Scope.close(scope, Exit.void) }
    })

  /** A client of the cluster over some stack. */
  const client = (
    table: RunnerStorage.RunnerStorage["Service"],
    stack: Layer.Layer<Transport.ByteTransport<Transport.Connect>, unknown>
  ) =>
    build(
      ClusterSocket.layerClientOnly(Transport.Bytes)({ endpointOf }).pipe(
        Layer.provide(Layer.orDie(stack)),
        Layer.provide(shared(table, Option.none()))
      )
    )

  const live = (name: string, program: Effect.Effect<void, unknown, Scope.Scope>) =>
    it.live(name, () => withoutLeaks(Effect.scoped(program), resources))

  const rooms = Array.from({ length: 40 }, (_, n) => `room ${n}`)

  live(
    "reaches an entity wherever it is, and elsewhere when its runner has gone",
    Effect.gen(function*() {
      const table = RunnerTable.make()
      const one = yield* start("one", table)
      yield* start("two", table)
      const roomOf = yield* Effect.provideContext(Room.client, yield* client(table, member()))
      const said = Effect.forEach(rooms, (room) => roomOf(room).Say({ text: "hello" }), { concurrency: "unbounded" })
      const runners = (answers: ReadonlyArray<string>) => new Set(answers.map((answer) => answer.split("/")[0]))

      let answers = yield* said
      while (runners(answers).size < 2) answers = yield* Effect.delay(said, "20 millis")
      assert.isTrue(answers.every((answer, n) => answer.endsWith(`/${rooms[n]}: hello`)))
      const error = yield* Effect.flip(roomOf("room 1").Say({ text: "" }))
      assert.deepStrictEqual(error, new Closed({ room: "room 1" }))
      for (const room of rooms.slice(0, 8)) {
        assert.lengthOf(yield* Stream.runCollect(roomOf(room).Count({ to: 500 })), 500)
      }

      yield* one.close
      assert.deepStrictEqual(runners(yield* said), new Set(["two"]))
    })
  )

  live(
    "refuses a runner without a certificate",
    Effect.gen(function*() {
      const table = RunnerTable.make()
      const incidents: Array<Incident> = []
      const { address } = yield* start("one", table, incidents)
      const ping = (stack: Parameters<typeof client>[1]) =>
        Effect.flatMap(client(table, stack), (known) => Context.get(known, Runners.Runners).ping(address))
      yield* ping(member())
      const error = yield* Effect.flip(ping(stranger()))
      assert.strictEqual(error._tag, "RunnerUnavailable")
      const [incident] = incidents
      assert(incident._tag === "HandshakeFailed")
      assert.strictEqual(incident.error.reason._tag, "CertificateInvalid")
    })
  )
})
