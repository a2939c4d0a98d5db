/**
 * RESP3, the protocol of Redis: values, each with a byte in front that says its type.
 *
 *     *2 CRLF $3 CRLF GET CRLF $3 CRLF key CRLF       a command
 *     %1 CRLF +ok CRLF #t CRLF                        a map, { ok: true }
 *     >3 CRLF +message CRLF +news CRLF $2 CRLF hi CRLF    a push, which answers nobody
 *
 * Answers come in the order of the commands, so it is the machine that knows which belongs to which: it sees commands when they leave.
 */
import { Unencodable } from "@wirestack/protocol/ConnectionError"
import { TooLarge } from "@wirestack/protocol/Reason"
import { line } from "../kit/line.ts"
import type { Format, Found } from "../kit/Parsing.ts"
import { aggregates, blobs, integer, scalars, text, type Value, violation } from "./Value.ts"

export type Argument = string | number | Uint8Array

/** A command; it is told apart by its identity. */
export interface Command {
  readonly args: readonly [name: string, ...ReadonlyArray<Argument>]
}

/** What the server says: the answer to a command, or something it says by itself. */
export type Incoming =
  | { readonly _tag: "Answer"; readonly to: Command; readonly value: Value; readonly size: number }
  | { readonly _tag: "Push"; readonly kind: string; readonly values: ReadonlyArray<Value>; readonly size: number }

/** The longest line, and how deep values may lie in one another. */
const maxLine = 65_536
const maxDepth = 32

/** What a value has at least. */
const smallest = "_\r\n".length

const CRLF = Buffer.from("\r\n")

/** A value of which some are still to come. */
interface Open {
  readonly type: string
  readonly count: number
  readonly values: Array<Value>
}

/** How values look on one connection; `limit` is the largest, in bytes. */
export const format = (limit: number): Format<Incoming, Command> => {
  const commands: Array<Command> = []
  const open: Array<Open> = []
  let size = 0

  const incoming = (type: string, value: Value): Incoming => {
    if (type === ">") {
      const [first, ...values] = value as ReadonlyArray<Value>
      const kind = text(first)
      // These commands are answered by a push.
      if (commands[0]?.args[0].toLowerCase() !== kind) return { _tag: "Push", kind, values, size }
    }
    const to = commands.shift()
    if (to === undefined) throw violation("an answer belongs to a command")
    return { _tag: "Answer", to, value, size }
  }

  /** A value is there: perhaps it completes those it lies in. */
  const complete = (type: string, value: Value): Incoming | undefined => {
    const around = open.at(-1)
    if (around === undefined) return incoming(type, value)
    around.values.push(value)
    return close()
  }

  const close = (): Incoming | undefined => {
    const innermost = open.at(-1)
    if (innermost === undefined || innermost.values.length < innermost.count) return undefined
    open.pop()
    // Attributes say something about the value behind them, which nobody has asked for.
    if (innermost.type === "|") return close()
    return complete(innermost.type, aggregates[innermost.type][1](innermost.values))
  }

  const begin = (type: string, count: number): Incoming | undefined => {
    if (type === ">" && (open.length > 0 || count === 0)) throw violation("a push lies in nothing, and has a kind")
    const [each] = aggregates[type]
    bounded(count * each * smallest)
    if (open.length >= maxDepth) {
      throw new TooLarge({ what: "the depth of a value", size: maxDepth + 1, limit: maxDepth })
    }
    open.push({ type, count: count * each, values: [] })
    return close()
  }

  /** Counts what belongs to one value. */
  const took = (bytes: number, message: () => Incoming | undefined): Found<Incoming> => {
    size += bytes
    const weight = size
    const found = message()
    if (open.length === 0) size = 0
    return found === undefined ? { size: bytes } : { size: bytes, weight, message: found }
  }

  const bounded = (more: number): void => {
    if (size + more > limit) throw new TooLarge({ what: "a value", size: size + more, limit })
  }

  return {
    inside: "a value",
    open: () => open.length > 0,
    parse: (bytes) => {
      const type = String.fromCharCode(bytes[0])
      const read = line(bytes, maxLine, 1)
      if (typeof read === "number") return read
      const { end, text } = read
      const scalar = scalars[type]
      bounded(end)
      if (scalar !== undefined) return took(end, () => complete(type, scalar(text)))
      const count = integer(text)
      if (count === -1 && (type === "$" || type === "*")) return took(end, () => complete(type, null))
      if (count < 0) throw violation("a length is not negative")
      if (aggregates[type] !== undefined) return took(end, () => begin(type, count))
      const blob = blobs[type]
      if (blob === undefined) throw violation(`${JSON.stringify(type)} is no type`)
      const whole = end + count + 2
      bounded(whole)
      if (bytes.length < whole) return whole
      if (bytes[whole - 2] !== CRLF[0] || bytes[whole - 1] !== CRLF[1]) throw violation("a string ends in CRLF")
      return took(whole, () => complete(type, blob(bytes.subarray(end, end + count))))
    },
    print: (command) => {
      const pieces: Array<Uint8Array> = [Buffer.from(`*${command.args.length}\r\n`)]
      for (const argument of command.args) {
        const bytes = typeof argument === "object" ? argument : Buffer.from(String(argument))
        if (bytes.length > limit) throw new TooLarge({ what: "an argument", size: bytes.length, limit })
        pieces.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF)
      }
      if (command.args[0] === "") throw new Unencodable({ detail: "a command has a name" })
      commands.push(command)
      return pieces
    }
  }
}
