/** Connections of a page that outlive those that carry them. */
import * as Connection from "@wirestack/protocol/Connection"
import { Reconnection } from "@wirestack/protocol/resilience/Reconnection"
import * as Resume from "@wirestack/protocol/resilience/Resume"
import * as Codec from "@wirestack/protocol/typed/Codec"
import { BrowserWebSocket, Page } from "@wirestack/websocket/browser"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Counter } from "./Counter.ts"

interface Count {
  readonly url: string
  readonly to: number
  readonly options?: BrowserWebSocket.Options
}

/** Counts in a session, and gives the answers, and how often it was connected. */
export const counted = ({ options, to, url }: Count) =>
  Effect.gen(function*() {
    const connection = yield* Counter.connect<Resume.Session | Reconnection>(url)
    let connections = 0
    const { changes } = Connection.detail(connection, Reconnection)
    yield* Effect.forkScoped(
      Stream.runForEach(changes, ({ _tag }) => Effect.sync(() => _tag === "Ready" && connections++))
    )
    const numbers = Array.from({ length: to }, (_, n) => n + 1)
    yield* Effect.forkChild(
      Effect.forEach(numbers, (n) => Effect.andThen(connection.send(n), Effect.sleep("2 millis")), { discard: true })
    )
    const answers: Array<number> = []
    while (answers.length < to) answers.push(...yield* connection.pull)
    return { answers, connections }
  }).pipe(
    Effect.scoped,
    Effect.provide(
      BrowserWebSocket.layer(options).pipe(
        Resume.client({ schedule: Schedule.spaced("20 millis") }),
        Counter.over(Codec.json())
      )
    ),
    Effect.runPromise
  )

const scope = Scope.makeUnsafe()
const seen: Array<string> = []

/** Has a connection that comes back only when the page has a reason to believe in it. */
export const survive = ({ options, url }: Omit<Count, "to">): Promise<void> =>
  Effect.gen(function*() {
    const connection = yield* Connection.resilient(Counter.connect(url), { schedule: Schedule.spaced("1 hour") })
    const { changes, restart } = Connection.detail(connection, Reconnection)
    yield* Page.onReturn(restart)
    yield* Effect.forkScoped(Stream.runForEach(changes, ({ _tag }) => Effect.sync(() => void seen.push(_tag))))
  }).pipe(
    Scope.provide(scope),
    Effect.provide(Counter.over(Codec.json())(BrowserWebSocket.layer(options))),
    Effect.runPromise
  )

/** The states of that connection so far. */
export const states = (_: null): Promise<ReadonlyArray<string>> => Promise.resolve(seen)
