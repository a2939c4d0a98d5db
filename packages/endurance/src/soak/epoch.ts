/**
 * One epoch: servers, members and strangers, all at once, until it is over; then everybody leaves, and nothing may be left behind.
 * Between two epochs is a quiet point, at which everything can be counted.
 */
import { withoutLeaks } from "@wirestack/protocol/testing"
import { random, resources } from "@wirestack/test-support"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { readdirSync } from "node:fs"
import { Host } from "./Host.ts"
import type { Ledger } from "./Ledger.ts"
import { Member } from "./Member.ts"
import { Room } from "./Room.ts"
import type { Stack } from "./stacks.ts"
import { stranger } from "./strangers.ts"

export interface Load {
  readonly connections: number
  /** How long everybody comes and goes. */
  readonly seconds: number
}

/** How long it may take until everybody has left, in seconds. */
const farewell = 45

/** How long what is closed may take to be gone, in seconds: on a machine with much else to do it is not the next turn. */
const patience = 15

/** Sockets and the like that this process holds, and its descriptors. */
const held = (): number => resources() + readdirSync("/proc/self/fd").length

const until = (holds: () => boolean, seconds: number): Effect.Effect<void> =>
  Effect.suspend(() =>
    holds() || seconds <= 0 ? Effect.void : Effect.andThen(Effect.sleep("50 millis"), until(holds, seconds - 0.05))
  )

/** Now and then a server is drained, and comes back after a while. */
const restarting = (host: Host, random: () => number, over: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (!over()) {
      yield* Effect.sleep(1_000 + random() * 4_000)
      if (!over()) yield* host.restart(random() < 0.5, random() * 500)
    }
  })

const busy = (stacks: ReadonlyArray<Stack>, { connections, seconds }: Load, seed: number, ledger: Ledger) =>
  Effect.gen(function*() {
    const own = (index: number): () => number => random(seed * 1_000_003 + index)
    const room = new Room(ledger)
    const hosts = yield* Effect.forEach(stacks, (stack) => Host.make(stack, seed, room, ledger))
    const until = performance.now() + seconds * 1_000
    const over = () => performance.now() >= until
    const members = Array.from(
      { length: connections },
      (_, index) => new Member(index + 1, hosts[index % hosts.length], ledger, own(index))
    )
    const everybody = [
      ...members.map((member) => member.live(over)),
      ...hosts.map((host, index) => restarting(host, own(-1 - index), over)),
      ...Array.from(
        { length: Math.ceil(connections / 50) },
        (_, index) => stranger(hosts[index % hosts.length], own(-100 - index), over)
      )
    ]
    const ended = yield* Effect.timeoutOption(
      Effect.all(everybody, { concurrency: "unbounded", discard: true }),
      (seconds + farewell) * 1_000
    )
    if (Option.isNone(ended)) return ledger.breaks("somebody has not left")
    for (const { acknowledged, number } of members) {
      const heard = room.heardOf(number)
      if (heard !== acknowledged) {
        ledger.breaks(`member ${number}: ${heard} is known, and ${acknowledged} was acknowledged`)
      }
    }
  })

/** Fails if something is left behind; what else does not hold is in the ledger. */
export const epoch = (stacks: ReadonlyArray<Stack>, load: Load, seed: number, ledger: Ledger): Effect.Effect<void> =>
  Effect.suspend(() => {
    const before = held()
    const all = Effect.andThen(
      Effect.scoped(Effect.orDie(busy(stacks, load, seed, ledger))),
      until(() => held() <= before, patience)
    )
    return Effect.onError(
      Effect.andThen(withoutLeaks(all, held), Effect.sync(() => ledger.settle())),
      () => Effect.sync(() => ledger.breaks(`what is there: ${process.getActiveResourcesInfo().join(", ")}`))
    )
  })

/** What a process makes once and keeps, such as a descriptor in reserve, is made in a small epoch before all others. */
export const warmUp = (stacks: ReadonlyArray<Stack>, ledger: Ledger): Effect.Effect<void> =>
  Effect.scoped(Effect.orDie(busy(stacks, { connections: 10, seconds: 1 }, 0, ledger)))
