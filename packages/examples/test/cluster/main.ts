/**
 * Three processes of a cluster, in each of which some of the rooms live and some of the members are connected: one is killed, one is
 * replaced, while members talk in rooms across all.
 *
 *     npm run cluster
 *     npm run cluster -- --members 50 --rooms 20 --pause 50
 */
import { NodeRuntime } from "@effect/platform-node"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Effect, Redacted } from "effect"
import { parseArgs } from "node:util"
import { conversation } from "../gateways/conversation.ts"
import { folder, freePorts, write } from "../peers/support.ts"
import { example } from "../support/processes.ts"

const { values: { members, pause, rooms } } = parseArgs({
  options: {
    members: { type: "string", default: "24" },
    rooms: { type: "string", default: "12" },
    pause: { type: "string", default: "200" }
  }
})

/** A folder with an authority, and a certificate that it has issued. */
const certificates = Effect.gen(function*() {
  const { ca, issue } = yield* DevelopmentCertificates.make()
  const { certificate, key } = yield* issue()
  const directory = yield* folder("cluster")
  write(directory, "ca.pem", ca)
  write(directory, "certificate.pem", certificate)
  write(directory, "key.pem", Redacted.value(key))
  return directory
})

const program = Effect.gen(function*() {
  const directory = yield* certificates
  const start = Effect.fnUntraced(function*(redis: string, port: number) {
    const [runner] = yield* freePorts(1)
    const where = ["--certificates", directory, "--redis", redis]
    const process = yield* example("run.ts", ["cluster", ...where, "--port", `${port}`, "--runner", `${runner}`])
    yield* process.says(/serving/, "1 minute")
    return process
  })
  const options = {
    proxy: "haproxy",
    processes: 3,
    members: Number(members),
    rooms: Number(rooms),
    pause: Number(pause),
    start
  } as const
  yield* conversation(options, ({ phase, processes: [one, other] }) =>
    Effect.gen(function*() {
      yield* phase("nothing happens", Effect.sleep("3 seconds"))
      yield* phase("one is killed", Effect.andThen(one.end("SIGKILL"), Effect.sleep("1 second")))
      yield* phase("it is there again", Effect.andThen(one.start, Effect.sleep("3 seconds")))
      yield* phase("another one restarts", Effect.andThen(other.end("SIGTERM"), other.start))
    }))
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
