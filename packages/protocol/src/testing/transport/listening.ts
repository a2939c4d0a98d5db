/** Listeners: draining, handlers that fail, connects that fail. */

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { DrainReport } from "../../Listener.ts"
import { connect } from "../../Transport.ts"
import { equal, holds } from "../check.ts"
import type { Workbench } from "./workbench.ts"

const handlers = ({ ended, interrupted, open }: DrainReport) => ({ open, ended, interrupted })

export const listening = <S, CIn, COut, SIn, SOut>(bench: Workbench<S, CIn, COut, SIn, SOut>): void => {
  const { budget, connecting, counted, drain, listening, short, statusIs, test, visiting, subject } = bench
  const { samples, shape } = subject

  // Listeners.

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
      equal("handlers", handlers(yield* listener.drained), { open: 5, ended: 5, interrupted: 0 })
      equal("closed cleanly", (yield* listener.drained).clean, 5)
      for (const outcome of yield* Fiber.join(visits)) statusIs("received", outcome.received, "away")
      holds("run has ended", Exit.isFailure(yield* Fiber.await(running)))
    }),
    "noGoodbye"
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
      equal("handlers", handlers(yield* listener.drained), { open: 1, ended: 0, interrupted: 1 })
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
      equal("handlers", handlers(yield* listener.drained), { open: 1, ended: 1, interrupted: 0 })
    }),
    "noGoodbye"
  )

  test(
    "a paused listener handles connections once it is resumed",
    Effect.gen(function*() {
      const listener = yield* listening()
      let paused = true
      const early: Array<boolean> = []
      yield* listener.pause
      yield* Effect.forkScoped(listener.run(() => Effect.sync(() => void early.push(paused))))
      const visit = yield* Effect.forkChild(visiting(listener.address))
      yield* Effect.sleep("20 millis")
      paused = false
      yield* listener.resume
      yield* Fiber.join(visit)
      while (early.length === 0) yield* Effect.sleep("5 millis")
      equal("early", early, [false])
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

  if (subject.capabilities.neverRefused !== undefined) {
    test(
      `connecting where nobody listens is no failure: ${subject.capabilities.neverRefused}`,
      Effect.scoped(connect(shape)(subject.nobody, { closeWithin: budget }))
    )
  }

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
      equal("reasons", tags, new Array(5).fill(subject.capabilities.refusal ?? "Refused"))
    }),
    "neverRefused"
  )
}
