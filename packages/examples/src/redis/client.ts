/** A client of Redis. Commands that are run at once, such as by `Effect.all` with `concurrency: "unbounded"`, are pipelined. */
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Inputs } from "@wirestack/protocol/Endpoint"
import * as Transport from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import { Answers } from "../kit/Answers.ts"
import { Feed } from "../kit/Feed.ts"
import { reading } from "../kit/reading.ts"
import { Subscribers } from "../kit/Subscribers.ts"
import { Commands, type RedisInfo } from "./Redis.ts"
import { RedisError } from "./RedisError.ts"
import type { Argument, Command, Incoming } from "./Resp.ts"
import { text, type Value } from "./Value.ts"

const layer = "redis"

/** What was published. */
export interface Published {
  readonly channel: string
  readonly payload: Uint8Array
}

/** Connects. The scope owns the client. */
export const make = Effect.fnUntraced(function*(endpoint: Inputs, options?: Transport.ConnectOptions) {
  const connection = yield* Transport.connect(Commands)<RedisInfo>(endpoint, options)
  const answers = new Answers<Command, Value, RedisError>()
  /** By the kind of the push and what was subscribed to. */
  const subscribers = new Subscribers<Published>()

  const give = (kind: string, values: ReadonlyArray<Value>, size: number): void => {
    const [to] = values
    const [channel, payload] = values.slice(-2)
    const name = `${kind} ${text(to)}`
    subscribers.give((other) => other === name, { channel: text(channel), payload: payload as Uint8Array }, size)
  }

  yield* reading(
    layer,
    connection,
    (incoming: Incoming) =>
      Effect.sync(() => {
        if (incoming._tag === "Push") return give(incoming.kind, incoming.values, incoming.size)
        const { to, value } = incoming
        answers.settle(to, value instanceof RedisError ? Effect.fail(value) : Effect.succeed(value))
      }),
    (error) =>
      Effect.sync(() => {
        answers.fail(error)
        subscribers.fail(error)
      })
  )

  /** Runs a command. An interruption takes nothing back: the server runs it all the same. */
  const run = (...args: readonly [string, ...ReadonlyArray<Argument>]): Effect.Effect<
    Value,
    ConnectionError | RedisError
  > =>
    Effect.suspend(() => {
      const command: Command = { args }
      return answers.to(command, connection.send(command))
    })

  const subscription = (prefix: "" | "p") =>
    Effect.fnUntraced(function*(name: string, maxWaiting?: number) {
      const key = `${prefix}message ${name}`
      const feed = yield* Feed.make<Published>(layer, maxWaiting)
      subscribers.add(key, feed)
      yield* Effect.addFinalizer(() =>
        subscribers.remove(key, feed) ? Effect.ignore(run(`${prefix}unsubscribe`, name)) : Effect.void
      )
      yield* run(`${prefix}subscribe`, name)
      return feed.stream
    })

  return {
    connection,
    run,
    /** Subscribes to a channel for as long as the scope is open. Who is behind by more than `maxWaiting` bytes is told so with an error. */
    subscribe: subscription(""),
    /** The same for all channels of a pattern, such as `news.*`. */
    subscribePattern: subscription("p")
  }
})
