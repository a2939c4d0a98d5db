/** The tools of the transport suite: connected pairs, draining ends, and how to say what was seen. */

import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ConnectError, ConnectReason } from "../../ConnectError.ts"
import { type Connection, messages as messagesOf } from "../../Connection.ts"
import { ConnectionError } from "../../ConnectionError.ts"
import type * as Endpoint from "../../Endpoint.ts"
import type { Listener } from "../../Listener.ts"
import type { ListenError } from "../../ListenError.ts"
import type { Outcome, Status } from "../../Outcome.ts"
import { type At, type Connect, connect, type Listen, listen, type Shape } from "../../Transport.ts"
import { equal } from "../check.ts"
import { withoutLeaks } from "../leaks.ts"
import type { Samples } from "../samples.ts"

/** What a transport can do; a string says why it can't. */
export interface Capabilities {
  /** Our output may end while input goes on. */
  readonly halfClose: true | string
  /** The statuses its goodbye carries for success, failure and interruption of the scope. */
  readonly statuses: { readonly done: number; readonly failed: number; readonly away: number } | string
  /** The same of a client whose goodbye can't carry all that the server's can; by default they are the same. */
  readonly clientStatuses?: { readonly done: number; readonly failed: number; readonly away: number }
  /** An abort is seen by the peer as a failure, not as an ordinary end. */
  readonly abortIsSeen: true | string
  /** Why the peer does not see that we close; by default it does. */
  readonly noGoodbye?: string
  /** Why a sender is not held back by a peer that does not read, and what there is no room for is lost; by default it is held back. */
  readonly lossy?: string
  /** Why connecting does not tell that nobody listens; by default it does. */
  readonly neverRefused?: string
  /** The reason connecting fails with where nobody listens; `Refused` by default. */
  readonly refusal?: ConnectReason["_tag"]
}

/** What not every transport has. */
export type Lack = "noGoodbye" | "lossy" | "neverRefused"

/** A transport to be tested. */
export interface Subject<S, CIn, COut, SIn, SOut> {
  readonly shape: Shape<S, CIn, COut, SIn, SOut>
  /** A fresh stack that can connect and listen. */
  readonly layer: () => Layer.Layer<At<S, Connect | Listen>, unknown>
  /** Where to listen; called anew for each case. */
  readonly endpoint: () => Endpoint.Input
  /** Where to connect, given where the listener is bound; the same by default. */
  readonly connectTo?: (address: Endpoint.Endpoint) => Endpoint.Input
  /** Where nobody listens. */
  readonly nobody: Endpoint.Input
  /** What a client says first, where only that tells the server that there is a client. */
  readonly greeting?: COut
  readonly samples: Samples<CIn, COut, SIn, SOut>
  readonly capabilities: Capabilities
  /** Counts what the process holds (sockets, timers), to find leaks. */
  readonly resources?: () => number
}

/** One case: a name, and an Effect that fails if the transport does not keep it. Needs the live clock. */
export interface Case {
  readonly name: string
  readonly run: Effect.Effect<void, unknown>
}

/** A connected pair, and how to close either end's scope. */
export interface Pair<CIn, COut, SIn, SOut> {
  readonly client: Connection<CIn, COut>
  readonly server: Connection<SIn, SOut>
  /** Closes the client's, or the server's, scope. */
  readonly closeClient: (exit?: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
  readonly closeServer: (exit?: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/** The tools the cases are made with, for one subject. */
export type Workbench<S, CIn, COut, SIn, SOut> = ReturnType<typeof workbench<S, CIn, COut, SIn, SOut>>

/** Makes them; what `test` is given ends up in `cases`. */
export const workbench = <S, CIn, COut, SIn, SOut>(subject: Subject<S, CIn, COut, SIn, SOut>) => {
  const { capabilities, samples, shape } = subject
  /** Enough for what must end cleanly, and little for what can't. */
  const budget = "5 seconds"
  const short = "100 millis"
  const cases: Array<Case> = []

  /** A case, unless the transport lacks something without which it has no meaning. */
  const test = (
    name: string,
    program: Effect.Effect<unknown, unknown, At<S, Connect | Listen> | Scope.Scope>,
    ...without: ReadonlyArray<Lack>
  ): void => {
    if (without.some((lack) => capabilities[lack] !== undefined)) return
    const run = Effect.suspend(() => Effect.provide(Effect.scoped(program), subject.layer()))
    cases.push({
      name,
      run: Effect.asVoid(withoutLeaks(Effect.timeout(run, "15 seconds"), subject.resources))
    })
  }

  type Within = typeof budget | typeof short

  const listening = (
    closeWithin: Within = budget
  ): Effect.Effect<Listener<SIn, SOut>, ListenError, Scope.Scope | At<S, Listen>> =>
    listen(shape)(subject.endpoint(), { closeWithin, drain: { within: closeWithin } })

  const connecting = (
    address: Endpoint.Endpoint,
    closeWithin: Within = budget
  ): Effect.Effect<Connection<CIn, COut>, ConnectError, Scope.Scope | At<S, Connect>> =>
    Effect.tap(
      connect(shape)(subject.connectTo?.(address) ?? address, { closeWithin }),
      ({ send }) => subject.greeting === undefined ? Effect.void : Effect.orDie(send(subject.greeting))
    )

  /** A connected pair, each end in a scope of its own. */
  const connected = (
    within?: Within
  ): Effect.Effect<Pair<CIn, COut, SIn, SOut>, unknown, Scope.Scope | At<S, Connect | Listen>> =>
    Effect.gen(function*() {
      const listener = yield* listening(within)
      const accepted = yield* Deferred.make<Connection<SIn, SOut>>()
      const end = yield* Deferred.make<void, unknown>()
      const left = yield* Deferred.make<void>()
      yield* Effect.forkScoped(
        listener.run((connection) => Effect.andThen(Deferred.succeed(accepted, connection), Deferred.await(end)), {
          onIncident: () => Effect.void
        })
      )
      const scope = yield* Scope.fork(yield* Effect.scope)
      const client = yield* Scope.provide(connecting(listener.address, within), scope)
      const server = yield* Deferred.await(accepted)
      if (subject.greeting !== undefined) yield* server.pull
      yield* Effect.forkScoped(Effect.andThen(server.closed, Deferred.succeed(left, undefined)))
      const closeClient = (exit: Exit.Exit<unknown, unknown> = Exit.void) => Scope.close(scope, exit)
      const closeServer = (exit: Exit.Exit<unknown, unknown> = Exit.void) =>
        Effect.andThen(Deferred.done(end, exit as Exit.Exit<void, unknown>), Deferred.await(left))
      yield* Effect.addFinalizer(() => Effect.all([closeClient(), closeServer()], { concurrency: "unbounded" }))
      return { client, server, closeClient, closeServer }
    })

  /** Everything a connection receives until it ends. */
  const drain = <In>(connection: Connection<In, never>): Effect.Effect<Array<In>, ConnectionError> =>
    Stream.runCollect(messagesOf(connection as Connection<In, unknown>))

  /** The same, and then closes the receiving end too. */
  const drainThen = <In>(
    connection: Connection<In, never>,
    close: () => Effect.Effect<void>
  ): Effect.Effect<Array<In>, ConnectionError> => Effect.tap(drain(connection), () => close())

  /** A handler, and the moment when it has so many connections. */
  const counted = (handle: (connection: Connection<SIn, SOut>) => Effect.Effect<void>) => {
    let count = 0
    const until = (wanted: number): Effect.Effect<void> =>
      Effect.suspend(() => count >= wanted ? Effect.void : Effect.andThen(Effect.sleep("5 millis"), until(wanted)))
    const handler = (connection: Connection<SIn, SOut>) => {
      count++
      return handle(connection)
    }
    return { handler, until }
  }

  /** A client that says something, if it has not greeted, receives until the end, if it is told of that, and how that was. */
  const visiting = (address: Endpoint.Endpoint, first?: COut) =>
    Effect.scoped(Effect.gen(function*() {
      const client = yield* connecting(address)
      if (first !== undefined && subject.greeting === undefined) yield* client.send(first)
      if (capabilities.noGoodbye === undefined) yield* drain(client)
      return client
    })).pipe(Effect.flatMap((client) => client.closed))

  const sizes = [0, 1, 125, 126, 1_000, 4_096, 65_535, 65_536, 70_000]
  const many = <M>(make: (n: number, size: number) => M): Array<M> =>
    Array.from({ length: 90 }, (_, n) => make(n, sizes[n % sizes.length]))
  const toServer = () => many(samples.toServer) as [COut, ...Array<COut>]
  const toClient = () => many(samples.toClient) as [SOut, ...Array<SOut>]

  const size = (messages: ReadonlyArray<CIn | COut | SIn | SOut>): number => {
    let total = 0
    for (const message of messages) total += samples.size(message)
    return total
  }

  const failure = <A, E>(exit: Exit.Exit<A, E>): string => {
    if (Exit.isSuccess(exit)) return "success"
    const error = Cause.findErrorOption(exit.cause)
    if (Option.isNone(error)) return Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "defect"
    return error.value instanceof ConnectionError
      ? error.value.reason._tag
      : Cause.isDone(error.value)
      ? "Done"
      : String(error.value)
  }
  const statusIs = (
    what: string,
    seen: Status | undefined,
    why: "done" | "failed" | "away",
    statuses = capabilities.statuses
  ): void => {
    equal(what, seen?.code, typeof statuses === "string" ? undefined : statuses[why])
  }

  const ends = (what: string, outcome: Outcome, first: Outcome["first"]): void => {
    equal(`${what}: clean`, outcome.clean, true)
    equal(`${what}: first`, outcome.first, first)
    equal(`${what}: unsent`, outcome.unsent, { messages: 0, bytes: 0 })
  }

  return {
    subject,
    cases,
    test,
    budget,
    short,
    listening,
    connecting,
    connected,
    drain,
    drainThen,
    counted,
    visiting,
    toServer,
    toClient,
    size,
    failure,
    statusIs,
    ends
  } as const
}
