/**
 * What waits for one slow receiver, in a line that a policy bounds.
 *
 * What is dropped is always the head of the line, so the gap is where the next message is taken.
 */
import { type Budget, type Claim, overhead } from "../../fanout/Budget.ts"
import type { Policy } from "../../fanout/Policy.ts"
import { Prepared } from "../../fanout/Prepared.ts"
import type { Unsent } from "../../Outcome.ts"
import type { Parcel } from "./Parcel.ts"

interface Slot<A> {
  parcel: Parcel<A>
  readonly key: unknown
}

/** Where what waits leads to. */
export interface Receiver<in A> {
  write(message: Prepared<A>): void
}

/** So many slots in front may be empty before the others move up. */
const slack = 64

export class Outbox<A> implements Claim {
  /** Bytes that wait. */
  bytes = 0
  /** How many were dropped, and how many have given their place to a newer one. */
  dropped = 0
  superseded = 0
  private readonly policy: Policy<A>
  private readonly budget: Budget
  private readonly overflow: () => void
  private slots: Array<Slot<A> | undefined> = []
  private first = 0
  private byKey: Map<unknown, Slot<A>> | undefined = undefined
  /** How many were dropped of which the receiver has not been told. */
  private missed = 0

  /** `overflow` is called when nothing but closing helps. */
  constructor(policy: Policy<A>, budget: Budget, overflow: () => void) {
    this.policy = policy
    this.budget = budget
    this.overflow = overflow
  }

  /** How many messages wait. */
  get length(): number {
    return this.slots.length - this.first
  }

  get weight(): number {
    return this.bytes + this.length * overhead
  }

  /** Whether nothing is to be sent. */
  get empty(): boolean {
    return this.length === 0 && !this.hasGap
  }

  /** Whether more waits than may, or than the budget has room for. */
  get full(): boolean {
    const { maxBytes, maxWaiting } = this.policy.limits
    return this.length >= maxWaiting || this.bytes >= maxBytes || (this.length > 0 && this.budget.exceeded)
  }

  add(parcel: Parcel<A>): void {
    const { policy } = this
    const key = policy._tag === "KeepLatest" ? policy.key(parcel.message) : undefined
    const before = policy._tag === "KeepLatest" ? this.byKey?.get(key) : undefined
    if (before === undefined) this.append(parcel, key)
    else {
      this.superseded++
      this.forget(before.parcel)
      before.parcel = parcel
    }
    this.keep(parcel)
    this.bound()
    this.budget.enforce()
  }

  private append(parcel: Parcel<A>, key: unknown): void {
    const slot = { parcel, key }
    if (this.length === 0 && this.policy._tag !== "Suspend") this.budget.claim(this)
    this.slots.push(slot)
    if (this.policy._tag === "KeepLatest") (this.byKey ??= new Map()).set(key, slot)
  }

  /** Does with what is too much as the policy says. */
  private bound(): void {
    const { _tag } = this.policy
    if (_tag === "DropOldest") { while (this.isOver) this.drop() }
    else if (_tag !== "Suspend" && this.isOver) this.overflow()
  }

  /** Whether more waits than may; one message may be larger than all that may. */
  private get isOver(): boolean {
    const { maxBytes, maxWaiting } = this.policy.limits
    return this.length > maxWaiting || (this.bytes > maxBytes && this.length > 1)
  }

  private drop(): void {
    this.remove()
    this.dropped++
    this.missed++
  }

  shed(): void {
    if (this.policy._tag === "DropOldest") { while (this.length > 0) this.drop() }
    else this.overflow()
  }

  /** Whether the receiver has missed something that comes before the first message. */
  private get hasGap(): boolean {
    return this.missed > 0
  }

  /** Tells the receiver what it has missed; false if there is nothing to tell. Throws what keeps it from being told. */
  tellGap(receiver: Receiver<A>): boolean {
    const { missed, policy } = this
    if (missed === 0 || policy._tag !== "DropOldest") return false
    const gap = policy.gap(missed)
    if (gap !== undefined) receiver.write(new Prepared(gap))
    this.missed -= missed
    return gap !== undefined
  }

  /** What is to be sent next, if something waits. */
  take(): Parcel<A> | undefined {
    return this.length === 0 ? undefined : this.remove()
  }

  /** What was taken can't be sent. The receiver is told, if it is told of gaps; else that is returned as unsent. */
  lose({ prepared: { size } }: Parcel<A>): Unsent {
    this.dropped++
    if (this.policy._tag !== "DropOldest") return { messages: 1, bytes: size }
    this.missed++
    return { messages: 0, bytes: 0 }
  }

  private remove(): Parcel<A> {
    const { parcel, key } = this.slots[this.first]!
    this.slots[this.first++] = undefined
    if (this.length === 0) {
      this.slots = []
      this.first = 0
      this.budget.disclaim(this)
    } else if (this.first >= slack && this.first * 2 > this.slots.length) {
      this.slots = this.slots.slice(this.first)
      this.first = 0
    }
    this.byKey?.delete(key)
    this.forget(parcel)
    return parcel
  }

  /** Gives up what waits, and returns how much that was, with what the receiver was still to be told of. */
  clear(): Unsent {
    const left = { messages: this.length + this.missed, bytes: this.bytes }
    while (this.length > 0) this.remove()
    this.missed = 0
    return left
  }

  private keep(parcel: Parcel<A>): void {
    this.bytes += parcel.size
    this.budget.count(overhead)
    parcel.hold(this.budget)
  }

  private forget(parcel: Parcel<A>): void {
    this.bytes -= parcel.size
    this.budget.count(-overhead)
    parcel.release(this.budget)
  }
}
