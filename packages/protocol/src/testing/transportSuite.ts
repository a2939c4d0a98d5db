/**
 * What every transport must keep, as cases any test framework can run:
 *
 *     for (const { name, run } of transportSuite(subject)) it.live(name, () => run)
 *
 * A case is an Effect that fails with what was seen and what was wanted. What a transport can't do it says in
 * `capabilities`, with the reason, which then stands in the name of the case that checks the refusal instead.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ConnectError } from "../ConnectError.ts"
import { type Connection, messages as messagesOf } from "../Connection.ts"
import { ConnectionError } from "../ConnectionError.ts"
import type * as Endpoint from "../Endpoint.ts"
import type { Listener } from "../Listener.ts"
import type { ListenError } from "../ListenError.ts"
import type { Outcome, Status } from "../Outcome.ts"
import { type At, type Connect, connect, type Listen, listen, type Shape } from "../Transport.ts"
import { equal, holds } from "./check.ts"
import { withoutLeaks } from "./leaks.ts"
import type { Samples } from "./samples.ts"

/** What a transport can do; a string says why it can't. */
export interface Capabilities {
  /** Our output may end while input goes on. */
  readonly halfClose: true | string
  /** The statuses its goodbye carries for success, failure and interruption of the scope. */
  readonly statuses: { readonly done: number; readonly failed: number; readonly away: number } | string
  /** An abort is seen by the peer as a failure, not as an ordinary end. */
  readonly abortIsSeen: true | string
}

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

type Pair<CIn, COut, SIn, SOut> = {
  readonly client: Connection<CIn, COut>
  readonly server: Connection<SIn, SOut>
  /** Closes the client's, or the server's, scope. */
  readonly closeClient: (exit?: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
  readonly closeServer: (exit?: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/** The cases every transport must pass. */
export const transportSuite = <S, CIn, COut, SIn, SOut>(
  subject: Subject<S, CIn, COut, SIn, SOut>
): ReadonlyArray<Case> => {
  const { capabilities, samples, shape } = subject
  /** Enough for what must end cleanly, and little for what can't. */
  const budget = "5 seconds"
  const short = "300 millis"
  const halfClose = capabilities.halfClose === true
  const cases: Array<Case> = []

  const test = (
    name: string,
    program: Effect.Effect<unknown, unknown, At<S, Connect | Listen> | Scope.Scope>
  ): void => {
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
    listen(shape)(subject.endpoint(), { closeWithin, drainWithin: closeWithin })

  const connecting = (
    address: Endpoint.Endpoint,
    closeWithin: Within = budget
  ): Effect.Effect<Connection<CIn, COut>, ConnectError, Scope.Scope | At<S, Connect>> =>
    connect(shape)(subject.connectTo?.(address) ?? address, { closeWithin })

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

  /** A client that receives until the end, and how that was. */
  const visiting = (address: Endpoint.Endpoint, first?: COut) =>
    Effect.scoped(Effect.gen(function*() {
      const client = yield* connecting(address)
      if (first !== undefined) yield* client.send(first)
      yield* drain(client)
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

  // 1. Delivery.

  test(
    "delivers what the client sent before it closed, in order, once",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const receiving = yield* Effect.forkChild(drainThen(server, closeServer))
      for (const message of toServer()) yield* client.send(message)
      yield* closeClient()
      equal("received", samples.digest(yield* Fiber.join(receiving)), samples.digest(toServer()))
      equal("clean", (yield* client.closed).clean, true)
    })
  )

  test(
    "delivers what the server sent before it closed, in order, once",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const receiving = yield* Effect.forkChild(drainThen(client, closeClient))
      for (const message of toClient()) yield* server.send(message)
      yield* closeServer()
      equal("received", samples.digest(yield* Fiber.join(receiving)), samples.digest(toClient()))
      equal("clean", (yield* server.closed).clean, true)
    })
  )

  test(
    "delivers batches both ways at once",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const expected = toClient()
      const atClient: Array<CIn> = []
      let missing = size(expected)
      const atServer = yield* Effect.forkChild(drainThen(server, closeServer))
      const sending = yield* Effect.forkChild(Effect.all([client.sendAll(toServer()), server.sendAll(toClient())], {
        concurrency: "unbounded"
      }))
      while (missing > 0) {
        const batch = yield* client.pull
        missing -= size(batch)
        atClient.push(...batch)
      }
      yield* Fiber.join(sending)
      yield* closeClient()
      equal("at the client", samples.digest(atClient), samples.digest(expected))
      equal("at the server", samples.digest(yield* Fiber.join(atServer)), samples.digest(toServer()))
    })
  )

  test(
    "keeps what was received pullable after the peer has closed",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const messages = [1, 2, 3].map((n) => samples.toServer(n, 100)) as [COut, ...Array<COut>]
      yield* client.sendAll(messages)
      yield* Effect.forkScoped(closeClient())
      yield* Effect.sleep("30 millis")
      equal("received", samples.digest(yield* drainThen(server, closeServer)), samples.digest(messages))
    })
  )

  // 2. Backpressure.

  test(
    "holds a sender back while the peer does not read, and loses nothing",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const limit = 2_000
      let sent = 0
      const sending = yield* Effect.forkChild(Effect.gen(function*() {
        for (; sent < limit; sent++) yield* client.send(samples.toServer(sent, 16_384))
      }))
      let before = -1
      while (before !== sent) {
        before = sent
        yield* Effect.sleep("50 millis")
      }
      holds("the sender waits", sent < limit, sent)
      const receiving = yield* Effect.forkChild(drainThen(server, closeServer))
      yield* Fiber.join(sending)
      yield* closeClient()
      const all = Array.from({ length: limit }, (_, n) => samples.toServer(n, 16_384))
      equal("received", samples.digest(yield* Fiber.join(receiving)), samples.digest(all))
    })
  )

  // 3. Send and pull under interruption.

  test(
    "loses nothing when pulls are interrupted",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const count = 400
      const received: Array<SIn> = []
      const sending = yield* Effect.forkChild(Effect.gen(function*() {
        for (let n = 0; n < count; n++) {
          yield* client.send(samples.toServer(n, 50))
          if (n % 3 === 0) yield* Effect.yieldNow
          if (n % 50 === 0) yield* Effect.sleep("1 millis")
        }
        yield* closeClient()
      }))
      let interrupted = 0
      for (let n = 0;; n++) {
        const pulling = yield* Effect.forkChild(server.pull)
        for (let turns = n % 4; turns > 0; turns--) yield* Effect.yieldNow
        yield* Fiber.interrupt(pulling)
        const exit = yield* Fiber.await(pulling)
        if (Exit.isSuccess(exit)) received.push(...exit.value)
        else if (failure(exit) === "interrupted") {
          interrupted++
          if (n % 8 === 0) yield* Effect.sleep("1 millis")
        } else break
      }
      yield* closeServer()
      yield* Fiber.join(sending)
      holds("some pulls were interrupted", interrupted > 0)
      const all = Array.from({ length: count }, (_, n) => samples.toServer(n, 50))
      equal("received", samples.digest(received), samples.digest(all))
    })
  )

  test(
    "an interrupted send leaves the whole message or none",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const sent: Array<COut> = []
      const interrupt = (n: number) =>
        Effect.gen(function*() {
          const message = samples.toServer(n, 8_192)
          const sending = yield* Effect.forkChild(client.send(message))
          for (let turns = n % 3; turns > 0; turns--) yield* Effect.yieldNow
          yield* Fiber.interrupt(sending)
          const whole = Exit.isSuccess(yield* Fiber.await(sending))
          if (whole) sent.push(message)
          return whole
        })
      let interrupted = 0
      let n = 0
      while (interrupted < 200) if (!(yield* interrupt(n++))) interrupted++
      const all = yield* Effect.forkChild(drainThen(server, closeServer))
      for (const last = n + 400; n < last; n++) yield* interrupt(n)
      yield* closeClient()
      equal("received", samples.digest(yield* Fiber.join(all)), samples.digest(sent))
    })
  )

  test(
    "sends of several fibers never interleave",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const receiving = yield* Effect.forkChild(drainThen(server, closeServer))
      const written: Array<COut> = []
      yield* Effect.all(
        Array.from({ length: 8 }, (_, fiber) =>
          Effect.gen(function*() {
            for (let n = 0; n < 40; n++) {
              const message = samples.toServer(fiber * 1_000 + n, 20_000)
              yield* Effect.andThen(client.send(message), Effect.sync(() => written.push(message)))
            }
          })),
        { concurrency: "unbounded" }
      )
      yield* closeClient()
      const received = yield* Fiber.join(receiving)
      if (samples.boundaries) equal("received", samples.digest(received), samples.digest(written))
      else equal("received bytes", size(received), size(written))
    })
  )

  test(
    "a second puller is a defect, and the first goes on",
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      const first = yield* Effect.forkChild(server.pull)
      yield* Effect.sleep("5 millis")
      equal("second", failure(yield* Effect.exit(server.pull)), "defect")
      const message = samples.toServer(1, 20)
      yield* client.send(message)
      equal("first", samples.digest(yield* Fiber.join(first)), samples.digest([message]))
    })
  )

  // 4. Close.

  const exits: ReadonlyArray<readonly ["done" | "failed" | "away", Exit.Exit<unknown, unknown>]> = [
    ["done", Exit.void],
    ["failed", Exit.fail("boom")],
    ["failed", Exit.die("boom")],
    ["away", Exit.interrupt()]
  ]

  const statusIs = (what: string, seen: Status | undefined, why: "done" | "failed" | "away"): void => {
    equal(what, seen?.code, typeof capabilities.statuses === "string" ? undefined : capabilities.statuses[why])
  }

  const ends = (what: string, outcome: Outcome, first: Outcome["first"]): void => {
    equal(`${what}: clean`, outcome.clean, true)
    equal(`${what}: first`, outcome.first, first)
    equal(`${what}: unsent`, outcome.unsent, { messages: 0, bytes: 0 })
  }

  for (const [why, exit] of exits) {
    const how = Exit.isSuccess(exit)
      ? "success"
      : Cause.hasDies(exit.cause)
      ? "a defect"
      : why === "away"
      ? "interruption"
      : "failure"
    test(
      `the client's scope ends with ${how}`,
      Effect.gen(function*() {
        const { client, closeClient, closeServer, server } = yield* connected()
        const pulling = yield* Effect.forkChild(client.pull)
        const serving = yield* Effect.forkChild(drain(server))
        yield* Effect.sleep("5 millis")
        yield* Effect.forkScoped(Effect.andThen(Fiber.await(serving), closeServer()))
        yield* closeClient(exit)
        equal("the suspended pull", failure(yield* Fiber.await(pulling)), "Closing")
        equal("the server's pull", failure(yield* Fiber.await(serving)), "success")
        ends("client", yield* client.closed, "local")
        ends("server", yield* server.closed, "remote")
        statusIs("sent by the client", (yield* client.closed).sent, why)
        statusIs("received by the server", (yield* server.closed).received, why)
      })
    )

    test(
      `the server's scope ends with ${how}`,
      Effect.gen(function*() {
        const { client, closeClient, closeServer, server } = yield* connected()
        const pulling = yield* Effect.forkChild(server.pull)
        const receiving = yield* Effect.forkChild(drain(client))
        yield* Effect.sleep("5 millis")
        yield* Effect.forkScoped(Effect.andThen(Fiber.await(receiving), closeClient()))
        yield* closeServer(exit)
        equal("the suspended pull", failure(yield* Fiber.await(pulling)), "Closing")
        equal("the client's pull", failure(yield* Fiber.await(receiving)), "success")
        ends("server", yield* server.closed, "local")
        ends("client", yield* client.closed, "remote")
        statusIs("sent by the server", (yield* server.closed).sent, why)
        statusIs("received by the client", (yield* client.closed).received, why)
      })
    )
  }

  test(
    "after the close every operation fails with a type, and none hangs",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      yield* Effect.forkScoped(Effect.andThen(drain(server), closeServer()))
      yield* closeClient()
      holds("send", failure(yield* Effect.exit(client.send(samples.toServer(1, 10)))).startsWith("Clos"))
      holds("sendAll", failure(yield* Effect.exit(client.sendAll([samples.toServer(1, 10)]))).startsWith("Clos"))
      holds("end", failure(yield* Effect.exit(client.end)).startsWith("Clos"))
      holds("pull", /^(Clos|Done)/.test(failure(yield* Effect.exit(client.pull))))
      yield* client.abort
      ends("closed", yield* client.closed, "local")
    })
  )

  test(
    "counts what was received and not pulled",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      yield* server.sendAll([1, 2, 3].map((n) => samples.toClient(n, 10)) as [SOut, ...Array<SOut>])
      yield* Effect.sleep("50 millis")
      yield* Effect.forkScoped(drainThen(server, closeServer))
      yield* closeClient()
      const { undelivered } = yield* client.closed
      holds("undelivered", samples.boundaries ? undelivered === 3 : undelivered > 0, undelivered)
    })
  )

  test(
    "a peer that reads no more costs the budget once",
    Effect.gen(function*() {
      const { client, closeClient } = yield* connected(short)
      const flooding = yield* Effect.forkChild(Effect.forever(client.send(samples.toServer(1, 60_000))))
      yield* Effect.sleep("200 millis")
      const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* closeClient()
      const took = (yield* Effect.clockWith((clock) => clock.currentTimeMillis)) - started
      equal("the waiting send", failure(yield* Fiber.await(flooding)), "Closing")
      const outcome = yield* client.closed
      equal("clean", outcome.clean, false)
      holds("unsent is counted", outcome.unsent.bytes > 0, outcome)
      holds("within the budget and the floors", took < 1_000, took)
    })
  )

  test(
    "an abort cuts now, and the peer sees it",
    Effect.gen(function*() {
      const { client, closeServer, server } = yield* connected()
      const pulling = yield* Effect.forkChild(client.pull)
      const serving = yield* Effect.forkChild(drain(server))
      yield* Effect.sleep("5 millis")
      yield* client.abort
      equal("our pull", failure(yield* Fiber.await(pulling)), "Aborted")
      equal("our send", failure(yield* Effect.exit(client.send(samples.toServer(1, 10)))), "Aborted")
      const outcome = yield* client.closed
      equal("clean", outcome.clean, false)
      const seen = failure(yield* Fiber.await(serving))
      if (capabilities.abortIsSeen === true) holds("the server's pull fails", seen !== "success", seen)
      yield* closeServer()
    })
  )

  test(
    "a peer that died does not delay the close",
    Effect.gen(function*() {
      const { client, closeServer, server } = yield* connected()
      yield* client.abort
      const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* closeServer()
      const took = (yield* Effect.clockWith((clock) => clock.currentTimeMillis)) - started
      yield* server.closed
      holds("within the budget and the floors", took < 1_000, took)
    })
  )

  // 5. Half-close.

  if (halfClose) {
    test(
      "half-close: our output ends, input goes on",
      Effect.gen(function*() {
        const { client, closeClient, server } = yield* connected()
        yield* client.send(samples.toServer(1, 100))
        yield* client.end
        equal("send after end", failure(yield* Effect.exit(client.send(samples.toServer(2, 10)))), "Ended")
        equal("received", samples.digest(yield* drain(server)), samples.digest([samples.toServer(1, 100)]))
        yield* server.send(samples.toClient(1, 100))
        equal("answer", samples.digest(yield* client.pull), samples.digest([samples.toClient(1, 100)]))
        yield* server.end
        equal("pull", failure(yield* Effect.exit(client.pull)), "Done")
        yield* closeClient()
        equal("clean", (yield* client.closed).clean, true)
      })
    )
  } else {
    test(
      `half-close is refused: ${capabilities.halfClose}`,
      Effect.gen(function*() {
        const { client } = yield* connected()
        equal("end", failure(yield* Effect.exit(client.end)), "Unsupported")
        yield* client.send(samples.toServer(1, 10))
      })
    )
  }

  // 6. Listeners.

  test(
    "a listener drains: connections close away, handlers end, the report counts",
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const listener = yield* Scope.provide(listening(), scope)
      const { handler, until } = counted((connection) => Effect.ignore(drain(connection)))
      const running = yield* Effect.forkScoped(listener.run(handler, { onIncident: () => Effect.void }))
      const visits = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 5 }, () => visiting(listener.address)), { concurrency: "unbounded" })
      )
      yield* until(5)
      yield* Scope.close(scope, Exit.void)
      equal("report", yield* listener.drained, { open: 5, ended: 5, interrupted: 0 })
      for (const outcome of yield* Fiber.join(visits)) statusIs("received", outcome.received, "away")
      holds("run has ended", Exit.isFailure(yield* Fiber.await(running)))
    })
  )

  test(
    "a drain interrupts handlers that are late",
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const listener = yield* Scope.provide(listening(short), scope)
      const { handler, until } = counted(() => Effect.never)
      yield* Effect.forkScoped(Effect.ignore(listener.run(handler)))
      const client = yield* connecting(listener.address, short)
      yield* Effect.forkScoped(Effect.ignore(drain(client)))
      yield* until(1)
      yield* Scope.close(scope, Exit.void)
      equal("report", yield* listener.drained, { open: 1, ended: 0, interrupted: 1 })
    })
  )

  test(
    "interrupting run drains too",
    Effect.gen(function*() {
      const listener = yield* listening()
      const { handler, until } = counted((connection) => Effect.ignore(drain(connection)))
      const running = yield* Effect.forkScoped(listener.run(handler))
      const visit = yield* Effect.forkChild(visiting(listener.address))
      yield* until(1)
      yield* Fiber.interrupt(running)
      yield* Fiber.join(visit)
      equal("report", yield* listener.drained, { open: 1, ended: 1, interrupted: 0 })
    })
  )

  test(
    "a handler that fails ends its own connection only",
    Effect.gen(function*() {
      const listener = yield* listening()
      const incidents: Array<string> = []
      yield* Effect.forkScoped(listener.run((connection) => Effect.andThen(connection.pull, Effect.fail("boom")), {
        onIncident: (incident) => Effect.sync(() => incidents.push(incident._tag))
      }))
      for (let n = 1; n <= 2; n++) {
        statusIs("received", (yield* visiting(listener.address, samples.toServer(1, 10))).received, "failed")
        while (incidents.length < n) yield* Effect.sleep("5 millis")
      }
      equal("incidents", incidents, ["HandlerFailed", "HandlerFailed"])
    })
  )

  test(
    "a connect that fails leaves nothing, however often",
    Effect.gen(function*() {
      const tags: Array<string> = []
      for (let n = 0; n < 5; n++) {
        const exit = yield* Effect.exit(connect(shape)(subject.nobody, { closeWithin: budget }))
        holds("connect fails", Exit.isFailure(exit))
        if (Exit.isFailure(exit)) {
          const error = Cause.findErrorOption(exit.cause)
          tags.push(Option.isSome(error) ? error.value.reason._tag : "none")
        }
      }
      equal("reasons", tags, ["Refused", "Refused", "Refused", "Refused", "Refused"])
    })
  )

  return cases
}
