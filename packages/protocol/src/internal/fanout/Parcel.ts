/** A message that was published, as it waits for some members: once, for all of them. */
import type { Budget } from "../../fanout/Budget.ts"
import { Prepared } from "../../fanout/Prepared.ts"
import type { LiveConnection } from "../LiveConnection.ts"

export class Parcel<A> {
  readonly prepared: Prepared<A>
  /** Its bytes, once it has to wait. */
  size = 0
  private weight = 0
  private holders = 0

  constructor(message: A) {
    this.prepared = new Prepared(message)
  }

  get message(): A {
    return this.prepared.message
  }

  /** Has to wait for a connection: whatever is made of it is made now. */
  waitFor(connection: LiveConnection<any, A, any>): void {
    connection.prepare(this.prepared)
    if (this.holders === 0) this.size = this.prepared.size
  }

  /** Counts what was made of it since. */
  weigh(budget: Budget): void {
    if (this.holders === 0) return
    const { weight } = this.prepared
    budget.count(weight - this.weight)
    this.weight = weight
  }

  /** It waits in one more line. */
  hold(budget: Budget): void {
    this.holders++
    this.weigh(budget)
  }

  release(budget: Budget): void {
    if (--this.holders > 0) return
    budget.count(-this.weight)
    this.weight = 0
  }
}
