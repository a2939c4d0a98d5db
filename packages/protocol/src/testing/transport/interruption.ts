/** Sending and pulling, interrupted at any step and from several fibers. */

import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { equal, holds } from "../check.ts"
import type { Workbench } from "./workbench.ts"

export const interruption = <S, CIn, COut, SIn, SOut>(bench: Workbench<S, CIn, COut, SIn, SOut>): void => {
  const { connected, drainThen, failure, size, test, subject } = bench
  const { capabilities, samples } = subject

  // Send and pull under interruption.

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
      const isOver = () => capabilities.noGoodbye !== undefined && received.length >= count
      let interrupted = 0
      for (let n = 0; !isOver(); n++) {
        const pulling = yield* Effect.forkChild(server.pull, { startImmediately: true })
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
    }),
    "noGoodbye"
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
    }),
    "noGoodbye"
  )

  test(
    "a second puller is a defect, and the first goes on",
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      const first = yield* Effect.forkChild(server.pull, { startImmediately: true })
      yield* Effect.sleep("5 millis")
      equal("second", failure(yield* Effect.exit(server.pull)), "defect")
      const message = samples.toServer(1, 20)
      yield* client.send(message)
      equal("first", samples.digest(yield* Fiber.join(first)), samples.digest([message]))
    })
  )
}
