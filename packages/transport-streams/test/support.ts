import { it } from "@effect/vitest"
import { Refused } from "@wirestack/protocol/ConnectError"
import type * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { AddressInUse } from "@wirestack/protocol/ListenError"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import type { Source } from "@wirestack/transport-streams"
import { Effect, Queue, type Scope } from "effect"

/** A network of names, in which a pair of streams is made for whoever connects. */
export const network = <A>(pair: () => readonly [A, A]) => {
  const listeners = new Map<string, Source.Accept<A>>()
  return {
    connect: (endpoint: Endpoint.Endpoint) =>
      Effect.suspend(() => {
        const address = Endpoint.format(endpoint)
        const accept = listeners.get(address)
        const [near, far] = pair()
        const refused = accept === undefined ? new Refused({ address }) : accept(far)
        return refused === undefined ? Effect.succeed(near) : Effect.fail(refused)
      }),
    listen: (endpoint: Endpoint.Endpoint, accept: Source.Accept<A>) =>
      Effect.suspend(() => {
        const address = Endpoint.format(endpoint)
        if (listeners.has(address)) return Effect.fail(new AddressInUse({ address }))
        listeners.set(address, accept)
        return Effect.addFinalizer(() => Effect.sync(() => listeners.delete(address)))
      })
  }
}

/** A live test that leaves no fiber. */
export const live = <E>(name: string, program: () => Effect.Effect<unknown, E, Scope.Scope>) =>
  it.live(name, () => withoutLeaks(Effect.scoped(Effect.suspend(program))))

/** How many message ports the process listens to. */
export const ports = (): number => process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length

type Bytes<D = never> = Connection.Connection<Uint8Array, Uint8Array, D>

/** How a module hands out connections as `A`, of which one can tell when they have closed. */
interface Provided<A extends { readonly closed: Promise<unknown> }> {
  readonly open: <D, E, R>(
    connect: Effect.Effect<Bytes<D>, E, R | Scope.Scope>
  ) => Effect.Effect<A, E, Exclude<R, Scope.Scope>>
  readonly handler: (
    use: (provided: A) => Promise<unknown>
  ) => <D>(connection: Bytes<D>) => Effect.Effect<void, unknown>
}

/** The connections of a stack of bytes, handed out: a source for a stack that takes them. */
export const provided = <A extends { readonly closed: Promise<unknown> }>({ handler, open }: Provided<A>) => ({
  connect: (endpoint: Endpoint.Endpoint) =>
    Effect.mapError(open(Transport.connect(Transport.Bytes)(endpoint)), ({ reason }) => reason),
  listen: (endpoint: Endpoint.Endpoint, accept: Source.Accept<A>) =>
    Effect.gen(function*() {
      const listener = yield* Effect.mapError(
        Transport.listen(Transport.Bytes)(endpoint, { drain: { within: "1 second" } }),
        ({ reason }) => reason
      )
      const handing = handler((streams) => {
        accept(streams)
        return streams.closed
      })
      yield* Effect.forkScoped(Effect.exit(listener.run(handing, { onIncident: () => Effect.void })))
      return listener.address
    })
})

/** How a client connects, and the other end of each of its connections, which the test has. */
export const ends = <S extends "bytes" | "messages", M>(shape: Transport.Shape<S, M, M>) =>
  Effect.gen(function*() {
    const accepted = yield* Queue.unbounded<Connection.Connection<M, M>>()
    const soon = { closeWithin: "200 millis" } as const
    const listener = yield* Transport.listen(shape)("memory:here", soon)
    yield* Effect.forkScoped(
      Effect.exit(listener.run(
        (connection) => Effect.andThen(Queue.offer(accepted, connection), connection.closed),
        { onIncident: () => Effect.void }
      ))
    )
    return { connect: Transport.connect(shape)("memory:here", soon), far: Queue.take(accepted) }
  })
