/**
 * Publishes, subscribes, and asks, over whatever the URL says.
 *
 *     npm run example -- nats tcp://localhost:4222 news --subscribe
 *     npm run example -- nats ws://localhost:8080/ news --publish "it works"
 *     npm run example -- nats tcp://localhost:4222 time --answer noon
 *     npm run example -- nats ws://localhost:8080/ time --request "what is it?"
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { parseArgs } from "node:util"
import { bytes } from "../kit/stack.ts"
import { options } from "../runProgram.ts"
import * as Client from "./client.ts"
import * as Nats from "./Nats.ts"
import type { Msg } from "./Operation.ts"

const parse = (args: ReadonlyArray<string>) => {
  const { positionals: [url, subject, ...more], values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      subscribe: { type: "boolean", default: false },
      publish: { type: "string" },
      answer: { type: "string" },
      request: { type: "string" },
      queue: { type: "string" },
      user: { type: "string" },
      password: { type: "string" }
    }
  })
  if (subject === undefined || more.length > 0) throw new Error("nats takes a URL and a subject")
  const { answer, publish, request, subscribe } = values
  if ([subscribe || undefined, publish, answer, request].filter((one) => one !== undefined).length !== 1) {
    throw new Error("nats takes one of --subscribe, --publish TEXT, --answer TEXT and --request TEXT")
  }
  return { ...values, url, subject }
}

type Asked = ReturnType<typeof parse>

const show = ({ payload, subject }: Msg) => Console.log(`${subject} ${Buffer.from(payload).toString()}`)

const run = Effect.fnUntraced(function*({ answer, publish, queue, request, subject, url }: Asked) {
  const client = yield* Client.make(url)
  if (publish !== undefined) return yield* Effect.andThen(client.publish(subject, publish), client.flush)
  if (request !== undefined) return yield* Effect.flatMap(client.request(subject, request), show)
  const messages = yield* client.subscribe(subject, queue === undefined ? {} : { queue })
  yield* Console.log(`subscribed to ${subject}`)
  yield* Stream.runForEach(messages, (message) =>
    answer === undefined || message.reply === undefined
      ? show(message)
      : Effect.andThen(show(message), client.publish(message.reply, answer)))
}, Effect.scoped)

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const asked = yield* options(() => parse(args))
  const { password, url, user } = asked
  const nats = Nats.over({
    ...user !== undefined && { username: user },
    ...password !== undefined && { password: Redacted.make(password) }
  })
  return yield* Effect.provide(run(asked), nats(bytes(url)))
})
