/** A program at this end: what it pipes in is sent, and what is received is piped out. */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { TooLarge } from "@wirestack/protocol/Reason"
import type { Message } from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Format, InputUnusable, type Operator, say, whyUnwritable, write } from "./Operator.ts"
import { showing } from "./showing.ts"
import { Splitter } from "./Splitter.ts"

const stdin: Stream.Stream<Uint8Array, InputUnusable> = NodeStream.fromReadable<Uint8Array, InputUnusable>({
  evaluate: () => process.stdin,
  onError: (error) => new InputUnusable({ detail: String(error) }),
  closeOnDone: false
})

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Runs what throws of the input. */
const trying = <A>(run: () => A): Effect.Effect<A, InputUnusable> =>
  Effect.try({
    try: run,
    catch: (thrown) =>
      new InputUnusable({
        detail: thrown instanceof TooLarge ? thrown : "it is no UTF-8; binary messages are for --binary"
      })
  })

const messagesOf = ({ binary, maxMessageSize, separator, whole }: Format): Stream.Stream<Message, InputUnusable> => {
  const splitter = new Splitter(whole ? "" : separator, maxMessageSize)
  const made = (messages: ReadonlyArray<Uint8Array>): ReadonlyArray<Message> =>
    binary ? messages : messages.map((message) => utf8.decode(message))
  return stdin.pipe(
    Stream.mapEffect((chunk) => trying(() => made(splitter.push(chunk)))),
    Stream.concat(Stream.fromEffect(trying(() => made(splitter.end())))),
    Stream.flattenIterable
  )
}

/** Messages as they are written to stdout: as they are, but safe where it is a terminal. */
const written = (format: Format, isTerminal: boolean) => {
  const shown = showing(format)
  const separator = Buffer.from(format.shape === "bytes" || format.raw ? "" : format.separator)
  return (message: Message): Uint8Array => {
    const safe = isTerminal ? shown(message) : message
    const bytes = typeof safe === "string" ? Buffer.from(safe) : safe
    return separator.length === 0 ? bytes : Buffer.concat([bytes, separator])
  }
}

/** Standard input and output, as pipes. */
export const piped = (format: Format): Effect.Effect<Operator> =>
  Effect.sync(() => {
    const { stdout } = process
    // Whoever writes is told, too.
    stdout.on("error", () => {})
    const made = written(format, stdout.isTTY)
    return {
      isPerson: false,
      input: format.shape === "bytes" ? stdin : messagesOf(format),
      show: (messages) =>
        stdout.writable ? write(stdout, Buffer.concat(messages.map(made))) : Effect.fail(whyUnwritable(stdout.errored)),
      note: say
    }
  })
