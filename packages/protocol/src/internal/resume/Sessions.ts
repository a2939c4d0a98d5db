/** The sessions of a listener: those that something carries, and for a time those that wait to be resumed. */
import * as Hex from "effect/encoding/Hex"
import type { Why } from "../../Outcome.ts"
import type { Deadline, Deadlines } from "../Deadlines.ts"
import type { Ticket } from "./Frame.ts"
import type { Ledger } from "./Ledger.ts"
import { type Limits, SessionWire } from "./SessionWire.ts"

export interface Keeping {
  /** How long a session waits to be resumed, in milliseconds. */
  readonly keepFor: number
  /** How many wait at most; beyond that those that have waited longest are over. */
  readonly maxKept: number
  readonly outlives: (why: Why) => boolean
}

/** Whether a ticket that was shown has the secret of one's own. In constant time. */
export const proves = (shown: Ticket, own: Ticket): boolean => {
  let difference = own.secret.length ^ shown.secret.length
  for (let i = 0; i < own.secret.length; i++) difference |= own.secret[i] ^ shown.secret[i]
  return difference === 0
}

export class Session {
  readonly ticket: Ticket
  readonly id: string
  readonly wire: SessionWire
  /** Which of the connections that wanted to carry it was the latest: only that one does. */
  turn = 0
  private readonly sessions: Sessions
  private expiry: Deadline | undefined = undefined

  constructor(ticket: Ticket, ledger: Ledger, sessions: Sessions) {
    this.ticket = ticket
    this.id = Hex.encode(ticket.session)
    this.sessions = sessions
    this.wire = new SessionWire(this.id, ledger, sessions.limits, sessions.deadlines, {
      outlives: sessions.keeping.outlives,
      detached: () => this.wait(),
      ended: () => this.sessions.delete(this)
    })
  }

  private wait(): void {
    this.calm()
    this.expiry = this.sessions.deadlines.set(this.sessions.keeping.keepFor, () => this.expire())
    this.sessions.waits(this)
  }

  /** Something carries it, or it is over. */
  calm(): void {
    if (this.expiry !== undefined) this.sessions.deadlines.delete(this.expiry)
    this.expiry = undefined
    this.sessions.waitsNoMore(this)
  }

  /** The connection is gone for which it was opened: it waits, if nothing has ever carried it. */
  abandon(): void {
    if (!this.wire.carried && !this.wire.arrived && this.expiry === undefined) this.wait()
  }

  expire(): void {
    this.wire.tear(undefined)
  }
}

export class Sessions {
  readonly limits: Limits
  readonly keeping: Keeping
  readonly deadlines: Deadlines
  private readonly all = new Map<string, Session>()
  /** In the order in which they began to wait. */
  private readonly waiting = new Set<Session>()

  constructor(limits: Limits, keeping: Keeping, deadlines: Deadlines) {
    this.limits = limits
    this.keeping = keeping
    this.deadlines = deadlines
  }

  get(id: string): Session | undefined {
    return this.all.get(id)
  }

  open(ticket: Ticket, ledger: Ledger): Session {
    const session = new Session(ticket, ledger, this)
    this.all.set(session.id, session)
    return session
  }

  waits(session: Session): void {
    this.waiting.add(session)
    if (this.waiting.size <= this.keeping.maxKept) return
    for (const longest of this.waiting) return longest.expire()
  }

  waitsNoMore(session: Session): void {
    this.waiting.delete(session)
  }

  delete(session: Session): void {
    session.calm()
    if (this.all.get(session.id) === session) this.all.delete(session.id)
  }
}
