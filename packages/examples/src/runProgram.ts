/** How the examples run: a failure is one line for people, and who ends a program with a signal finds it ended in order. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { constants } from "node:os"

/** The program was called with options it does not have. */
export class Misused extends Data.TaggedError("Misused")<{ readonly cause: unknown }> {
  override get message(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/** What the options say, read by a function that throws if it can't. */
export const options = <A>(read: () => A): Effect.Effect<A, Misused> =>
  Effect.try({ try: read, catch: (cause) => new Misused({ cause }) })

/** What people are told: the message of a failure, or all there is to know of a defect. */
const said = (cause: Cause.Cause<unknown>): string => {
  const failure = Cause.findErrorOption(cause)
  return Option.isSome(failure) && failure.value instanceof Error ? failure.value.message : Cause.pretty(cause)
}

/** Ends the process with the second signal, whatever the program still waits for after the first. */
const insist = (): void => {
  let wanted = false
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (wanted) process.exit(128 + constants.signals[signal])
      wanted = true
    })
  }
}

/**
 * Runs a program: SIGINT and SIGTERM interrupt it, and once all is closed it ends with code 0; a failure is code 1. Who can't wait for that
 * sends another signal.
 */
export const runProgram = <E>(program: Effect.Effect<unknown, E, NodeServices.NodeServices>): void => {
  insist()
  NodeRuntime.runMain(
    Effect.provide(
      Effect.tapCause(program, (cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(said(cause))),
      NodeServices.layer
    ),
    {
      disableErrorReporting: true,
      teardown: (exit, onExit) => {
        // An input that nobody reads any more would keep the process.
        process.stdin.unref?.()
        onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
      }
    }
  )
}
