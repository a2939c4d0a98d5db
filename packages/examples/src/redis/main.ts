/**
 * Runs a command, or listens to a channel, over whatever the URL says.
 *
 *     npm run example -- redis tcp://localhost:6379 set greeting hello
 *     npm run example -- redis unix:/run/redis/redis.sock --subscribe news
 *     npm run example -- redis tls://localhost:6380 --ca ca.pem --password secret get greeting
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { inspect, parseArgs } from "node:util"
import { bytes, trusting } from "../kit/stack.ts"
import { options } from "../runProgram.ts"
import * as Client from "./client.ts"
import * as Redis from "./Redis.ts"
import { text, type Value } from "./Value.ts"

const parse = (args: ReadonlyArray<string>) => {
  const { positionals: [url, name, ...rest], values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      subscribe: { type: "string" },
      user: { type: "string" },
      password: { type: "string" },
      ca: { type: "string" }
    }
  })
  if (url === undefined) throw new Error("redis takes a URL")
  if ((name === undefined) === (values.subscribe === undefined)) {
    throw new Error("redis takes a command or --subscribe CHANNEL")
  }
  return { ...values, url, name, rest }
}

type Asked = ReturnType<typeof parse>

const show = (value: Value): string =>
  value instanceof Uint8Array || typeof value === "string" ? text(value) : inspect(value)

const run = Effect.fnUntraced(function*({ name, rest, subscribe, url }: Asked) {
  const client = yield* Client.make(url)
  if (subscribe === undefined) return yield* Console.log(show(yield* client.run(name, ...rest)))
  const messages = yield* client.subscribe(subscribe)
  yield* Console.log(`subscribed to ${subscribe}`)
  yield* Stream.runForEach(messages, ({ channel, payload }) => Console.log(`${channel} ${text(payload)}`))
}, Effect.scoped)

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const asked = yield* options(() => parse(args))
  const { password, url, user } = asked
  const trust = yield* trusting(asked.ca)
  const redis = Redis.over({
    ...user !== undefined && { username: user },
    ...password !== undefined && { password: Redacted.make(password) }
  })
  return yield* Effect.provide(run(asked), redis(bytes(url, trust)))
})
