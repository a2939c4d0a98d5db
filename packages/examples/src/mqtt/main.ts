/**
 * Publishes and subscribes, over whatever the URL says.
 *
 *     npm run example -- mqtt tcp://localhost:1883 weather/+ --subscribe
 *     npm run example -- mqtt wss://localhost:8884 weather/here --publish sunny --qos 2 --ca ca.pem
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { QoS } from "mqtt-packet"
import { parseArgs } from "node:util"
import { bytes, trusting } from "../kit/stack.ts"
import { options } from "../runProgram.ts"
import * as Client from "./client.ts"
import * as Mqtt from "./Mqtt.ts"

const parse = (args: ReadonlyArray<string>) => {
  const { positionals: [url, topic, ...more], values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      publish: { type: "string" },
      subscribe: { type: "boolean", default: false },
      qos: { type: "string", default: "0" },
      version: { type: "string", default: "5" },
      user: { type: "string" },
      password: { type: "string" },
      ca: { type: "string" }
    }
  })
  if (topic === undefined || more.length > 0) throw new Error("mqtt takes a URL and a topic")
  if (values.subscribe === (values.publish !== undefined)) throw new Error("mqtt takes --subscribe or --publish TEXT")
  if (!/^[0-2]$/.test(values.qos)) throw new Error("--qos is 0, 1 or 2")
  if (!["4", "5"].includes(values.version)) throw new Error("--version is 4, which is 3.1.1, or 5")
  return { ...values, url, topic, qos: Number(values.qos) as QoS, version: Number(values.version) as 4 | 5 }
}

type Asked = ReturnType<typeof parse>

const run = Effect.fnUntraced(function*({ publish, qos, topic, url }: Asked) {
  const client = yield* Client.make(url)
  if (publish !== undefined) return yield* client.publish(topic, publish, { qos })
  const messages = yield* client.subscribe(topic, qos)
  yield* Console.log(`subscribed to ${topic}`)
  yield* Stream.runForEach(messages, ({ payload, topic }) => Console.log(`${topic} ${payload.toString()}`))
}, Effect.scoped)

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const asked = yield* options(() => parse(args))
  const { password, url, user, version } = asked
  const trust = yield* trusting(asked.ca)
  const mqtt = Mqtt.over({
    version,
    ...user !== undefined && { username: user },
    ...password !== undefined && { password: Redacted.make(password) }
  })
  return yield* Effect.provide(run(asked), mqtt(bytes(url, trust)))
})
