/**
 * Two gateways behind a load balancer are restarted, killed, and left without Redis, while members talk in one room across both.
 *
 *     npm run gateways
 *     npm run gateways -- --proxy nginx --members 50 --pause 20
 *
 * What must hold: all members hear the same in the same order, without a hole, and everything that was said once, whatever happened
 * meanwhile. It prints how long a member was without a room, and how long what is said takes to be heard.
 */
import { NodeRuntime } from "@effect/platform-node"
import { redisServer } from "@wirestack/test-support"
import { Console, Data, Effect, type Scope } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { folder, freePorts } from "../peers/support.ts"
import { example, run, type Running } from "../support/processes.ts"
import { check, figures } from "./figures.ts"
import { Speaker } from "./Speaker.ts"
import { stack } from "./stack.ts"

const { values } = parseArgs({
  options: {
    proxy: { type: "string", default: "haproxy" },
    members: { type: "string", default: "20" },
    pause: { type: "string", default: "100" }
  }
})
const proxy = values.proxy as "haproxy" | "nginx"
const members = Number(values.members)
const pause = Number(values.pause)

class Failed extends Data.TaggedError("Failed")<{ readonly message: string }> {}

const configurations = { haproxy: "haproxy.cfg", nginx: "nginx.conf" }

/** The load balancer, by the configuration of the example, on ports of our own. */
const balancer = Effect.fnUntraced(function*(ports: ReadonlyArray<number>) {
  const directory = yield* folder(proxy)
  const source = path.resolve(import.meta.dirname, "../../src/gateway", configurations[proxy])
  const text = fs.readFileSync(source, "utf8").replaceAll(/808(\d)/g, (_, n) => String(ports[Number(n)]))
  const file = path.join(directory, configurations[proxy])
  fs.writeFileSync(file, text)
  return yield* proxy === "haproxy"
    ? run("haproxy", ["-db", "-f", file])
    : run("nginx", ["-c", file, "-p", directory, "-g", "daemon off; pid nginx.pid; error_log stderr; user root;"])
})

/** A gateway, which may be replaced. */
interface Gateway {
  process: Running
  readonly port: number
}

const gateway = (redis: string, port: number) =>
  Effect.tap(
    example("run.ts", ["gateway", "--redis", redis, "--port", String(port)]),
    ({ says }) => says(/serving/)
  )

const until = (what: string, holds: () => boolean) =>
  Effect.repeat(Effect.sleep("10 millis"), { until: holds }).pipe(
    Effect.timeoutOrElse({
      duration: "30 seconds",
      orElse: () => Effect.fail(new Failed({ message: `it is not so: ${what}` }))
    })
  )

const program = Effect.gen(function*() {
  const redis = yield* redisServer
  const ports = yield* freePorts(3)
  const [front, ...backs] = ports
  const replace = (one: Gateway) => Effect.map(gateway(redis.url, one.port), (process) => void (one.process = process))
  const gateways = yield* Effect.forEach(
    backs,
    (port) => Effect.map(gateway(redis.url, port), (process): Gateway => ({ port, process })),
    { concurrency: "unbounded" }
  )
  yield* balancer(ports)
  const speakers = Array.from({ length: members }, (_, n) => new Speaker(`member ${n}`, "sea"))
  const everybody = (what: string, holds: (speaker: Speaker) => boolean) =>
    until(`everybody ${what}`, () => speakers.every(holds))
  for (const speaker of speakers) {
    yield* Effect.forkScoped(Effect.provide(speaker.visit(`ws://127.0.0.1:${front}/chat`), stack()))
  }
  yield* everybody("is in", ({ isIn }) => isIn)
  let talking = true
  const talk = (speaker: Speaker) =>
    Effect.whileLoop({
      while: () => talking,
      body: () => Effect.andThen(speaker.say, Effect.sleep(pause * (0.5 + Math.random()))),
      step: () => {}
    })
  for (const speaker of speakers) yield* Effect.forkScoped(talk(speaker))

  /** Something that happens while they talk, and what it was like. */
  const phase = Effect.fnUntraced(function*<E>(name: string, happens: Effect.Effect<unknown, E, Scope.Scope>) {
    for (const { latencies, outages } of speakers) latencies.length = outages.length = 0
    yield* happens
    yield* everybody("is in", ({ isIn }) => isIn)
    const { said } = speakers[0]
    yield* until("they are heard", () => speakers[0].heard.some(({ key }) => key === `${speakers[0].name} ${said}`))
    yield* Console.log(figures(name, speakers))
  })
  const came = Effect.sleep("1 second")

  yield* phase("nothing happens", Effect.sleep("3 seconds"))
  yield* phase(
    "both restart, one after the other",
    Effect.forEach(gateways, (one) =>
      Effect.gen(function*() {
        yield* one.process.kill("SIGTERM")
        const code = yield* one.process.exit
        if (code !== 0) return yield* new Failed({ message: `a gateway ended with ${code}` })
        yield* replace(one)
        yield* came
      }))
  )
  yield* phase(
    "one is killed",
    Effect.gen(function*() {
      yield* gateways[0].process.kill("SIGKILL")
      yield* gateways[0].process.exit
      yield* came
      yield* replace(gateways[0])
      yield* came
    })
  )
  yield* phase(
    "Redis is killed",
    Effect.gen(function*() {
      yield* redis.kill
      yield* came
      yield* redis.start
      yield* came
    })
  )
  talking = false
  yield* everybody("has heard itself", ({ isCalm }) => isCalm)
  const last = Math.max(...speakers.map(({ at }) => at))
  yield* everybody("has heard all", ({ at }) => at === last)
  for (const fault of check(speakers)) yield* Console.error(fault)
  const faults = check(speakers).length
  yield* Console.log(`${members} members, ${last} messages, each heard by all in one order; ${faults} faults`)
  if (faults > 0) return yield* new Failed({ message: `${faults} faults` })
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
