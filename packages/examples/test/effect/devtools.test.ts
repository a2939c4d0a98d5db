/** Effect's DevTools over stacks of ours: what a program tells of its spans arrives, and it answers questions. */
import { assert, describe, it } from "@effect/vitest"
import { withoutLeaks } from "@wirestack/protocol/testing"
import { resources } from "@wirestack/test-support"
import { Context, Effect, Layer, Queue, Stream } from "effect"
import { DevToolsClient, type DevToolsSchema, DevToolsServer } from "effect/devtools"
import { SocketServer } from "effect/socket/SocketServer"
import { stacks } from "./stacks.ts"

type Told = DevToolsSchema.Request.WithoutPing

/** The first of what is told that has a tag, and is it. */
const find = <Tag extends Told["_tag"]>(
  told: Queue.Dequeue<Told>,
  tag: Tag,
  isIt: (request: Extract<Told, { readonly _tag: Tag }>) => boolean = () => true
) =>
  Stream.fromQueue(told).pipe(
    Stream.filter((request): request is Extract<Told, { readonly _tag: Tag }> => request._tag === tag),
    Stream.filter(isIt),
    Stream.runHead,
    Effect.flatMap(Effect.fromOption)
  )

describe("DevTools", () => {
  for (const { ends, name } of stacks) {
    it.live(`over ${name}`, () =>
      withoutLeaks(
        Effect.scoped(Effect.gen(function*() {
          const { client, server } = yield* ends
          const listening = yield* Layer.build(server)
          const told = yield* Queue.unbounded<Told>()
          const questions = yield* Queue.unbounded<DevToolsSchema.Response.WithoutPong>()
          yield* Effect.forkScoped(Effect.provideContext(
            DevToolsServer.run(({ queue, send }) =>
              Effect.raceFirst(
                Effect.forever(Effect.flatMap(Queue.take(queue), (request) => Queue.offer(told, request))),
                Effect.forever(Effect.flatMap(Queue.take(questions), send))
              )
            ),
            listening
          ))
          const { address } = Context.get(listening, SocketServer)
          const program = Effect.gen(function*() {
            yield* Effect.withSpan(Effect.annotateCurrentSpan("answer", 42), "thinking")
            const span = yield* find(told, "Span", ({ status }) => status._tag === "Ended")
            assert.strictEqual(span.name, "thinking")
            assert.strictEqual(span.attributes.get("answer"), 42)
            yield* Queue.offer(questions, { _tag: "MetricsRequest" })
            yield* find(told, "MetricsSnapshot")
          })
          yield* Effect.provide(program, DevToolsClient.layerTracer.pipe(Layer.provide(client(address))))
        })).pipe(Effect.timeout("10 seconds")),
        resources
      ))
  }
})
