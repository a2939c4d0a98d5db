/**
 * The one Effect boundary of a stack: a bounded inbox and an outbox without locks, on top of the synchronous spine.
 *
 * Receiving: the spine pushes batches into the inbox; a waiting pull is resumed with an effect that takes the inbox when
 * it runs, so an interrupted pull takes nothing and needs no finalizer. Sending: if there is room and nobody waits, a
 * message is encoded and written in one synchronous step; else the sender waits in a first-in-first-out line with
 * nothing written. What is written in one turn is flushed at its end.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Loan from "../bytes/Loan.ts"
import type { Connection, Control, Options } from "../Connection.ts"
import {
  Aborted,
  Closed,
  Closing,
  ConnectionError,
  type ConnectionReason,
  Ended,
  Unsupported
} from "../ConnectionError.ts"
import type { LiveState } from "../ConnectionState.ts"
import * as Prepared from "../fanout/Prepared.ts"
import type { Draft, EndOfInput, LayerClose, Outcome, Unsent, Why } from "../Outcome.ts"
import type { LayerTransfer } from "../reports/DataTransferReport.ts"
import type { Telling } from "../reports/EstablishmentReport.ts"
import { readAhead, readAheadMessages, type Receiver, type Released, type Wire } from "../wire/Wire.ts"
import { Deadlines } from "./Deadlines.ts"
import { Departure } from "./Departure.ts"
import { Journal } from "./Journal.ts"
import { sizeOf } from "./sizeOf.ts"
import { errorOf } from "./Stage.ts"
import { Observing, type Witness } from "./telemetry/Observer.ts"
import { type Watchable, Watched } from "./Watched.ts"

declare const queueMicrotask: (f: () => void) => void

/**
 * A fiber about to yield could be interrupted with the batch in its hands, so it yields before it takes it. This is how
 * many operations there may be between the look at the inbox and the next step of whoever pulls.
 */
const nearYield = 40

/** Why our side closes, from how its scope ended. */
const whyOf = (exit: Exit.Exit<unknown, unknown>): Why =>
  Exit.isSuccess(exit) ? "done" : Cause.hasInterruptsOnly(exit.cause) ? "away" : "failed"

/** What most connections hold most of the time. It is replaced before anything is added. */
const empty: Array<never> = []

const nothingUnsent: Unsent = { messages: 0, bytes: 0 }

/** Why a connection that was built upon accepts no more. */
const released = new Closed()

/** The details of a layer, and those below it. */
interface Detailing {
  readonly details: (control: any) => Context.Context<any>
  readonly control: Control | undefined
  readonly below: Detailing | undefined
}

/** What waits in a connection. */
export interface Queues {
  readonly inbox: Unsent
  readonly senders: number
  /** In bytes. */
  readonly outbox: number
}

/** Where a connection stands that a layer has yet to let in. */
export interface Threshold {
  /** Milliseconds after which to come again, if its listener turns everybody away. */
  readonly comeAgainIn: () => number | undefined
  /** It is let in. */
  readonly cross: () => void
}

/** What is one for the whole stack, whichever connection is at its top. */
export class Life implements Watchable<LiveState> {
  top!: LiveConnection<any, any, any>
  /** Milliseconds for closing all layers. */
  budget: number
  readonly context: Context.Context<never>
  readonly closed = Deferred.makeUnsafe<Outcome>()
  readonly journal: Journal
  /** The address of a peer that was accepted, as far as it is known yet. */
  peer: string | undefined
  /** Where it stands until a layer lets it in, if one may turn it away. */
  threshold: Threshold | undefined = undefined
  /** What its listener's handler was given. */
  handled: Connection<any, any, any> | undefined = undefined
  closing = false
  /** Our side has left: nothing more is delivered or accepted, whichever connection is at the top. */
  left = false
  /** Every layer has closed, or was cut. */
  over = false
  outcome: Outcome | undefined = undefined
  aborted = false
  viable = true
  private watched: Watched<LiveState> | undefined = undefined
  /** Who is told of it, if somebody is. */
  witness: Witness | undefined = undefined
  /** A handshake took too long, which is no mere interruption. */
  late = false
  first: Outcome["first"] = "none"
  undelivered = 0
  /** What waited for this connection elsewhere, and was given up. */
  unsent = nothingUnsent
  layers: ReadonlyArray<LayerClose> = empty
  /** What the layers tell that somebody has asked, and what nobody has asked yet. */
  private known = Context.empty() as Context.Context<any>
  private unasked: Detailing | undefined = undefined

  constructor(
    budget: number,
    context: Context.Context<never>,
    peer?: string,
    journal = new Journal(Context.get(context, Clock.Clock))
  ) {
    this.budget = budget
    this.context = context
    this.peer = peer
    this.journal = journal
  }

  get deadlines(): Deadlines {
    return Deadlines.of(Context.get(this.context, Clock.Clock))
  }

  get state(): LiveState {
    const { closing, outcome, viable } = this
    if (outcome === undefined) return closing ? { _tag: "Closing" } : { _tag: "Ready", viable }
    const { error } = outcome
    return error === undefined ? { _tag: "Closed", outcome } : { _tag: "Failed", error, outcome }
  }

  watch(tell: (state: LiveState) => void): () => void {
    return (this.watched ??= new Watched(this.state)).watch(tell)
  }

  /** The state is another one. */
  changed(): void {
    this.watched?.set(this.state)
  }

  tells(details: Detailing["details"], control?: Control): void {
    this.unasked = { details, control, below: this.unasked }
  }

  get details(): Context.Context<any> {
    const ask = (layer: Detailing | undefined): void => {
      if (layer === undefined) return
      ask(layer.below)
      this.known = Context.merge(this.known, layer.details(layer.control))
    }
    const { unasked } = this
    this.unasked = undefined
    ask(unasked)
    return this.known
  }

  private readonly finalizer = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<Outcome> =>
    Effect.suspend(() => {
      this.top.depart(this.late ? "failed" : whyOf(exit))
      return this.top.closed
    })

  /** Has the scope close the stack before all that it has had to do so far. */
  belongTo(scope: Scope.Scope): Effect.Effect<void> {
    return Scope.addFinalizerExit(scope, this.finalizer)
  }

  /** Whether that is so already, and the scope has nothing else to do. */
  belongsTo({ state }: Scope.Scope): boolean {
    return state._tag === "Open" && state.finalizer === this.finalizer
  }
}

/** The life of a connection that was asked for. */
const begin = (context: Context.Context<never>, ask: Options<never>["ask"]): Life =>
  new Life(Duration.toMillis(ask?.closeWithin ?? "5 seconds"), context, undefined, ask?.journal)

/** Somebody who waits for room in the line of a connection. */
export interface Waiter {
  /** There is room, and it is the waiter's turn; whoever has more to write lines up again. */
  readonly turn: () => void
  /** Nothing more is accepted. */
  readonly refused: () => void
}

/** A send; `next` is the first of its messages not yet written. */
class Sending<Out> implements Waiter {
  readonly messages: ReadonlyArray<Out>
  next = 0
  resume: ((effect: Effect.Effect<void, ConnectionError>) => void) | undefined = undefined
  private readonly connection: LiveConnection<any, Out, any>
  /** What of its messages is lent, from when it first has to wait. */
  private loans: ReadonlyArray<Loan.Loan> | undefined = undefined

  constructor(connection: LiveConnection<any, Out, any>, messages: ReadonlyArray<Out>) {
    this.connection = connection
    this.messages = messages
  }

  hold(): void {
    this.loans ??= Loan.holdAll(this.messages, this.next)
  }

  letGo(): void {
    Loan.releaseAll(this.loans)
    this.loans = undefined
  }

  turn(): void {
    this.resume!(Effect.suspend(() => this.connection.write(this)))
  }

  refused(): void {
    this.letGo()
    this.resume!(Effect.fail(this.connection.refusal))
  }
}

type Pulled<In> = Effect.Effect<Arr.NonEmptyArray<In>, ConnectionError | Cause.Done<Outcome>>

/** What a layer's own operations act upon: whichever connection is at the top. */
class LiveControl implements Control {
  private readonly life: Life
  private readonly layer: string

  constructor(life: Life, layer: string) {
    this.life = life
    this.layer = layer
  }

  flush(): void {
    this.life.top.touch()
  }

  close(why: Why): void {
    this.life.top.leave(why)
  }

  fail(reason: ConnectionReason): void {
    if (!this.life.closing) this.life.top.failed(new ConnectionError({ layer: this.layer, reason }))
  }

  roundTrip(took: number): void {
    this.life.witness?.roundTrip(this.layer, took)
  }

  viable(is: boolean): void {
    if (this.life.viable === is) return
    this.life.viable = is
    if (!this.life.closing) this.life.changed()
  }

  get closed(): Effect.Effect<Outcome> {
    return this.life.top.closed
  }
}

export class LiveConnection<In, Out, D> implements Connection<In, Out, D>, Receiver<In> {
  private readonly wire: Wire<In, Out>
  readonly life: Life

  private inbox: Array<In> = empty
  private inboxSize = 0
  private paused = false
  /** What of that which was pulled last is only lent. */
  private lent: ReadonlyArray<Loan.Loan> | undefined = undefined
  private puller: ((effect: Pulled<In>) => void) | undefined = undefined
  /** The effects of pulling and of waiting, which are the same each time. */
  private pulled: Pulled<In> | undefined = undefined
  private parked: Pulled<In> | undefined = undefined

  private line: Array<Waiter> = empty
  /** Those who are told when nothing more is accepted, whether they wait or not. */
  private guests: Set<Waiter> | undefined = undefined
  private inTurn = false
  private flushing = false

  /** Nothing more arrives, and this is how the input ended. */
  private over: EndOfInput | ConnectionError | "goodbye" | undefined = undefined
  /** Why nothing more is accepted; an error, with its stack, only once somebody gets it. */
  private refused: ConnectionError | ConnectionReason | undefined = undefined
  /** Our side has closed: nothing more is delivered. */
  private sealed = false

  private constructor(
    wire: Wire<In, Out>,
    life: Life,
    options: Options<D> | undefined,
    unread?: Pick<Released<In, Out>, "leftover" | "over">
  ) {
    this.wire = wire
    this.life = life
    life.top = this
    if (options !== undefined) this.tell(options)
    wire.attach(this)
    if (unread !== undefined) this.readBefore(unread)
    if (life.left) this.seal(new Closing())
    wire.resume()
  }

  /** What came before this connection was made is pulled first. */
  private readBefore({ leftover, over }: Pick<Released<In, Out>, "leftover" | "over">): void {
    if (leftover.length > 0) {
      this.receive([...leftover], leftover.reduce((size, message) => size + sizeOf(message), 0))
    }
    if (over instanceof ConnectionError) this.failed(over)
    else if (over !== undefined) this.ended(over)
  }

  private tell({ begun, details }: Options<D>): void {
    if (begun === undefined && details === undefined) return
    const control = new LiveControl(this.life, this.wire.layer)
    begun?.(control)
    if (details !== undefined) this.life.tells(details, control)
  }

  /** A connection on a wire; `lower` is the one whose life it goes on with. */
  static make<In, Out, D>(
    wire: Wire<In, Out>,
    options?: Options<D>,
    lower?: LiveConnection<any, any, any>,
    unread?: Pick<Released<In, Out>, "leftover" | "over">
  ): Effect.Effect<LiveConnection<In, Out, D>, never, Scope.Scope> {
    return Effect.contextWith((context: Context.Context<Scope.Scope>) => {
      const life = lower?.life ?? begin(context as Context.Context<never>, options?.ask)
      if (lower === undefined) life.journal.ready(wire.layer, options?.facts)
      const self = new LiveConnection<In, Out, D>(wire, life, options, unread)
      if (lower === undefined) life.witness = Context.get(context, Observing)?.begun(life, "client")
      const scope = Context.get(context, Scope.Scope)
      return life.belongsTo(scope) ? Effect.succeed(self) : Effect.as(life.belongTo(scope), self)
    })
  }

  /** A connection at the bottom of a stack that was accepted; the scope of the context owns it as soon as `life` belongs to it. */
  static accepted<In, Out, D>(
    wire: Wire<In, Out>,
    details: () => Context.Context<D>,
    peer: string | undefined,
    budget: number,
    context: Context.Context<never>,
    facts: Telling | undefined
  ): LiveConnection<In, Out, D> {
    const life = new Life(budget, context, peer)
    life.journal.ready(wire.layer, facts)
    life.tells(details)
    const self = new LiveConnection<In, Out, D>(wire, life, undefined)
    life.witness = Context.get(context, Observing)?.begun(life, "server")
    return self
  }

  get details(): Context.Context<D> {
    return this.life.details
  }

  /** The name of the layer at the top. */
  get layer(): string {
    return this.wire.layer
  }

  /** Gives the wire to the layer above, which continues this connection's life. */
  release(): Released<In, Out> {
    if (this.pulling || this.line.length > 0) {
      throw new Error("a connection can't be built upon while a pull or send waits on it")
    }
    const { inbox, over, wire } = this
    this.inbox = empty
    this.sealed = true
    this.refuse(released)
    return { wire, leftover: inbox, over: over === "goodbye" ? "announced" : over }
  }

  /** Whether it was given to a layer that has not made its own of it yet. */
  get isReleased(): boolean {
    return this.refused === released
  }

  // From the spine.

  receive(batch: ReadonlyArray<In>, size: number): void {
    if (this.sealed || this.over instanceof ConnectionError) {
      this.life.undelivered += batch.length
      return
    }
    if (this.inbox.length === 0) this.inbox = batch as Array<In>
    else for (let i = 0; i < batch.length; i++) this.inbox.push(batch[i])
    this.inboxSize += size
    this.inTurn = true
    this.wake()
    this.inTurn = false
    if (this.inboxSize >= readAhead || this.inbox.length >= readAheadMessages) {
      this.paused = true
      this.wire.pause()
    }
  }

  get caughtUp(): boolean {
    return this.inbox.length === 0 && this.life.undelivered === 0
  }

  drained(): void {
    while (this.line.length > 0 && this.wire.writable) this.line.shift()!.turn()
  }

  ended(endOfInput: EndOfInput): void {
    this.inputOver(endOfInput)
  }

  goodbye(): void {
    this.begin("done", () => {
      this.refuse(new Closed())
      this.inputOver("goodbye")
    })
  }

  failed(error: ConnectionError): void {
    this.begin("failed", () => {
      this.refuse(error.reason, error)
      this.inputOver(error)
    })
  }

  private inputOver(over: EndOfInput | ConnectionError | "goodbye"): void {
    if (this.over === undefined && this.life.first === "none" && !(over instanceof ConnectionError)) {
      this.life.first = "remote"
    }
    // What the connection was given up for stays the reason, also if the peer still says goodbye.
    if (!(this.over instanceof ConnectionError)) this.over = over
    if (this.inbox.length === 0) this.wake()
  }

  // Receiving.

  get pull(): Pulled<In> {
    return this.pulled ??= Effect.withFiber((fiber) => this.next(fiber))
  }

  private next(fiber: Fiber.Fiber<unknown, unknown>): Pulled<In> {
    if (this.lent !== undefined) this.takeBack()
    if (this.inbox.length > 0) {
      const { maxOpsBeforeYield } = fiber.cache
      return fiber.currentOpCount + Math.min(nearYield, maxOpsBeforeYield >> 1) < maxOpsBeforeYield
        ? Effect.succeed(this.take())
        : Effect.andThen(Effect.yieldNow, this.pull)
    }
    if (this.over instanceof ConnectionError) return Effect.fail(this.over)
    if (this.over !== undefined) return Cause.done(this.outcome)
    return this.sealed ? Effect.fail(this.refusal) : this.park
  }

  /** Whoever pulls again has done with what it was lent. */
  private takeBack(): void {
    const { lent } = this
    this.lent = undefined
    Loan.releaseAll(lent)
  }

  private take(): Arr.NonEmptyArray<In> {
    const batch = this.inbox
    this.inbox = empty
    this.inboxSize = 0
    if (this.wire.lends === true) this.lent = Loan.allOf(batch)
    if (this.paused) {
      this.paused = false
      queueMicrotask(() => {
        if (!this.sealed && !this.paused) this.wire.resume()
      })
    }
    // Whoever waits for the outcome may interrupt who pulls, which must have the batch by then.
    if (this.life.over) queueMicrotask(() => this.life.top.resolve())
    return batch as unknown as Arr.NonEmptyArray<In>
  }

  private get park(): Pulled<In> {
    return this.parked ??= Effect.callback((resume) => {
      if (this.pulling) return resume(Effect.die(new Error("a connection has one puller at a time")))
      this.puller = resume
    })
  }

  /** Whether somebody waits in `pull`: if it was interrupted since, resuming it does nothing, else it comes back. */
  private get pulling(): boolean {
    const puller = this.puller
    if (puller === undefined) return false
    this.puller = undefined
    puller(Effect.suspend(() => this.park))
    return this.puller !== undefined
  }

  /** Has whoever waits in `pull` look again. */
  private wake(): void {
    const puller = this.puller
    if (puller === undefined) return
    this.puller = undefined
    puller(this.pull)
  }

  // Sending.

  readonly send = (message: Out): Effect.Effect<void, ConnectionError> =>
    Effect.suspend(() => {
      if (this.refused !== undefined || this.line.length > 0 || !this.wire.writable) return this.sendLater([message])
      try {
        Loan.check(message)
        this.wire.write(message)
      } catch (thrown) {
        return Effect.fail(errorOf(thrown, this.wire.layer))
      }
      this.touch()
      return Effect.void
    })

  readonly sendAll = (messages: Arr.NonEmptyReadonlyArray<Out>): Effect.Effect<void, ConnectionError> =>
    Effect.suspend(() =>
      this.refused !== undefined || this.line.length > 0
        ? this.sendLater(messages)
        : this.write(new Sending(this, messages))
    )

  private sendLater(messages: ReadonlyArray<Out>): Effect.Effect<void, ConnectionError> {
    return this.refused === undefined
      ? this.wait(new Sending(this, messages), "last")
      : Effect.fail(this.refusal)
  }

  /** Writes as far as there is room, and waits at the head of the line for the rest. */
  write(sending: Sending<Out>): Effect.Effect<void, ConnectionError> {
    if (this.refused !== undefined) {
      sending.letGo()
      return Effect.fail(this.refusal)
    }
    this.touch()
    const { messages } = sending
    try {
      while (sending.next < messages.length) {
        if (!this.wire.writable) return this.wait(sending, "first")
        Loan.check(messages[sending.next])
        this.wire.write(messages[sending.next])
        sending.next++
      }
    } catch (thrown) {
      sending.letGo()
      return Effect.fail(errorOf(thrown, this.wire.layer))
    }
    sending.letGo()
    return Effect.void
  }

  private wait(sending: Sending<Out>, place: "first" | "last"): Effect.Effect<void, ConnectionError> {
    sending.hold()
    return Effect.callback((resume) => {
      sending.resume = resume
      if (place === "last") this.lineUp(sending)
      else this.line = [sending, ...this.line]
      return Effect.sync(() => {
        this.stepOut(sending)
        sending.letGo()
      })
    })
  }

  /** Has somebody wait for room behind all others. */
  lineUp(waiter: Waiter): void {
    if (this.line === empty) this.line = [waiter]
    else this.line.push(waiter)
  }

  stepOut(waiter: Waiter): void {
    const at = this.line.indexOf(waiter)
    if (at >= 0) this.line.splice(at, 1)
  }

  // Messages for many.

  /** Tells somebody when nothing more is accepted. */
  invite(guest: Waiter): void {
    ;(this.guests ??= new Set()).add(guest)
  }

  dismiss(guest: Waiter): void {
    this.guests?.delete(guest)
    this.stepOut(guest)
  }

  get accepts(): boolean {
    return this.refused === undefined
  }

  /** Whether a message may be written now: there is room, and nobody waits. */
  get hasRoom(): boolean {
    return this.line.length === 0 && this.wire.writable
  }

  /** Writes a message for many, which is for who `hasRoom` or has its turn; throws what `send` fails with. It leaves once it is flushed. */
  writePrepared(message: Prepared.Prepared<Out>): void {
    try {
      Prepared.write(this.wire, message)
    } catch (thrown) {
      throw errorOf(thrown, this.wire.layer)
    }
  }

  /** Has all forms of a message made in which it is written here. */
  prepare(message: Prepared.Prepared<Out>): void {
    this.wire.prepare?.(message)
  }

  /** From now on sends fail, and those that wait do so now. */
  private refuse(reason: ConnectionReason, error?: ConnectionError): void {
    this.refused ??= error ?? reason
    for (const waiter of this.line.splice(0)) waiter.refused()
    const { guests } = this
    this.guests = undefined
    if (guests !== undefined) { for (const guest of guests) guest.refused() }
  }

  /** The error of whoever is refused. */
  get refusal(): ConnectionError {
    if (this.refused instanceof ConnectionError) return this.refused
    return this.refused = new ConnectionError({ layer: this.wire.layer, reason: this.refused! })
  }

  /** Sees to it that what was written leaves: at the end of the turn, or of this tick. */
  touch(): void {
    if (this.awaitsFlush()) queueMicrotask(() => this.flush())
  }

  /** Whether somebody is to flush who has not been asked to yet. */
  awaitsFlush(): boolean {
    if (this.inTurn || this.flushing) return false
    return this.flushing = true
  }

  flush(): void {
    this.flushing = false
    this.wire.flush()
  }

  get end(): Effect.Effect<void, ConnectionError> {
    return Effect.suspend(() => this.endNow())
  }

  private endNow(): Effect.Effect<void, ConnectionError> {
    if (this.refused !== undefined) return Effect.fail(this.refusal)
    if (!this.wire.halfClose) return Effect.fail(errorOf(new Unsupported({ operation: "half-close" }), this.wire.layer))
    const end = Effect.sync(() => {
      if (this.life.first === "none") this.life.first = "local"
      this.refuse(new Ended())
      this.wire.end()
    })
    return this.line.length > 0 ? Effect.andThen(this.sendLater([]), end) : end
  }

  // Closing.

  get abort(): Effect.Effect<void> {
    return Effect.sync(() => this.life.top.cut())
  }

  cut(): void {
    this.life.aborted ||= !this.life.over
    this.begin("failed", () => {
      this.seal(new Aborted())
      this.wire.abort()
    })
  }

  get closed(): Effect.Effect<Outcome> {
    return Deferred.await(this.life.closed)
  }

  /** Closes the whole stack this connection is part of, from its top. */
  depart(why: Why): void {
    this.life.top.leave(why)
  }

  /** Closes from our side: nothing more is delivered or accepted, and every layer says its goodbye. */
  leave(why: Why): void {
    if (!this.life.closing && this.life.first === "none") this.life.first = "local"
    this.begin(why, () => this.seal(new Closing()))
  }

  private seal(reason: ConnectionReason): void {
    if (this.sealed) return
    this.sealed = true
    this.life.left = true
    this.life.undelivered += this.inbox.length
    this.inbox = empty
    this.refuse(reason)
    this.wake()
  }

  /** The first to call this decides why the connection closes; what `before` wakes up comes too late for that. */
  private begin(why: Why, before: () => void): void {
    const first = !this.life.closing
    this.life.closing = true
    before()
    if (first) {
      this.life.changed()
      this.close(why)
    } else if (this.life.over) this.resolve()
  }

  private close(why: Why): void {
    const { life } = this
    const departure = new Departure(life.deadlines, {
      why,
      reason: this.over instanceof ConnectionError ? this.over.reason : undefined,
      budget: life.budget,
      parted: (layer) => {
        life.layers = [...life.layers, layer]
      },
      done: () => {
        if (life.layers.some((layer) => !layer.settled)) life.top.wire.abort()
        life.over = true
        life.top.resolve()
      }
    })
    departure.from(this.wire)
  }

  /** Makes the outcome known, unless there is something left to pull. */
  private resolve(): void {
    const { life } = this
    if (life.outcome !== undefined || (!this.sealed && this.inbox.length > 0)) return
    life.outcome = this.outcome
    // Whoever waits for the end goes on at once, and then everybody is to know of it.
    life.changed()
    Deferred.doneUnsafe(life.closed, Exit.succeed(life.outcome))
  }

  tally(layers: Array<LayerTransfer>): void {
    this.wire.tally(layers)
  }

  /** What waits: to be pulled, for its turn to be sent, and for the layers below to take it. */
  get queues(): Queues {
    let outbox = 0
    for (let wire: Wire<any, any> | undefined = this.wire; wire !== undefined; wire = wire.lower) {
      outbox += wire.outbox ?? 0
    }
    return { inbox: { messages: this.inbox.length, bytes: this.inboxSize }, senders: this.line.length, outbox }
  }

  private get outcome(): Outcome {
    const { life } = this
    const draft: Draft = {
      first: life.first,
      clean: !life.aborted && life.layers.every((layer) => layer.settled),
      endOfInput: "unknown",
      unsent: { ...life.unsent },
      undelivered: life.undelivered,
      layers: life.layers
    }
    report(this.wire, draft)
    if (this.over instanceof ConnectionError) draft.error ??= this.over
    const { bytes, messages } = draft.unsent
    if (draft.error !== undefined || messages > 0 || bytes > 0) draft.clean = false
    return draft
  }
}

const report = (wire: Wire<any, any>, draft: Draft): void => {
  if (wire.lower !== undefined) report(wire.lower, draft)
  wire.report(draft)
}

/** The life of the stack that a connection is part of. */
export const lifeOf = <I, O, D>(connection: Connection<I, O, D>): Life =>
  (connection as unknown as LiveConnection<any, any, any>).life
