/**
 * Two gateways are restarted, killed, and left without Redis, while members talk in one room across both.
 *
 *     npm run gateways
 *     npm run gateways -- --proxy nginx --members 50 --pause 20
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { example } from "../support/processes.ts"
import { isName } from "./balancer.ts"
import { conversation, Failed } from "./conversation.ts"

const { values: { members, pause, proxy } } = parseArgs({
  options: {
    proxy: { type: "string", default: "haproxy" },
    members: { type: "string", default: "20" },
    pause: { type: "string", default: "100" }
  }
})

const start = (redis: string, port: number) =>
  Effect.tap(
    example("run.ts", ["gateway", "--redis", redis, "--port", `${port}`]),
    ({ says }) => says(/serving/, "1 minute")
  )

const program = Effect.gen(function*() {
  if (!isName(proxy)) return yield* new Failed({ message: `there is no ${proxy} here` })
  const options = { proxy, processes: 2, members: Number(members), rooms: 1, pause: Number(pause), start }
  yield* conversation(options, ({ phase, processes, redis }) =>
    Effect.gen(function*() {
      const came = Effect.sleep("1 second")
      const restart = (signal: "SIGTERM" | "SIGKILL") => (process: typeof processes[0]) =>
        Effect.andThen(Effect.andThen(process.end(signal), process.start), came)
      yield* phase("nothing happens", Effect.sleep("3 seconds"))
      yield* phase("both restart, one after the other", Effect.forEach(processes, restart("SIGTERM")))
      yield* phase("one is killed", restart("SIGKILL")(processes[0]))
      yield* phase(
        "Redis is killed",
        Effect.andThen(Effect.andThen(redis.kill, came), Effect.andThen(redis.start, came))
      )
    }))
})

NodeRuntime.runMain(program)
