#!/usr/bin/env node
/** The program `wirestack`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { createRequire } from "node:module"
import { constants } from "node:os"
import * as ExitCode from "../ExitCode.ts"
import { wirestack } from "./commands.ts"
import { explain } from "./explain.ts"
import { say } from "./Operator.ts"

/** Arguments may have secrets in them, which the list of processes would show. */
process.title = "wirestack"

/** The second signal ends it, whatever is waited for after the first. */
const insist = (): void => {
  let wanted = false
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (wanted) process.exit(128 + constants.signals[signal])
      wanted = true
    })
  }
}

const { version } = createRequire(import.meta.url)("../../package.json") as { readonly version: string }

const builtIns = [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions]

/** What was asked for is answered on stdout; what is wrong with the command line is said on stderr, in a line. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
        `${event.errors.map(explain).join("\n")}\n  hint: ${event.commandPath.join(" ")} --help tells what there is`
      )
      : CliOutput.defaultPresenter.present(event)
}

const isVerbose = process.argv.includes("--verbose")

/** The failure as a line, or all there is to know of a defect. */
const said = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  // These were presented.
  if (CliError.isCliError(failure)) return Effect.void
  return say(failure === undefined || isVerbose ? Cause.pretty(cause) : explain(failure))
}

const program = Command.run(wirestack, { version }).pipe(
  Effect.tapCause(said),
  Effect.scoped,
  Effect.provide(Layer.mergeAll(NodeServices.layer, CliOutput.layerPresenter(presenter), CliConfig.layer({ builtIns })))
)

insist()
// What is said to people may be heard by nobody; that is no reason to lose messages.
process.stderr.on("error", () => {})
NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    // An input that nobody reads any more would keep the process.
    process.stdin.unref?.()
    const isMisused = Exit.isFailure(exit) && CliError.isCliError(Cause.squash(exit.cause))
    onExit(isMisused ? ExitCode.ExitCode.Usage : ExitCode.of(exit))
  }
})
