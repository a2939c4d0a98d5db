/** One connection in a topic: it is written to while there is room, and what there is no room for waits in its outbox. */
import type { Budget, Hopeful } from "../../fanout/Budget.ts"
import type { Policy } from "../../fanout/Policy.ts"
import type { Prepared } from "../../fanout/Prepared.ts"
import type { Unsent } from "../../Outcome.ts"
import type { Deadline } from "../Deadlines.ts"
import type { LiveConnection, Waiter } from "../LiveConnection.ts"
import { cork } from "./Cork.ts"
import { Outbox, type Receiver } from "./Outbox.ts"
import type { Parcel } from "./Parcel.ts"

/** The topic, as a member sees it. */
export interface Host<A> {
  readonly budget: Budget
  /** The member has no room for more, or has again; only of those whose policy is to suspend. */
  readonly blocked: (member: Member<A>, is: boolean) => void
  /** The member is gone, because it was closed for being too slow or otherwise. */
  readonly left: (member: Member<A>) => void
}

export class Member<A> implements Waiter, Receiver<A>, Hopeful {
  readonly outbox: Outbox<A>
  /** Its connection was closed because it was too slow. */
  overloaded = false
  private readonly connection: LiveConnection<any, A, any>
  private readonly policy: Policy<A>
  private readonly host: Host<A>
  private lined = false
  private gone = false
  private patience: Deadline | undefined = undefined

  constructor(connection: LiveConnection<any, A, any>, policy: Policy<A>, host: Host<A>) {
    this.connection = connection
    this.policy = policy
    this.host = host
    this.outbox = new Outbox(policy, host.budget, () => this.overload())
    connection.invite(this)
  }

  /** Writes a message, or has it wait. Throws a `ConnectionError` if it can't be encoded. */
  give(parcel: Parcel<A>): void {
    const { connection, outbox } = this
    if (!connection.accepts) return this.leave()
    if (outbox.empty && connection.hasRoom) return this.write(parcel.prepared)
    parcel.waitFor(connection)
    outbox.add(parcel)
    this.waitForRoom()
  }

  private waitForRoom(): void {
    if (this.gone) return
    if (!this.lined && !this.outbox.empty) {
      this.lined = true
      this.connection.lineUp(this)
    }
    if (this.policy._tag !== "Suspend") return
    const { host: { budget }, outbox: { full } } = this
    if (!full) this.calm()
    else if (budget.exceeded) budget.await(this)
    this.host.blocked(this, full)
  }

  turn(): void {
    this.lined = false
    try {
      if (!this.outbox.tellGap(this)) this.next()
    } catch {
      // A gap that can't be told must not be passed over.
      return this.overload()
    }
    this.waitForRoom()
  }

  write(message: Prepared<A>): void {
    this.connection.writePrepared(message)
    cork(this.connection)
  }

  private next(): void {
    const { outbox } = this
    const parcel = outbox.take()
    if (parcel === undefined) return
    try {
      this.write(parcel.prepared)
    } catch {
      // It could be encoded when it came, unless a machine does not prepare.
      this.giveUp(outbox.lose(parcel))
    }
    parcel.weigh(this.host.budget)
  }

  relieved(): void {
    this.waitForRoom()
  }

  refused(): void {
    this.leave()
  }

  /** Somebody waits for it: it has that long. */
  hurry(): void {
    const { connection: { life }, policy } = this
    if (policy._tag === "Suspend") this.patience ??= life.deadlines.set(policy.within, () => this.overload())
  }

  /** Nobody waits for it any more. */
  calm(): void {
    if (this.patience !== undefined) this.connection.life.deadlines.delete(this.patience)
    this.patience = undefined
  }

  private overload(): void {
    if (this.gone) return
    this.overloaded = true
    this.connection.depart("overloaded")
    this.leave()
  }

  /** Leaves the topic; what waits is given up, and told in the outcome of the connection. */
  leave(): void {
    if (this.gone) return
    this.gone = true
    this.calm()
    this.host.budget.dismiss(this)
    this.connection.dismiss(this)
    this.giveUp(this.outbox.clear())
    this.host.left(this)
  }

  private giveUp({ bytes, messages }: Unsent): void {
    const { life } = this.connection
    if (messages > 0) life.unsent = { messages: life.unsent.messages + messages, bytes: life.unsent.bytes + bytes }
  }
}
