/** Programs as processes of their own: what they say, how they end, and that they do. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn, spawnSync } from "node:child_process"

export interface Running {
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  /**
   * Waits until the pattern is in what was said, on either output. Fails when its time is up, 15 seconds by default, or when it can't
   * be any more.
   */
  readonly says: (pattern: RegExp, within?: Duration.Input) => Effect.Effect<RegExpExecArray>
  readonly write: (text: string) => Effect.Effect<void>
  /** Ends the program's input. */
  readonly end: Effect.Effect<void>
  /** Closes our end of what it writes to its standard output. */
  readonly unread: Effect.Effect<void>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** How it ended: the code, or the signal that killed it. */
  readonly exit: Effect.Effect<number | NodeJS.Signals>
}

const inTime = <A>(
  what: string,
  effect: Effect.Effect<A>,
  said: () => string,
  within: Duration.Input = "15 seconds"
): Effect.Effect<A> =>
  Effect.timeoutOrElse(effect, {
    duration: within,
    orElse: () => Effect.die(new Error(`${what}; it said:\n${said()}`))
  })

/** Starts a program; what still runs when the scope closes is killed. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(command, args, { stdio: "pipe", env: { ...process.env, NO_COLOR: "1", ...env } })
        const state = { stdout: "", stderr: "", ended: undefined as number | NodeJS.Signals | undefined }
        const look = new Set<() => void>()
        const looking = () => {
          for (const once of look) once()
        }
        for (const name of ["stdout", "stderr"] as const) {
          child[name].setEncoding("utf8").on("data", (text: string) => {
            state[name] += text
            looking()
          })
        }
        child.stdin.on("error", () => {})
        child.on("error", (error) => {
          state.stderr += error.message
        })
        child.on("close", (code, signal) => {
          state.ended = code ?? signal ?? 1
          looking()
        })
        return { child, state, look }
      }),
      ({ child, look, state }) =>
        Effect.callback<void>((resume) => {
          if (state.ended !== undefined) return resume(Effect.void)
          look.add(() => {
            if (state.ended !== undefined) resume(Effect.void)
          })
          child.kill("SIGKILL")
        })
    ),
    ({ child, look, state }) => {
      const said = () => `${state.stdout}${state.stderr}`
      const seeing = <A>(see: () => Effect.Effect<A> | undefined) =>
        Effect.callback<A>((resume) => {
          const once = () => {
            const seen = see()
            if (seen === undefined) return
            look.delete(once)
            resume(seen)
          }
          look.add(once)
          once()
          return Effect.sync(() => look.delete(once))
        })
      return {
        pid: child.pid!,
        stdout: () => state.stdout,
        stderr: () => state.stderr,
        says: (pattern, within) =>
          inTime(
            `${command} did not say ${pattern}`,
            seeing(() => {
              const match = pattern.exec(state.stdout) ?? pattern.exec(state.stderr)
              if (match !== null) return Effect.succeed(match)
              if (state.ended === undefined) return undefined
              return Effect.die(new Error(`${command} ended without saying ${pattern}; it said:\n${said()}`))
            }),
            said,
            within
          ),
        write: (text) => Effect.sync(() => void child.stdin.write(text)),
        end: Effect.sync(() => void child.stdin.end()),
        unread: Effect.sync(() => void child.stdout.destroy()),
        kill: (signal) => Effect.sync(() => void child.kill(signal)),
        exit: inTime(
          `${command} did not end`,
          seeing(() => state.ended === undefined ? undefined : Effect.succeed(state.ended)),
          said
        )
      }
    }
  )

/** Whether a command is there. */
export const exists = (command: string, ...args: ReadonlyArray<string>): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0

/** Where a command is, if it is. */
export const which = (command: string): string | undefined =>
  spawnSync("which", [command], { encoding: "utf8" }).stdout?.trim() || undefined
