/** What was sent before a graceful close arrives, and a peer that does not read holds the sender back. */

import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Connection } from "../../Connection.ts"
import { equal, holds } from "../check.ts"
import { stalled } from "./stalled.ts"
import type { Workbench } from "./workbench.ts"

export const delivery = <S, CIn, COut, SIn, SOut>(bench: Workbench<S, CIn, COut, SIn, SOut>): void => {
  const { connected, drainThen, size, test, toClient, toServer, subject } = bench
  const { capabilities, samples } = subject

  // Delivery.

  test(
    "delivers what the client sent before it closed, in order, once",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const receiving = yield* Effect.forkChild(drainThen(server, closeServer))
      for (const message of toServer()) yield* client.send(message)
      yield* closeClient()
      equal("received", samples.digest(yield* Fiber.join(receiving)), samples.digest(toServer()))
      equal("clean", (yield* client.closed).clean, true)
    }),
    "noGoodbye"
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
    }),
    "noGoodbye"
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
    }),
    "noGoodbye"
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
    }),
    "noGoodbye"
  )

  if (capabilities.noGoodbye !== undefined) {
    test(
      "delivers messages both ways, in order, once",
      Effect.gen(function*() {
        const { client, server } = yield* connected()
        const exchange = <Out, In>(
          from: Connection<unknown, Out>,
          to: Connection<In, never>,
          all: ReadonlyArray<Out>
        ) =>
          Effect.gen(function*() {
            const received: Array<In> = []
            const receiving = Effect.gen(function*() {
              while (received.length < all.length) received.push(...yield* to.pull)
            })
            const fiber = yield* Effect.forkChild(receiving, { startImmediately: true })
            for (const message of all) yield* from.send(message)
            yield* Fiber.join(fiber)
            return received
          })
        const atServer = yield* exchange(client, server, toServer())
        equal("at the server", samples.digest(atServer), samples.digest(toServer()))
        const atClient = yield* exchange(server, client, toClient())
        equal("at the client", samples.digest(atClient), samples.digest(toClient()))
      })
    )
  }

  // Backpressure.

  if (capabilities.lossy !== undefined) {
    test(
      `a sender is not held back: ${capabilities.lossy}`,
      Effect.gen(function*() {
        const { client, closeClient, closeServer } = yield* connected()
        for (let n = 0; n < 2_000; n++) yield* client.send(samples.toServer(n, 16_384))
        yield* closeClient()
        equal("clean", (yield* client.closed).clean, true)
        yield* closeServer()
      })
    )
  }

  test(
    "holds a sender back while the peer does not read, and loses nothing",
    Effect.gen(function*() {
      const { client, closeClient, closeServer, server } = yield* connected()
      const limit = 2_000
      let sent = 0
      const sending = yield* Effect.forkChild(Effect.gen(function*() {
        for (; sent < limit; sent++) yield* client.send(samples.toServer(sent, 8_192))
      }))
      yield* stalled(() => sent)
      holds("the sender waits", sent < limit, sent)
      const receiving = yield* Effect.forkChild(drainThen(server, closeServer))
      yield* Fiber.join(sending)
      yield* closeClient()
      const all = Array.from({ length: limit }, (_, n) => samples.toServer(n, 8_192))
      equal("received", samples.digest(yield* Fiber.join(receiving)), samples.digest(all))
    }),
    "lossy"
  )
}
