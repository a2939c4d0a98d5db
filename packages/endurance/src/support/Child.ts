/** Another program of this package as a process of its own, which is asked, and answers each question with one value. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"

const running = new Set<ChildProcess>()

// None outlives this process, however this one ends.
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** A running program; `Questions` has what it can be asked, and what it answers. */
export interface Child<Questions> {
  readonly pid: number
  readonly ask: <K extends keyof Questions>(question: K, argument?: unknown) => Promise<Questions[K]>
  /** Lets it end, and waits for that. */
  readonly stop: () => Promise<void>
}

/** Starts the program in `file`; `flags` are Node's. Rejects what it is asked after it has ended. */
export const start = <Questions>(
  file: URL,
  args: ReadonlyArray<string> = [],
  flags: ReadonlyArray<string> = []
): Child<Questions> => {
  const child = fork(file, args, { execArgv: [...process.execArgv, ...flags] })
  running.add(child)
  const exited = once(child, "exit")
  const gone = exited.then(([code, signal]) => {
    running.delete(child)
    throw new Error(`${file.pathname.split("/").at(-1)} has ended with ${signal ?? code}`)
  })
  gone.catch(() => undefined)
  return {
    pid: child.pid!,
    ask: async (question, argument) => {
      const answer = once(child, "message")
      child.send({ question, argument })
      return (await Promise.race([answer, gone]))[0].answer
    },
    stop: async () => {
      if (child.connected) child.disconnect()
      await exited
    }
  }
}

/** Answers who has started this program, one question after the other, until that one lets it end. */
export const answer = (answers: Readonly<Record<string, (argument: any) => unknown>>): void => {
  process.on("message", async ({ argument, question }: { readonly argument: unknown; readonly question: string }) => {
    process.send!({ answer: await answers[question](argument) })
  })
  process.on("disconnect", () => process.exit(0))
}
