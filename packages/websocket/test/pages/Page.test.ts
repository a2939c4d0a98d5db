import { assert, describe, it } from "@effect/vitest"
import { Page } from "@wirestack/websocket/browser"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { globally, Target } from "./fakes.ts"

class FakeDocument extends Target {
  visibilityState = "hidden"
}

/** The events of a page, and how many of its listeners are left. */
const page = Effect.gen(function*() {
  const window = new Target()
  const document = new FakeDocument()
  const navigator = { onLine: true }
  yield* globally("addEventListener", window.addEventListener.bind(window))
  yield* globally("removeEventListener", window.removeEventListener.bind(window))
  yield* globally("document", document)
  yield* globally("navigator", navigator)
  return { window, document, navigator, listened: () => window.listened + document.listened }
})

/** Lets other fibers go on. */
const turns = Effect.promise(() => new Promise<void>((done) => setImmediate(done)))

describe("a page", () => {
  it.effect("knows the URL of a WebSocket at its own host", () =>
    Effect.gen(function*() {
      yield* globally("location", { href: "https://chat.example:8443/rooms/sea?id=1#top" })
      assert.strictEqual(Page.endpoint(), "wss://chat.example:8443/")
      assert.strictEqual(Page.endpoint("/chat?v=1"), "wss://chat.example:8443/chat?v=1")
      assert.strictEqual(Page.endpoint("chat"), "wss://chat.example:8443/rooms/chat")
      yield* globally("location", { href: "http://localhost/" })
      assert.strictEqual(Page.endpoint("#x"), "ws://localhost/")
    }))

  it.effect("tells whether there is a network", () =>
    Effect.gen(function*() {
      const { listened, navigator, window } = yield* page
      const seen: Array<boolean> = []
      const watching = yield* Effect.forkChild(
        Stream.runForEach(Page.online, (online) => Effect.sync(() => void seen.push(online)))
      )
      yield* turns
      for (const [type, onLine] of [["offline", false], ["online", true]] as const) {
        navigator.onLine = onLine
        window.happens(type)
        yield* turns
      }
      assert.deepStrictEqual(seen, [true, false, true])
      yield* Fiber.interrupt(watching)
      assert.strictEqual(listened(), 0)
    }))

  it.effect("has something done whenever it is back", () =>
    Effect.gen(function*() {
      const { document, listened, window } = yield* page
      let restarts = 0
      const expect = (count: number) =>
        Effect.gen(function*() {
          const before = restarts
          yield* TestClock.adjust("99 millis")
          yield* turns
          assert.strictEqual(restarts, before)
          yield* TestClock.adjust("1 millis")
          yield* turns
          assert.strictEqual(restarts, count)
        })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Page.onReturn(Effect.sync(() => void restarts++))
        yield* expect(0)
        window.happens("online")
        yield* turns
        yield* expect(1)
        window.happens("pageshow", { persisted: false })
        document.happens("visibilitychange")
        yield* expect(1)
        window.happens("pageshow", { persisted: true })
        yield* expect(2)
        document.visibilityState = "visible"
        document.happens("visibilitychange")
        yield* expect(3)
      }))
      assert.strictEqual(listened(), 0)
    }))

  it.effect("elsewhere there are no such moments", () =>
    Effect.gen(function*() {
      yield* globally("navigator", undefined)
      yield* Page.onReturn(Effect.die("never"))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(Page.online, 1)), [true])
    }))
})
