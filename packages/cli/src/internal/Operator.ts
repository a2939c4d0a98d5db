/**
 * Who is at this end of the connection: a program that pipes, or a person at a terminal.
 *
 *     stdin  --> input --> the peer
 *     stdout <-- show  <-- the peer
 *     stderr <-- note            what is said about the connection
 */

import type { Batch } from "@wirestack/protocol/Connection"
import type { TooLarge } from "@wirestack/protocol/Reason"
import { printable } from "@wirestack/protocol/tap/Payload"
import type { Message } from "@wirestack/protocol/Transport"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { styleText } from "node:util"

type Style = Parameters<typeof styleText>[0]

/** What was read can't be sent as it was asked for. */
export class InputUnusable extends Data.TaggedError("InputUnusable")<{ readonly detail: string | TooLarge }> {
  override get message(): string {
    return `input: ${typeof this.detail === "string" ? this.detail : this.detail.message}`
  }
}

/** Nobody reads our output any more. */
export class OutputClosed extends Data.TaggedError("OutputClosed") {
  override get message(): string {
    return "output: nobody reads it any more"
  }
}

/** Our output takes no more, such as on a full disk. */
export class OutputUnusable extends Data.TaggedError("OutputUnusable")<{ readonly detail: string }> {
  override get message(): string {
    return `output: ${this.detail}`
  }
}

export type OutputError = OutputClosed | OutputUnusable

/** Why nothing can be written; a pipe is closed by whoever has read enough. */
export const whyUnwritable = (error: NodeJS.ErrnoException | null): OutputError =>
  error === null || error.code === "EPIPE" ? new OutputClosed() : new OutputUnusable({ detail: error.message })

/** How messages lie in the input and in the output. */
export interface Format {
  readonly shape: "messages" | "bytes"
  /** What is between messages; nothing if all of the input is one. */
  readonly separator: string
  readonly whole: boolean
  /** Messages are sent as binary ones. */
  readonly binary: boolean
  /** What is received is shown as it is, with nothing between messages. */
  readonly raw: boolean
  /** A line that is typed ends in CRLF; for bytes. */
  readonly crlf: boolean
  readonly maxMessageSize: number
}

export interface Operator {
  readonly isPerson: boolean
  /** What is to be sent; it ends with the input. */
  readonly input: Stream.Stream<Message, InputUnusable>
  /** Shows messages, and waits until there is room for more; `from` whom, if there are several. */
  readonly show: (messages: Batch<Message>, from?: string) => Effect.Effect<void, OutputError>
  /** Says something about the connection. */
  readonly note: (text: string) => Effect.Effect<void>
}

/** Writes to a stream of the process, and waits until it has taken it. */
export const write = (
  stream: NodeJS.WriteStream,
  text: string | Uint8Array
): Effect.Effect<void, OutputError> =>
  Effect.callback((resume) => {
    stream.write(text, (error) => resume(error ? Effect.fail(whyUnwritable(error)) : Effect.void))
  })

/** Says a line to people, on stderr. What peers have to do with it can't control the terminal. */
export const say = (text: string, style: Style = []): Effect.Effect<void> =>
  Effect.ignore(write(process.stderr, `${styleText(style, printable(text), { stream: process.stderr })}\n`))
