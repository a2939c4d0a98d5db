/** How operations look on a connection. */
import { Undecodable } from "@wirestack/protocol/ConnectionError"
import { TooLarge } from "@wirestack/protocol/Reason"
import { line } from "../kit/line.ts"
import type { Format, Found } from "../kit/Parsing.ts"
import { parseHeaders } from "./headers.ts"
import type { Incoming, Info, Msg, Outgoing } from "./Operation.ts"
import { print } from "./print.ts"
import { violation } from "./violation.ts"

/** The longest line; that of INFO names all servers of a cluster. */
const maxLine = 65_536
const CRLF = Buffer.from("\r\n")

const sizeOf = (text: string | undefined): number => {
  if (text === undefined || !/^\d{1,9}$/.test(text)) throw violation("a size is a number")
  return Number(text)
}

const infoOf = (json: string): Info => {
  try {
    return JSON.parse(Buffer.from(json, "latin1").toString()) as Info
  } catch (cause) {
    throw new Undecodable({ detail: "INFO is not JSON", cause })
  }
}

/** How operations look on one connection; `limit` is the largest payload with its headers, in bytes. */
export const format = (limit: number, verbose: boolean, heard: () => void = () => {}): Format<Incoming, Outgoing> => {
  /** What awaits PONG, and +OK. */
  const pings: Array<Outgoing> = []
  const asked: Array<Outgoing> = []

  const message = (bytes: Uint8Array, from: number, words: ReadonlyArray<string>, withHeaders: boolean) => {
    const sizes = withHeaders ? 2 : 1
    if (words.length !== 2 + sizes && words.length !== 3 + sizes) throw violation("MSG names a subject, and a size")
    const total = sizeOf(words.at(-1))
    const head = withHeaders ? sizeOf(words.at(-2)) : 0
    if (total > limit) throw new TooLarge({ what: "a message", size: total, limit })
    if (head > total) throw violation("headers are a part of the message")
    const size = from + total + CRLF.length
    if (bytes.length < size) return size
    if (bytes[size - 2] !== CRLF[0] || bytes[size - 1] !== CRLF[1]) throw violation("a payload ends in CRLF")
    const msg: Msg = {
      _tag: "Msg",
      subject: words[0],
      sid: sizeOf(words[1]),
      reply: words.length === 3 + sizes ? words[2] : undefined,
      ...withHeaders ? parseHeaders(bytes.subarray(from, from + head)) : { headers: [], status: undefined },
      payload: bytes.subarray(from + head, from + total)
    }
    return { size, message: msg }
  }

  const parse = (bytes: Uint8Array): Found<Incoming> | number => {
    const read = line(bytes, maxLine)
    if (typeof read === "number") return read
    const { end: size, text } = read
    const [verb] = text.split(/\s/, 1)
    const rest = text.slice(verb.length).trim()
    switch (verb.toUpperCase()) {
      case "MSG":
      case "HMSG":
        return message(bytes, size, rest.split(/\s+/), verb.length === 4)
      case "INFO":
        return { size, message: { _tag: "Info", info: infoOf(rest) } }
      case "PING":
        return { size, message: { _tag: "Ping" } }
      case "PONG":
        return { size, message: { _tag: "Pong", to: pings.shift() } }
      case "+OK":
        return { size, message: { _tag: "Ok", to: asked.shift() } }
      case "-ERR":
        return { size, message: { _tag: "Err", to: asked.shift(), detail: rest.replace(/^'(.*)'$/, "$1") } }
      default:
        throw violation(`${JSON.stringify(verb.slice(0, 20))} is no operation`)
    }
  }

  return {
    inside: "an operation",
    parse: (bytes) => {
      const found = parse(bytes)
      if (typeof found === "object") heard()
      return found
    },
    print: (operation) => {
      const pieces = print(operation, limit)
      if (operation._tag === "Ping") pings.push(operation)
      else if (verbose && operation._tag !== "Pong") asked.push(operation)
      return pieces
    }
  }
}
