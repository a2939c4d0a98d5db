/** How connections end: by either side, for every reason, in time, and half at a time. */

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { equal, holds } from "../check.ts"
import { stalled } from "./stalled.ts"
import type { Workbench } from "./workbench.ts"

export const closing = <S, CIn, COut, SIn, SOut>(bench: Workbench<S, CIn, COut, SIn, SOut>): void => {
  const { connected, drain, drainThen, ends, failure, short, statusIs, test, subject } = bench
  const { capabilities, samples } = subject

  // Close.

  const exits: ReadonlyArray<readonly ["done" | "failed" | "away", Exit.Exit<unknown, unknown>]> = [
    ["done", Exit.void],
    ["failed", Exit.fail("boom")],
    ["failed", Exit.die("boom")],
    ["away", Exit.interrupt()]
  ]

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
        const pulling = yield* Effect.forkChild(client.pull, { startImmediately: true })
        const serving = yield* Effect.forkChild(drain(server))
        yield* Effect.sleep("5 millis")
        yield* Effect.forkScoped(Effect.andThen(Fiber.await(serving), closeServer()))
        yield* closeClient(exit)
        equal("the suspended pull", failure(yield* Fiber.await(pulling)), "Closing")
        equal("the server's pull", failure(yield* Fiber.await(serving)), "success")
        ends("client", yield* client.closed, "local")
        ends("server", yield* server.closed, "remote")
        statusIs("sent by the client", (yield* client.closed).sent, why, capabilities.clientStatuses)
        statusIs("received by the server", (yield* server.closed).received, why, capabilities.clientStatuses)
      }),
      "noGoodbye"
    )

    test(
      `the server's scope ends with ${how}`,
      Effect.gen(function*() {
        const { client, closeClient, closeServer, server } = yield* connected()
        const pulling = yield* Effect.forkChild(server.pull, { startImmediately: true })
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
      }),
      "noGoodbye"
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
      let sent = 0
      const flood = Effect.andThen(client.send(samples.toServer(1, 60_000)), Effect.sync(() => sent++))
      const flooding = yield* Effect.forkChild(Effect.forever(flood))
      // A process in between, such as a proxy, may be late in taking what it has room for.
      yield* stalled(() => sent, 200)
      const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* closeClient()
      const took = (yield* Effect.clockWith((clock) => clock.currentTimeMillis)) - started
      equal("the waiting send", failure(yield* Fiber.await(flooding)), "Closing")
      const outcome = yield* client.closed
      equal("clean", outcome.clean, false)
      holds("unsent is counted", outcome.unsent.bytes > 0, outcome)
      holds("within the budget and the floors", took < 2_500, took)
    }),
    "lossy"
  )

  test(
    "an abort cuts now, and the peer sees it",
    Effect.gen(function*() {
      const { client, closeServer, server } = yield* connected()
      const pulling = yield* Effect.forkChild(client.pull, { startImmediately: true })
      const serving = yield* Effect.forkChild(drain(server))
      yield* Effect.sleep("5 millis")
      yield* client.abort
      equal("our pull", failure(yield* Fiber.await(pulling)), "Aborted")
      equal("our send", failure(yield* Effect.exit(client.send(samples.toServer(1, 10)))), "Aborted")
      const outcome = yield* client.closed
      equal("clean", outcome.clean, false)
      if (capabilities.noGoodbye === undefined) {
        const seen = failure(yield* Fiber.await(serving))
        if (capabilities.abortIsSeen === true) holds("the server's pull fails", seen !== "success", seen)
      }
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
      holds("within the budget and the floors", took < 2_500, took)
    })
  )

  if (capabilities.noGoodbye !== undefined) {
    test(
      `a close is not seen by the peer: ${capabilities.noGoodbye}`,
      Effect.gen(function*() {
        const { client, closeClient, closeServer, server } = yield* connected()
        const pulling = yield* Effect.forkChild(server.pull, { startImmediately: true })
        yield* closeClient()
        ends("client", yield* client.closed, "local")
        yield* Effect.sleep("30 millis")
        equal("the server's pull", pulling.pollUnsafe(), undefined)
        yield* closeServer()
        equal("the suspended pull", failure(yield* Fiber.await(pulling)), "Closing")
        ends("server", yield* server.closed, "local")
      })
    )
  }

  // Half-close.

  if (capabilities.halfClose === true) {
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
}
