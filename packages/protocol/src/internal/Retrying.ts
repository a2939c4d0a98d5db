/** Waiting between two attempts: as a schedule has it, or until somebody knows that there is no need to. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"

type Step<Input> = Effect.Success<ReturnType<typeof Schedule.toStep<unknown, Input, never, never>>>

export class Retrying<in Input> {
  private readonly schedule: Schedule.Schedule<unknown, Input>
  private step: Step<Input>
  private readonly hurried = Latch.makeUnsafe(false)

  private constructor(schedule: Schedule.Schedule<unknown, Input>, step: Step<Input>) {
    this.schedule = schedule
    this.step = step
  }

  static make<Input>(schedule: Schedule.Schedule<unknown, Input>): Effect.Effect<Retrying<Input>> {
    return Effect.map(Schedule.toStep(schedule), (step) => new Retrying(schedule, step))
  }

  /** How long to wait after what has happened, in whole milliseconds; undefined if the schedule has ended. */
  delayAfter(what: Input): Effect.Effect<Duration.Duration | undefined> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Pull.matchEffect(this.step(now, what), {
        onSuccess: ([, delay]) => Effect.succeed(Duration.millis(Math.ceil(Duration.toMillis(delay)))),
        onDone: () => Effect.undefined,
        onFailure: Effect.failCause
      }))
  }

  /** Waits so long, unless it is hurried. */
  wait(delay: Duration.Duration): Effect.Effect<void> {
    return Effect.asVoid(Effect.timeoutOption(this.hurried.await, delay))
  }

  /** Ends the waiting, if there is any. */
  get hurry(): Effect.Effect<void> {
    return Effect.asVoid(this.hurried.release)
  }

  /** Has the schedule begin anew. */
  get anew(): Effect.Effect<void> {
    return Effect.map(Schedule.toStep(this.schedule), (step) => {
      this.step = step
    })
  }
}
