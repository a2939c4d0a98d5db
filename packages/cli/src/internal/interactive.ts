/**
 * A person at this end: what is typed is sent line by line, and what is received stands above the prompt.
 *
 *     < hello           received
 *     > hi there        sent, with the arrow keys for what was sent before
 *
 * Ctrl-C is the signal SIGINT, as everywhere; Ctrl-D is the end of the input.
 */
import { printable } from "@wirestack/protocol/tap/Payload"
import type { Message } from "@wirestack/protocol/Transport"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as readline from "node:readline"
import { styleText } from "node:util"
import type { Format, Operator } from "./Operator.ts"
import { showing } from "./showing.ts"

/** How many typed lines wait to be sent; behind these, what is pasted is read no further. */
const maxWaiting = 1_024

const prompt = "> "

/** Above the prompt, and what is being typed: it is written anew below. */
const above = (terminal: readline.Interface, text: string): void => {
  const { stdout } = process
  readline.moveCursor(stdout, 0, -terminal.getCursorPos().rows)
  readline.cursorTo(stdout, 0)
  readline.clearScreenDown(stdout)
  stdout.write(text.endsWith("\n") ? text : `${text}\n`)
  terminal.prompt(true)
}

const typed = ({ binary, crlf, shape }: Format) => (line: string): Message =>
  shape === "bytes" ? Buffer.from(`${line}${crlf ? "\r\n" : "\n"}`) : binary ? Buffer.from(line) : line

/** The terminal, until the scope closes. */
export const interactive = (format: Format): Effect.Effect<Operator, never, Scope.Scope> =>
  Effect.gen(function*() {
    const lines = yield* Queue.unbounded<string, Cause.Done>()
    const terminal = yield* Effect.acquireRelease(
      Effect.sync(() =>
        readline.createInterface({ input: process.stdin, output: process.stdout, terminal: true, prompt })
      ),
      (terminal) => Effect.sync(() => terminal.close())
    )
    let open = true
    terminal.on("line", (line) => {
      Queue.offerUnsafe(lines, line)
      if (Queue.sizeUnsafe(lines) < maxWaiting) terminal.prompt()
      else terminal.pause()
    })
    terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"))
    terminal.on("close", () => {
      open = false
      Queue.endUnsafe(lines)
      process.stdout.write("\n")
    })
    const style = (name: "green" | "dim", text: string) => styleText(name, text, { stream: process.stdout })
    const put = (text: string) =>
      Effect.sync(() => {
        if (open) above(terminal, text)
        else process.stdout.write(`${text}\n`)
      })
    const shown = showing(format)
    const message = typed(format)
    const mark = (from: string | undefined) => style("green", from === undefined ? "< " : `${from} < `)
    terminal.prompt()
    return {
      isPerson: true,
      input: Stream.map(Stream.fromQueue(lines), (line) => {
        if (open && Queue.sizeUnsafe(lines) < maxWaiting) terminal.resume()
        return message(line)
      }),
      show: (messages, from) =>
        put(
          format.shape === "bytes" && from === undefined
            ? messages.map(shown).join("")
            : messages.map((message) => `${mark(from)}${shown(message)}`).join("\n")
        ),
      note: (text) => put(style("dim", printable(text)))
    }
  })
