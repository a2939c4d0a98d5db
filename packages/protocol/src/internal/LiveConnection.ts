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
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Connection, Options } from "../Connection.ts"
import {
  Aborted,
  Closed,
  Closing,
  ConnectionError,
  type ConnectionReason,
  Ended,
  Unsupported
} from "../ConnectionError.ts"
import type { Draft, EndOfInput, LayerClose, Outcome, Why } from "../Outcome.ts"
import { readAhead, readAheadMessages, type Receiver, type Released, type Wire } from "../Wire.ts"
import { errorOf } from "./Stage.ts"

declare const queueMicrotask: (f: () => void) => void

/** Milliseconds a layer gets at least to close, when those above it have used up the budget. */
const floor = 100

/**
 * A fiber about to yield could be interrupted with the batch in its hands, so it yields before it takes it. This is how
 * many operations there may be between the look at the inbox and the next step of whoever pulls.
 */
const nearYield = 40

/** Why our side closes, from how its scope ended. */
const whyOf = (exit: Exit.Exit<unknown, unknown>): Why =>
  Exit.isSuccess(exit) ? "done" : Cause.hasInterruptsOnly(exit.cause) ? "away" : "failed"

/** What is one for the whole stack, whichever connection is at its top. */
class Life {
  top: LiveConnection<any, any, any>
  readonly budget: Duration.Duration
  readonly context: Context.Context<never>
  readonly closed = Deferred.makeUnsafe<Outcome>()
  closing = false
  /** Our side has left: nothing more is delivered or accepted, whichever connection is at the top. */
  left = false
  /** Every layer has closed, or was cut. */
  over = false
  aborted = false
  first: Outcome["first"] = "none"
  undelivered = 0
  readonly layers: Array<LayerClose> = []

  constructor(top: LiveConnection<any, any, any>, budget: Duration.Duration, context: Context.Context<never>) {
    this.top = top
    this.budget = budget
    this.context = context
  }
}

/** A send that waits for room; `next` is the first of its messages not yet written. */
interface Waiting<Out> {
  readonly messages: ReadonlyArray<Out>
  next: number
  resume: (effect: Effect.Effect<void, ConnectionError>) => void
}

type Pulled<In> = Effect.Effect<Arr.NonEmptyArray<In>, ConnectionError | Cause.Done<Outcome>>

interface Foundation {
  readonly life: Life | undefined
  readonly budget: Duration.Duration
  readonly context: Context.Context<never>
  readonly details: Context.Context<any>
}

export class LiveConnection<In, Out, D> implements Connection<In, Out, D>, Receiver<In> {
  readonly details: Context.Context<D>
  private readonly wire: Wire<In, Out>
  private readonly life: Life

  private inbox: Array<In> = []
  private inboxSize = 0
  private paused = false
  private puller: ((effect: Pulled<In>) => void) | undefined = undefined

  private readonly line: Array<Waiting<Out>> = []
  private inTurn = false
  private flushing = false

  /** Nothing more arrives, and this is how the input ended. */
  private over: EndOfInput | ConnectionError | "goodbye" | undefined = undefined
  /** Why nothing more is accepted. */
  private refusal: ConnectionError | undefined = undefined
  /** Our side has closed: nothing more is delivered. */
  private sealed = false

  private constructor(wire: Wire<In, Out>, foundation: Foundation, details: Options<any>["details"]) {
    this.wire = wire
    this.life = foundation.life ?? new Life(this, foundation.budget, foundation.context)
    this.life.top = this
    this.details = details === undefined
      ? foundation.details
      : Context.merge(foundation.details, details({ flush: () => this.touch(), close: (why) => this.leave(why) }))
    wire.attach(this)
    if (this.life.left) this.seal(new Closing())
    wire.resume()
  }

  static make<In, Out, D>(
    wire: Wire<In, Out>,
    options: Options<D> | undefined,
    lower?: LiveConnection<any, any, any>
  ): Effect.Effect<LiveConnection<In, Out, D>, never, Scope.Scope> {
    return Effect.contextWith((context: Context.Context<Scope.Scope>) => {
      const self = new LiveConnection<In, Out, D>(wire, {
        life: lower?.life,
        budget: Duration.fromInputUnsafe(options?.closeWithin ?? "5 seconds"),
        context: context as Context.Context<never>,
        details: (lower?.details ?? Context.empty()) as Context.Context<any>
      }, options?.details)
      const finalizer = (exit: Exit.Exit<unknown, unknown>) =>
        Effect.suspend(() => {
          self.depart(whyOf(exit))
          return self.closed
        })
      return Effect.as(Scope.addFinalizerExit(Context.get(context, Scope.Scope), finalizer), self)
    })
  }

  /** Gives the wire to the layer above, which continues this connection's life. */
  release(): Released<In, Out> {
    if (this.pulling || this.line.length > 0) {
      throw new Error("a connection can't be built upon while a pull or send waits on it")
    }
    const { inbox, over, wire } = this
    this.inbox = []
    this.sealed = true
    this.refuse(new Closed())
    return { wire, leftover: inbox, over: over === "goodbye" ? "announced" : over }
  }

  // From the spine.

  receive(batch: ReadonlyArray<In>, size: number): void {
    if (this.sealed) {
      this.life.undelivered += batch.length
      return
    }
    if (this.inbox.length === 0) this.inbox = batch as Array<In>
    else for (let i = 0; i < batch.length; i++) this.inbox.push(batch[i])
    this.inboxSize += size
    this.inTurn = true
    this.wake(this.take)
    this.inTurn = false
    if (this.inboxSize >= readAhead || this.inbox.length >= readAheadMessages) {
      this.paused = true
      this.wire.pause()
    }
    this.wire.flush()
  }

  drained(): void {
    while (this.line.length > 0 && this.wire.writable) {
      const waiting = this.line.shift()!
      waiting.resume(Effect.suspend(() => this.write(waiting)))
    }
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
    this.over = over
    if (this.inbox.length === 0) this.wake(this.pull)
  }

  // Receiving.

  private readonly take: Pulled<In> = Effect.sync(() => {
    const batch = this.inbox
    this.inbox = []
    this.inboxSize = 0
    if (this.paused) {
      this.paused = false
      queueMicrotask(this.resume)
    }
    if (this.life.over) this.life.top.resolve()
    return batch as unknown as Arr.NonEmptyArray<In>
  })

  private readonly resume = (): void => {
    if (!this.sealed && !this.paused) this.wire.resume()
  }

  private readonly park: Pulled<In> = Effect.callback((resume) => {
    if (this.pulling) return resume(Effect.die(new Error("a connection has one puller at a time")))
    this.puller = resume
  })

  /** Whether somebody waits in `pull`: if it was interrupted since, resuming it does nothing, else it comes back. */
  private get pulling(): boolean {
    const puller = this.puller
    if (puller === undefined) return false
    this.puller = undefined
    puller(Effect.suspend(() => this.park))
    return this.puller !== undefined
  }

  readonly pull: Pulled<In> = Effect.withFiber((fiber) => {
    if (this.inbox.length > 0) {
      return fiber.currentOpCount + nearYield < fiber.cache.maxOpsBeforeYield
        ? this.take
        : Effect.andThen(Effect.yieldNow, Effect.suspend(() => this.pull))
    }
    if (this.over instanceof ConnectionError) return Effect.fail(this.over)
    if (this.over !== undefined) return Cause.done(this.outcome)
    return this.sealed ? Effect.fail(this.refusal!) : this.park
  })

  private wake(effect: Pulled<In>): void {
    const puller = this.puller
    if (puller === undefined) return
    this.puller = undefined
    puller(effect)
  }

  // Sending.

  readonly send = (message: Out): Effect.Effect<void, ConnectionError> =>
    Effect.suspend(() => {
      if (this.refusal !== undefined || this.line.length > 0 || !this.wire.writable) return this.sendLater([message])
      try {
        this.wire.write(message)
      } catch (thrown) {
        return Effect.fail(errorOf(thrown, this.wire.layer))
      }
      this.touch()
      return Effect.void
    })

  readonly sendAll = (messages: Arr.NonEmptyReadonlyArray<Out>): Effect.Effect<void, ConnectionError> =>
    Effect.suspend(() =>
      this.refusal !== undefined || this.line.length > 0
        ? this.sendLater(messages)
        : this.write({ messages, next: 0, resume: () => {} })
    )

  private sendLater(messages: ReadonlyArray<Out>): Effect.Effect<void, ConnectionError> {
    return this.refusal === undefined
      ? this.wait({ messages, next: 0, resume: () => {} }, "last")
      : Effect.fail(this.refusal)
  }

  /** Writes as far as there is room, and waits at the head of the line for the rest. */
  private write(waiting: Waiting<Out>): Effect.Effect<void, ConnectionError> {
    if (this.refusal !== undefined) return Effect.fail(this.refusal)
    this.touch()
    const { messages } = waiting
    try {
      while (waiting.next < messages.length) {
        if (!this.wire.writable) return this.wait(waiting, "first")
        this.wire.write(messages[waiting.next])
        waiting.next++
      }
    } catch (thrown) {
      return Effect.fail(errorOf(thrown, this.wire.layer))
    }
    return Effect.void
  }

  private wait(waiting: Waiting<Out>, place: "first" | "last"): Effect.Effect<void, ConnectionError> {
    return Effect.callback((resume) => {
      waiting.resume = resume
      if (place === "first") this.line.unshift(waiting)
      else this.line.push(waiting)
      return Effect.sync(() => {
        const at = this.line.indexOf(waiting)
        if (at >= 0) this.line.splice(at, 1)
      })
    })
  }

  /** From now on sends fail, and those that wait do so now. */
  private refuse(reason: ConnectionReason, error?: ConnectionError): void {
    this.refusal ??= error ?? new ConnectionError({ layer: this.wire.layer, reason })
    for (const waiting of this.line.splice(0)) waiting.resume(Effect.fail(this.refusal))
  }

  /** Sees to it that what was written leaves: at the end of the turn, or of this tick. */
  private touch(): void {
    if (this.inTurn || this.flushing) return
    this.flushing = true
    queueMicrotask(this.flush)
  }

  private readonly flush = (): void => {
    this.flushing = false
    this.wire.flush()
  }

  readonly end: Effect.Effect<void, ConnectionError> = Effect.suspend(() => {
    if (this.refusal !== undefined) return Effect.fail(this.refusal)
    if (!this.wire.halfClose) return Effect.fail(errorOf(new Unsupported({ operation: "half-close" }), this.wire.layer))
    const end = Effect.sync(() => {
      if (this.life.first === "none") this.life.first = "local"
      this.refuse(new Ended())
      this.wire.end()
    })
    return this.line.length > 0 ? Effect.andThen(this.sendLater([]), end) : end
  })

  // Closing.

  readonly abort: Effect.Effect<void> = Effect.sync(() => this.life.top.cut())

  private cut(): void {
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
  private leave(why: Why): void {
    if (!this.life.closing && this.life.first === "none") this.life.first = "local"
    this.begin(why, () => this.seal(new Closing()))
  }

  private seal(reason: ConnectionReason): void {
    if (this.sealed) return
    this.sealed = true
    this.life.left = true
    this.life.undelivered += this.inbox.length
    this.inbox = []
    this.refuse(reason)
    this.wake(this.pull)
  }

  /** The first to call this decides why the connection closes; what `before` wakes up comes too late for that. */
  private begin(why: Why, before: () => void): void {
    const first = !this.life.closing
    this.life.closing = true
    before()
    if (first) Effect.runForkWith(this.life.context)(this.close(why))
    else if (this.life.over) this.resolve()
  }

  /** Closes the layers one after the other, from the top down, all within one budget; then cuts what is left. */
  private close(why: Why): Effect.Effect<void> {
    const { life } = this
    const reason = this.over instanceof ConnectionError ? this.over.reason : undefined
    const closeFrom = (wire: Wire<any, any> | undefined, now: number, deadline: number): Effect.Effect<void> =>
      wire === undefined
        ? Effect.void
        : Effect.flatMap(
          Effect.timeoutOption(settled(wire, why, reason), Math.max(deadline - now, floor)),
          (answer) =>
            Effect.flatMap(millis, (then) => {
              life.layers.push({ layer: wire.layer, took: then - now, settled: Option.isSome(answer) })
              return closeFrom(wire.lower, then, deadline)
            })
        )
    return Effect.flatMap(millis, (now) =>
      Effect.ensuring(
        closeFrom(this.wire, now, now + Duration.toMillis(life.budget)),
        Effect.sync(() => {
          if (life.layers.length === 0 || life.layers.some((layer) => !layer.settled)) life.top.wire.abort()
          life.over = true
          life.top.resolve()
        })
      ))
  }

  /** Makes the outcome known, unless there is something left to pull. */
  private resolve(): void {
    if (this.sealed || this.inbox.length === 0) Deferred.doneUnsafe(this.life.closed, Exit.succeed(this.outcome))
  }

  private get outcome(): Outcome {
    const { life } = this
    const draft: Draft = {
      first: life.first,
      clean: !life.aborted && life.layers.every((layer) => layer.settled),
      endOfInput: "unknown",
      unsent: { messages: 0, bytes: 0 },
      undelivered: life.undelivered,
      layers: [...life.layers]
    }
    report(this.wire, draft)
    if (this.over instanceof ConnectionError) draft.error ??= this.over
    if (draft.error !== undefined || draft.unsent.bytes > 0) draft.clean = false
    return draft
  }
}

/** The clock in milliseconds, with fractions. */
const millis = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

const settled = (
  wire: Wire<any, any>,
  why: Why,
  reason: ConnectionReason | undefined
): Effect.Effect<void> => Effect.callback((resume) => wire.close(why, () => resume(Effect.void), reason))

const report = (wire: Wire<any, any>, draft: Draft): void => {
  if (wire.lower !== undefined) report(wire.lower, draft)
  wire.report(draft)
}
