/**
 * A connection that carries another one for a while: what arrives on it goes to its rider in plain calls, and how it ends stays its own.
 *
 *     rider  (the wire of the connection that outlives this one)
 *       ^ |
 *       | v    receive, write
 *      Leg ------------------> LiveConnection   scope, budget, outcome
 *       |
 *     wire of the connection that was taken
 *
 * It stands in the place of the wire it has taken, for closing and reports too.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Patience, Phase } from "../../ClosePolicy.ts"
import type { Connection } from "../../Connection.ts"
import type { ConnectionError, ConnectionReason } from "../../ConnectionError.ts"
import type { Draft, EndOfInput, Why } from "../../Outcome.ts"
import type { LayerTransfer } from "../../reports/DataTransferReport.ts"
import type { Receiver, Released, Wire } from "../../wire/Wire.ts"
import { LiveConnection } from "../LiveConnection.ts"
import { sizeOf } from "../sizeOf.ts"

/** What a rider does with a leg. */
export interface Carriage<in Out> {
  readonly lends: boolean
  readonly writable: boolean
  write(message: Out): void
  flush(): void
  pause(): void
  resume(): void
  /** Has its connection close. */
  leave(why: Why): void
  /** Cuts its connection. */
  cut(): void
}

/** One that is yet to begin: when somebody is there to receive what it has brought. */
export interface Boarding<in Out> extends Carriage<Out> {
  /** Whether it has brought something. */
  readonly isLaden: boolean
  /** Whether its connection is over already. */
  readonly isBroken: boolean
  /** Gives the rider what came before, and goes on, or says that it carries nothing more. */
  begin(): void
}

/** Who is carried. */
export interface Rider<in In> {
  /** Whether all that was delivered has been taken. */
  readonly caughtUp: boolean
  receive(batch: ReadonlyArray<In>, size: number, leg: Carriage<never>): void
  drained(leg: Carriage<never>): void
  /** It carries nothing more. */
  lost(leg: Carriage<never>): void
  /** The same of one that is yet to begin. */
  broken(leg: Boarding<never>): void
}

export class Leg<In, Out> implements Wire<never, never>, Receiver<In>, Boarding<Out> {
  readonly layer: string
  readonly lower: Wire<any, any> | undefined
  readonly patience: Patience | undefined
  readonly halfClose = false
  readonly lends: boolean
  /** The connection that has the life of the one that was taken. */
  connection!: LiveConnection<never, never, any>
  private readonly wire: Wire<In, Out>
  private readonly rider: Rider<In>
  private begun = false
  private unread: Array<In>
  private untold: Array<() => void> = []

  private constructor({ leftover, over, wire }: Released<In, Out>, rider: Rider<In>, pulled: ReadonlyArray<In>) {
    this.layer = wire.layer
    this.lower = wire.lower
    this.patience = wire.patience
    this.lends = wire.lends === true
    this.wire = wire
    this.rider = rider
    this.unread = [...pulled, ...leftover]
    wire.attach(this)
    wire.pause()
    if (typeof over === "string") this.ended(over)
    else if (over !== undefined) this.failed(over)
  }

  /** Takes a connection, which can no longer be used by itself; `pulled` is what was pulled of it and is the rider's. */
  static of<In, Out, D>(
    connection: Connection<In, Out, D>,
    rider: Rider<In>,
    pulled: ReadonlyArray<In> = []
  ): Effect.Effect<Leg<In, Out>, never, Scope.Scope> {
    return Effect.suspend(() => {
      const taken = connection as unknown as LiveConnection<In, Out, D>
      const leg = new Leg<In, Out>(taken.release(), rider, pulled)
      return Effect.map(LiveConnection.make<never, never, D>(leg, undefined, taken), (connection) => {
        leg.connection = connection
        return leg
      })
    })
  }

  get isLaden(): boolean {
    return this.unread.length > 0
  }

  get isBroken(): boolean {
    return this.untold.length > 0
  }

  begin(): void {
    this.begun = true
    const { unread, untold } = this
    this.unread = []
    this.untold = []
    if (unread.length > 0) this.receive(unread, unread.reduce((size, message) => size + sizeOf(message), 0))
    for (const tell of untold) this.part(tell)
    this.wire.resume()
  }

  // From below.

  receive(batch: ReadonlyArray<In>, size: number): void {
    if (this.begun) this.rider.receive(batch, size, this)
    else this.unread.push(...batch)
  }

  get caughtUp(): boolean {
    return this.rider.caughtUp
  }

  drained(): void {
    this.rider.drained(this)
  }

  ended(endOfInput: EndOfInput): void {
    this.part(() => this.connection.ended(endOfInput))
  }

  goodbye(): void {
    this.part(() => this.connection.goodbye())
  }

  failed(error: ConnectionError): void {
    this.part(() => this.connection.failed(error))
  }

  private part(tell: () => void): void {
    if (!this.begun) {
      this.untold.push(tell)
      return this.rider.broken(this)
    }
    this.rider.lost(this)
    tell()
  }

  // From the rider.

  get writable(): boolean {
    return this.wire.writable
  }

  write(message: Out): void {
    this.wire.write(message)
  }

  flush(): void {
    this.wire.flush()
  }

  /** The connection has nothing to say about it, and asks for it only when it begins. */
  pause(): void {
    if (this.begun) this.wire.pause()
  }

  resume(): void {
    if (this.begun) this.wire.resume()
  }

  leave(why: Why): void {
    this.connection.depart(why)
  }

  cut(): void {
    this.connection.cut()
  }

  // From the connection.

  attach(): void {}

  end(): void {}

  close(why: Why, settled: () => void, reason?: ConnectionReason, entered?: (phase: Phase) => void): void {
    this.rider.lost(this)
    this.wire.close(why, settled, reason, entered)
  }

  giveUp(): void {
    this.wire.giveUp?.()
  }

  abort(): void {
    this.rider.lost(this)
    this.wire.abort()
  }

  report(outcome: Draft): void {
    this.wire.report(outcome)
  }

  tally(layers: Array<LayerTransfer>): void {
    this.wire.tally(layers)
  }
}
