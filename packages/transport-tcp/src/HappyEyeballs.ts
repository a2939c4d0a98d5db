/**
 * Happy Eyeballs, version 2 (RFC 8305): the first of a host's addresses that connects, without long waits for those that don't answer.
 *
 *     AAAA ---------------------.              whichever answers first; for AAAA there are 50 ms more
 *     A ------.  50 ms  .       :
 *             :         v4 -----:------------------------> cancelled
 *             :         250 ms  : v6 -----> connected
 *
 * The contract:
 *
 * - The families are looked up at once. The most wanted one is waited for, `resolutionDelay` longer than for another.
 * - Addresses are tried in the order of their answer, the families in turns. An attempt begins when the last one has failed, or
 *   `attemptDelay` after it; those before go on.
 * - The first to connect wins. The others are cancelled; what had connected already is closed.
 * - When the time is up, or no address is left, the failure says what became of each. An interruption leaves nothing.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8305
 */
import type { ConnectReason } from "@wirestack/protocol/ConnectError"
import { Other } from "@wirestack/protocol/Reason"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { Mailbox } from "./internal/Mailbox.ts"
import { Order, type Paces } from "./internal/Order.ts"

/** How long to wait for what. */
export interface Timing {
  /** How much longer to wait for the most wanted family than for another; 50 ms by default. */
  readonly resolutionDelay: Duration.Input
  /** When to try another address beside the last one; 250 ms by default, and at least 10. */
  readonly attemptDelay: Duration.Input
  /** How many addresses of the most wanted family come before one of another; 1 by default. */
  readonly firstFamilyCount: number
}

/** The times the RFC recommends. */
export const recommended: Timing = {
  resolutionDelay: "50 millis",
  attemptDelay: "250 millis",
  firstFamilyCount: 1
}

/** Attempts must not follow one another faster than this, whatever is asked for: section 5. */
const minAttemptDelay = 10

const pacesOf = (timing: Partial<Timing> | undefined): Paces => {
  const { attemptDelay, firstFamilyCount, resolutionDelay } = { ...recommended, ...timing }
  return {
    resolutionDelay: Duration.toMillis(resolutionDelay),
    attemptDelay: Math.max(minAttemptDelay, Duration.toMillis(attemptDelay)),
    firstFamilyCount
  }
}

/** An address that was tried. */
export interface Attempt<Address> {
  readonly address: Address
  /** Milliseconds from the beginning until it was tried. */
  readonly after: number
  /** Milliseconds until it connected, failed, or was cancelled. */
  readonly took: number
  /** Why it failed; undefined if it connected or was cancelled. */
  readonly reason: ConnectReason | undefined
}

/** The answer of a family, and what came of it. */
export interface Lookup {
  /** Milliseconds it took; until it was cancelled, if it was. */
  readonly took: number
  readonly count: number
  readonly reason: ConnectReason | undefined
}

/** What came of all attempts. */
export interface Course<Address> {
  /** As they were given. */
  readonly lookups: ReadonlyArray<Lookup>
  /** In the order in which they began. */
  readonly attempts: ReadonlyArray<Attempt<Address>>
}

/** What to race. */
export interface Race<Address, A> {
  /** The families, the most wanted one first. */
  readonly lookups: ReadonlyArray<Effect.Effect<ReadonlyArray<Address>, ConnectReason>>
  readonly connect: (address: Address) => Effect.Effect<A, ConnectReason>
  /** Closes what has connected and is not wanted. */
  readonly close: (connected: A) => void
  readonly timing?: Partial<Timing>
  /** The time for all of it. */
  readonly within: Duration.Input
}

/** What has connected, and how that went. */
export interface Reached<Address, A> {
  readonly address: Address
  readonly connected: A
  readonly course: Course<Address>
}

/** Nothing has connected. */
export interface Failure<Address> {
  readonly course: Course<Address>
  /** The time was up. */
  readonly late: boolean
}

/** What lookups and attempts tell. */
type Event<Address, A> =
  | {
    readonly _tag: "Answered"
    readonly family: number
    readonly exit: Exit.Exit<ReadonlyArray<Address>, ConnectReason>
  }
  | { readonly _tag: "Ended"; readonly attempt: number; readonly exit: Exit.Exit<A, ConnectReason> }

const reasonOf = (cause: Cause.Cause<ConnectReason>): ConnectReason => {
  const error = Cause.findError(cause)
  return Result.isSuccess(error) ? error.success : new Other({ cause: Cause.squash(cause) })
}

/** One race, under way. */
class Running<Address, A> {
  reached: Omit<Reached<Address, A>, "course"> | undefined = undefined
  private readonly race: Race<Address, A>
  private readonly order: Order<Address>
  private readonly now: () => number
  private readonly started: number
  private readonly within: number
  private readonly mail = new Mailbox<Event<Address, A>>()
  private readonly fibers: Array<Fiber.Fiber<void>> = []
  private readonly lookups: Array<Lookup | undefined>
  private readonly begun: Array<{ readonly address: Address; readonly at: number }> = []
  private readonly ended: Array<Pick<Attempt<Address>, "took" | "reason"> | undefined> = []

  constructor(race: Race<Address, A>, now: () => number) {
    this.race = race
    this.now = now
    this.started = now()
    this.order = new Order(race.lookups.length, pacesOf(race.timing))
    this.within = Duration.toMillis(race.within)
    this.lookups = race.lookups.map(() => undefined)
  }

  private get elapsed(): number {
    return this.now() - this.started
  }

  /** Runs beside the others, and tells how it ended, whatever happens. */
  private fork<B>(
    effect: Effect.Effect<B, ConnectReason>,
    event: (exit: Exit.Exit<B, ConnectReason>) => Event<Address, A>
  ): Effect.Effect<void> {
    const told = Effect.flatMap(
      Effect.exit(Effect.interruptible(effect)),
      (exit) => Effect.sync(() => this.mail.put(event(exit)))
    )
    return Effect.map(Effect.forkChild(told, { startImmediately: true }), (fiber) => {
      this.fibers.push(fiber)
    })
  }

  readonly lookUp: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      this.race.lookups,
      (lookup, family) => this.fork(lookup, (exit) => ({ _tag: "Answered", family, exit })),
      { discard: true }
    )
  )

  /** Tries every address whose time has come. */
  readonly attempt: Effect.Effect<void> = Effect.suspend(() => {
    const address = this.order.next(this.elapsed)
    if (address === undefined) return Effect.void
    const attempt = this.begun.push({ address, at: this.elapsed }) - 1
    return Effect.andThen(
      this.fork(this.race.connect(address), (exit) => ({ _tag: "Ended", attempt, exit })),
      this.attempt
    )
  })

  /** Takes notice of what has happened. */
  notice(): void {
    for (const event of this.mail.take()) {
      if (event._tag === "Answered") this.answered(event.family, event.exit)
      else this.finished(event.attempt, event.exit)
    }
  }

  private answered(family: number, exit: Exit.Exit<ReadonlyArray<Address>, ConnectReason>): void {
    const addresses = Exit.isSuccess(exit) ? exit.value : []
    const reason = Exit.isSuccess(exit) ? undefined : reasonOf(exit.cause)
    this.lookups[family] = { took: this.elapsed, count: addresses.length, reason }
    this.order.answered(family, addresses, this.elapsed)
  }

  private finished(attempt: number, exit: Exit.Exit<A, ConnectReason>): void {
    if (Exit.isFailure(exit)) this.order.failed()
    else if (this.reached !== undefined) return this.race.close(exit.value)
    else this.reached = { address: this.begun[attempt].address, connected: exit.value }
    const reason = Exit.isSuccess(exit) ? undefined : reasonOf(exit.cause)
    this.ended[attempt] = { took: this.elapsed - this.begun[attempt].at, reason }
  }

  get late(): boolean {
    return this.elapsed >= this.within
  }

  get over(): boolean {
    return this.order.over
  }

  /** Waits until something happens, or the time for something has come. */
  readonly wait: Effect.Effect<void> = Effect.suspend(() => {
    const millis = Math.max(0, Math.ceil(Math.min(this.order.time, this.within) - this.elapsed))
    const alarm = Effect.andThen(Effect.sleep(millis), Effect.sync(() => this.mail.ring()))
    return Effect.flatMap(
      Effect.forkChild(alarm, { startImmediately: true }),
      (alarm) => Effect.ensuring(this.mail.rung, Effect.sync(() => alarm.interruptUnsafe()))
    )
  })

  /** Cancels what is under way, and closes what has connected meanwhile. */
  readonly cancel: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(
      Fiber.interruptAll(this.fibers),
      Effect.sync(() => {
        for (const event of this.mail.take()) {
          if (event._tag === "Ended" && Exit.isSuccess(event.exit)) this.race.close(event.exit.value)
        }
      })
    )
  )

  get course(): Course<Address> {
    const { elapsed } = this
    return {
      lookups: this.lookups.map((lookup) => lookup ?? { took: elapsed, count: 0, reason: undefined }),
      attempts: this.begun.map(({ address, at }, n) => ({
        address,
        after: at,
        ...this.ended[n] ?? { took: elapsed - at, reason: undefined }
      }))
    }
  }
}

/** Runs a race, and has what it reaches taken by `use`; that can't be interrupted. */
export const run = <Address, A, B, E, R>(
  race: Race<Address, A>,
  use: (reached: Reached<Address, A>) => Effect.Effect<B, E, R>
): Effect.Effect<B, E | Failure<Address>, R> =>
  Effect.flatMap(Clock.Clock, (clock) =>
    Effect.uninterruptibleMask((restore) => {
      const running = new Running(race, () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
      const step: Effect.Effect<Reached<Address, A>, Failure<Address>> = Effect.suspend(() => {
        running.notice()
        if (running.reached !== undefined) return Effect.succeed({ ...running.reached, course: running.course })
        if (running.over || running.late) return Effect.fail({ course: running.course, late: !running.over })
        return Effect.andThen(running.attempt, Effect.andThen(restore(running.wait), step))
      })
      return Effect.flatMap(Effect.onExit(Effect.andThen(running.lookUp, step), () => running.cancel), use)
    }))
