/**
 * Members of rooms talk by way of processes behind a load balancer, to which things happen meanwhile.
 *
 * What must hold: all members of a room hear the same in the same order, without a hole, and everything that was said once, whatever
 * happened. It prints how long members were without their room, and how long what is said takes to be heard.
 */
import { type RedisServer, redisServer } from "@wirestack/test-support"
import { Console, Data, Effect, type Scope } from "effect"
import { freePorts } from "../peers/support.ts"
import type { Running } from "../support/processes.ts"
import { balancer, type Name } from "./balancer.ts"
import { check, figures } from "./figures.ts"
import { Speaker } from "./Speaker.ts"
import { stack } from "./stack.ts"

export class Failed extends Data.TaggedError("Failed")<{ readonly message: string }> {}

export interface Options<E> {
  readonly proxy: Name
  readonly processes: number
  readonly members: number
  readonly rooms: number
  /** Milliseconds between what one member says. */
  readonly pause: number
  /** Starts a process that serves at a port, and waits until it does. */
  readonly start: (redis: string, port: number) => Effect.Effect<Running, E, Scope.Scope>
}

/** A process, which may be replaced. */
export interface Process<E> {
  readonly end: (signal: "SIGTERM" | "SIGKILL") => Effect.Effect<void, Failed>
  readonly start: Effect.Effect<void, E, Scope.Scope>
}

/** To whom things happen. */
export interface Scene<E> {
  readonly redis: RedisServer
  readonly processes: ReadonlyArray<Process<E>>
  /** Something happens. It is over when everybody is in a room again, and hears what is said then. */
  readonly phase: <E2>(
    name: string,
    happens: Effect.Effect<unknown, E2, Scope.Scope>
  ) => Effect.Effect<void, E2 | Failed, Scope.Scope>
}

const until = (what: string, holds: () => boolean) =>
  Effect.repeat(Effect.sleep("10 millis"), { until: holds }).pipe(
    Effect.timeoutOrElse({
      duration: "30 seconds",
      orElse: () => Effect.fail(new Failed({ message: `it is not so: ${what}` }))
    })
  )

const started = Effect.fnUntraced(function*<E>(start: Effect.Effect<Running, E, Scope.Scope>) {
  let running = yield* start
  const process: Process<E> = {
    end: Effect.fnUntraced(function*(signal) {
      yield* running.kill(signal)
      const code = yield* running.exit
      const expected = signal === "SIGTERM" ? 0 : signal
      if (code !== expected) return yield* new Failed({ message: `a process ended with ${code}: ${running.stderr()}` })
    }),
    start: Effect.map(start, (again) => void (running = again))
  }
  return process
})

export const conversation = Effect.fnUntraced(
  function*<E, E2>(
    { members, pause, processes: count, proxy, rooms, start }: Options<E>,
    play: (scene: Scene<E>) => Effect.Effect<void, E2, Scope.Scope>
  ) {
    const redis = yield* redisServer
    const ports = yield* freePorts(1 + count)
    const [front, ...backs] = ports
    const processes = yield* Effect.forEach(backs, (port) => started(start(redis.url, port)), {
      concurrency: "unbounded"
    })
    yield* balancer(proxy, ports)
    const speakers = Array.from({ length: members }, (_, n) => new Speaker(`member ${n}`, `room ${n % rooms}`))
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

    yield* play({
      redis,
      processes,
      phase: Effect.fnUntraced(function*(name, happens) {
        for (const { latencies, outages } of speakers) latencies.length = outages.length = 0
        yield* happens
        const said = speakers.map((speaker) => speaker.said)
        yield* everybody("is in", ({ isIn }) => isIn)
        yield* until("everybody hears", () => speakers.every(({ acknowledged }, n) => acknowledged >= said[n]))
        yield* Console.log(figures(name, speakers))
      })
    })

    talking = false
    yield* everybody("has heard itself", ({ isCalm }) => isCalm)
    const last = (room: string) => Math.max(...speakers.map((speaker) => speaker.room === room ? speaker.at : 0))
    yield* everybody("has heard all", ({ at, room }) => at === last(room))
    const faults = check(speakers)
    yield* Effect.forEach(faults.slice(0, 20), (fault) => Console.error(fault))
    const messages = speakers.reduce((sum, { said }) => sum + said, 0)
    const moves = speakers.reduce((sum, { codes }) => sum + codes.length, 0)
    const told = speakers.reduce((sum, { codes }) => sum + codes.filter((code) => code === 1012).length, 0)
    yield* Console.log(
      `${members} members of ${rooms} rooms said ${messages} messages; ${moves} connections ended, ${told} of them with 1012; ` +
        `${faults.length} faults`
    )
    if (faults.length > 0) return yield* new Failed({ message: `${faults.length} faults` })
  },
  Effect.scoped
)
