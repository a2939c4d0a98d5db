/** The calls of the peer that we handle: a fiber each, until its answer has left. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { ConnectionError } from "../../ConnectionError.ts"
import { TooLarge, Violation } from "../../Reason.ts"
import type { Envelope } from "../../typed/Requests.ts"

/** A call of the peer. */
type Request = Extract<Envelope, { readonly _tag: "Request" }>

interface Options {
  /** How many are handled at once. */
  readonly limit: number
  readonly context: Context.Context<never>
  readonly handle: (request: Request) => Effect.Effect<unknown, unknown>
  readonly send: (answer: Envelope) => Effect.Effect<void, ConnectionError>
  readonly report: (call: string, cause: Cause.Cause<unknown>) => Effect.Effect<void>
}

export class Running {
  private readonly options: Options
  private readonly fibers = new Map<number, Fiber.Fiber<void>>()

  constructor(options: Options) {
    this.options = options
  }

  /** Begins to handle a call, or to refuse it; what is returned is the rule or limit that the peer breaks. */
  start(request: Request): Violation | TooLarge | undefined {
    const { limit } = this.options
    const { fibers } = this
    if (fibers.has(request.id)) return new Violation({ rule: `there is a call ${request.id} already` })
    if (fibers.size >= 2 * limit) return new TooLarge({ what: "the number of calls", size: fibers.size + 1, limit })
    const answering = fibers.size < limit
      ? this.answer(request)
      : this.options.send({ _tag: "Rejected", id: request.id, reason: "busy" })
    const fiber = Effect.runForkWith(this.options.context)(Effect.ignore(answering))
    fibers.set(request.id, fiber)
    fiber.addObserver(() => fibers.delete(request.id))
    return undefined
  }

  /** The peer wants no answer any more; it may have one already. */
  interrupt(id: number): void {
    this.fibers.get(id)?.interruptUnsafe()
  }

  /** Waits until all have answered. */
  get idle(): Effect.Effect<void> {
    return Effect.suspend(() => Effect.asVoid(Fiber.awaitAll([...this.fibers.values()])))
  }

  get interruptAll(): Effect.Effect<void> {
    return Effect.suspend(() => Fiber.interruptAll([...this.fibers.values()]))
  }

  /** Who is interrupted answers nothing; a handler that interrupts itself has failed. */
  private answer(request: Request): Effect.Effect<void, ConnectionError> {
    const { call, id } = request
    const { handle } = this.options
    return Effect.matchCauseEffect(Effect.suspend(() => handle(request)), {
      onSuccess: (value) => this.say(request, { _tag: "Success", id, call, value }),
      onFailure: (cause) => {
        const error = Cause.findErrorOption(cause)
        return Option.isSome(error) && !Cause.hasDies(cause)
          ? this.say(request, { _tag: "Failure", id, call, error: error.value })
          : this.failed(request, cause)
      }
    })
  }

  /** Sends an answer; one that its Schema doesn't admit is a mistake of the handler. */
  private say(request: Request, answer: Envelope): Effect.Effect<void, ConnectionError> {
    return Effect.catchIf(
      this.options.send(answer),
      ({ reason }) => reason._tag === "Unencodable",
      (error) => this.failed(request, Cause.die(error))
    )
  }

  /** The peer is told that there is no answer, and we are told why. */
  private failed({ call, id }: Request, cause: Cause.Cause<unknown>): Effect.Effect<void, ConnectionError> {
    const { report, send } = this.options
    return Effect.andThen(report(call, cause), send({ _tag: "Rejected", id, reason: "failed" }))
  }
}
