/**
 * A topic: what is published is sent to all connections that have joined, and a slow one is no matter of the others.
 *
 *     publish --+--> encode once --+--> member: room, written at once
 *               |                  +--> member: no room, waits in its outbox, up to its bounds
 *               |                  +--> member: beyond them, its policy decides
 *               +--> waits only for members whose policy is to suspend
 *
 * The contract:
 *
 * - **Publish** gives a message to all members in one step, or waits and has given it to none: so it is safe to interrupt. Publishers take turns
 *   in the order in which they came. What is published in one turn leaves each connection in one piece.
 * - **Order.** A member receives what is published while it is one, in its order. What others send on the connection goes in between: who waits
 *   for room there takes turns, a message each.
 * - **Encoding.** A message is encoded once for all members of a codec, and framed once for all WebSockets of a server; only what differs from
 *   connection to connection (a mask, a compression that remembers) is made for each. It must not be modified after `publish`.
 * - **Membership** ends with its scope or with the connection, whichever is first. What waits then is given up, and counted as `unsent` in the
 *   `Outcome` of the connection, with what it has missed and was not told of yet.
 * - **Bounds.** What waits is bounded for each member (`Policy`), and for all together (`Budget`). A connection itself holds no more than it does
 *   for others: 64 KiB, and what the system takes.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Loan from "../bytes/Loan.ts"
import type { Connection } from "../Connection.ts"
import type { ConnectionError } from "../ConnectionError.ts"
import { type Host, Member } from "../internal/fanout/Member.ts"
import type { Outbox } from "../internal/fanout/Outbox.ts"
import { Parcel } from "../internal/fanout/Parcel.ts"
import type { LiveConnection } from "../internal/LiveConnection.ts"
import { errorOf } from "../internal/Stage.ts"
import * as Budget from "./Budget.ts"
import * as Policy from "./Policy.ts"

const layer = "topic"

/** How a topic is bounded. */
export interface Options {
  /** What may wait for all members together; a budget of its own, of 64 MiB, by default. */
  readonly budget?: Budget.Budget
}

/** What was and is not sent at once. */
export interface Waiting {
  /** Messages and bytes that wait. */
  readonly messages: number
  readonly bytes: number
  /** Messages dropped for newer ones, or because they could not be encoded in the end: the receiver or the outcome tells of them. */
  readonly dropped: number
  /** Messages that a newer one of the same key has replaced. */
  readonly superseded: number
}

/** The same for a topic: what waits now, and all that was dropped and superseded so far. */
export interface Counts extends Waiting {
  readonly members: number
  /** How many were closed because they were too slow. */
  readonly overloaded: number
}

/** A publisher that waits for a member. */
interface Publishing<A> {
  readonly parcel: Parcel<A>
  readonly resume: (effect: Effect.Effect<void, ConnectionError>) => void
}

/** A connection's place in a topic. */
export interface Membership {
  readonly waiting: Waiting
}

const none: Waiting = { messages: 0, bytes: 0, dropped: 0, superseded: 0 }

const plus = (waiting: Waiting, { bytes, dropped, length, superseded }: Outbox<any>): Waiting => ({
  messages: waiting.messages + length,
  bytes: waiting.bytes + bytes,
  dropped: waiting.dropped + dropped,
  superseded: waiting.superseded + superseded
})

/** Whether it is the member that is at an end, and not the message at fault. */
const isOver = ({ reason: { _tag } }: ConnectionError): boolean => _tag === "Closing" || _tag === "Closed"

export class Topic<in out A> {
  readonly budget: Budget.Budget
  private readonly host: Host<A>
  private readonly members = new Set<Member<A>>()
  /** The members that publishers have to wait for. */
  private readonly full = new Set<Member<A>>()
  private readonly line: Array<Publishing<A>> = []
  private passing = false
  /** Of members that are gone. */
  private past = none
  private overloaded = 0

  constructor({ budget = Budget.make() }: Options = {}) {
    this.budget = budget
    this.host = {
      budget,
      blocked: (member, is) => this.blocked(member, is),
      left: (member) => this.left(member)
    }
  }

  /**
   * Sends a connection what is published from now on, as long as the scope is open; `Policy.close()` by default. Several memberships of a
   * connection, in one topic or in many, are independent of each other. A connection that accepts nothing more is no member.
   */
  join<In, D>(
    connection: Connection<In, A, D>,
    policy: Policy.Policy<A> = Policy.close()
  ): Effect.Effect<Membership, never, Scope.Scope> {
    const enter = Effect.sync(() => {
      const live = connection as unknown as LiveConnection<In, A, D>
      const member = new Member<A>(live, policy, this.host)
      if (live.accepts) this.members.add(member)
      return member
    })
    return Effect.map(
      Effect.acquireRelease(enter, (member) => Effect.sync(() => member.leave())),
      ({ outbox }): Membership => ({
        get waiting() {
          return plus(none, outbox)
        }
      })
    )
  }

  /**
   * Sends a message to all members: what they have no room for waits. It fails with what keeps the message from being encoded, as `send`
   * does, for the first member of which that is so, and all others are given it. Where that turns out only when a message that waits is
   * written, as with a layer that prepares nothing, its member misses it. Safe to interrupt: it is published, or it is not.
   */
  publish(message: A): Effect.Effect<void, ConnectionError> {
    return Effect.suspend(() => {
      try {
        Loan.check(message)
      } catch (thrown) {
        return Effect.fail(errorOf(thrown, layer))
      }
      const parcel = new Parcel(message)
      return this.isHeldUp || this.line.length > 0 ? this.wait(parcel) : this.pass(parcel)
    })
  }

  /** How many members there are. */
  get size(): number {
    return this.members.size
  }

  /** What waits in this topic, and what has become of its members; it looks at each. */
  get counts(): Counts {
    let waiting = this.past
    for (const { outbox } of this.members) waiting = plus(waiting, outbox)
    return { ...waiting, members: this.size, overloaded: this.overloaded }
  }

  /** Giving a message to some may have others publish, whose messages come after it. */
  private get isHeldUp(): boolean {
    return this.passing || this.full.size > 0
  }

  private wait(parcel: Parcel<A>): Effect.Effect<void, ConnectionError> {
    return Effect.callback((resume) => {
      const publishing = { parcel, resume }
      this.line.push(publishing)
      for (const member of this.full) member.hurry()
      return Effect.sync(() => {
        const at = this.line.indexOf(publishing)
        if (at >= 0) this.line.splice(at, 1)
        if (this.line.length === 0) { for (const member of this.full) member.calm() }
      })
    })
  }

  private pass(parcel: Parcel<A>): Effect.Effect<void, ConnectionError> {
    const failure = this.give(parcel)
    this.admit()
    return failure === undefined ? Effect.void : Effect.fail(failure)
  }

  private give(parcel: Parcel<A>): ConnectionError | undefined {
    let failure: ConnectionError | undefined
    this.passing = true
    for (const member of this.members) {
      try {
        member.give(parcel)
      } catch (thrown) {
        const error = errorOf(thrown, layer)
        if (!isOver(error)) failure ??= error
      }
    }
    parcel.weigh(this.budget)
    this.passing = false
    return failure
  }

  /** Lets those publish who wait, as far as nobody holds them up. */
  private admit(): void {
    while (this.line.length > 0 && !this.isHeldUp) {
      const { parcel, resume } = this.line.shift()!
      const failure = this.give(parcel)
      resume(failure === undefined ? Effect.void : Effect.fail(failure))
    }
    if (this.line.length > 0) { for (const member of this.full) member.hurry() }
  }

  private blocked(member: Member<A>, is: boolean): void {
    if (is) this.full.add(member)
    else if (this.full.delete(member)) this.admit()
  }

  private left(member: Member<A>): void {
    if (!this.members.delete(member)) return
    this.past = plus(this.past, member.outbox)
    if (member.overloaded) this.overloaded++
    this.blocked(member, false)
  }
}

/**
 * A topic without members.
 *
 * @category constructors
 */
export const make = <A>(options?: Options): Topic<A> => new Topic(options)
