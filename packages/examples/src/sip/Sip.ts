/**
 * SIP on WebSockets (RFC 3261, RFC 7118): a typed subprotocol, `sip`, whose format is that of its messages.
 *
 *     OPTIONS sip:example.com SIP/2.0          SIP/2.0 200 OK
 *     Via: SIP/2.0/WS x.invalid;branch=...     Via: SIP/2.0/WS x.invalid;branch=...
 *     CSeq: 1 OPTIONS                          CSeq: 1 OPTIONS
 *     ...                                      ...
 *
 * A message is one of the WebSocket, text or bytes. Both sides send requests and responses.
 */
import * as Codec from "@wirestack/protocol/Codec"
import * as Subprotocol from "@wirestack/protocol/Subprotocol"
import * as Schema from "effect/Schema"

/** Headers in their order, by their long names. */
export const Headers = Schema.Array(Schema.Tuple([Schema.String, Schema.String]))
export type Headers = typeof Headers.Type

export const Request = Schema.TaggedStruct("Request", {
  method: Schema.String,
  uri: Schema.String,
  headers: Headers,
  body: Schema.String
})
export type Request = typeof Request.Type

export const Response = Schema.TaggedStruct("Response", {
  status: Schema.Int.check(Schema.isBetween({ minimum: 100, maximum: 699 })),
  reason: Schema.String,
  headers: Headers,
  body: Schema.String
})
export type Response = typeof Response.Type

export const Message = Schema.Union([Request, Response])
export type Message = typeof Message.Type

export class Sip extends Subprotocol.Service<Sip>()("sip", { client: Message, server: Message }) {}

/** The values of a header, in order. */
export const values = ({ headers }: Message, name: string): ReadonlyArray<string> =>
  headers.filter(([other]) => other.toLowerCase() === name.toLowerCase()).map(([, value]) => value)

/** The first value of a header that every message has. */
export const value = (message: Message, name: "Via" | "From" | "To" | "Call-ID" | "CSeq"): string =>
  values(message, name)[0]

/** The short forms of names, section 7.3.3. */
const short: Readonly<Record<string, string>> = {
  c: "Content-Type",
  e: "Content-Encoding",
  f: "From",
  i: "Call-ID",
  k: "Supported",
  l: "Content-Length",
  m: "Contact",
  s: "Subject",
  t: "To",
  v: "Via"
}

const maxHeaders = 200

/** Without these nobody knows whose message it is, section 8.1.1. */
const mandatory = ["Via", "From", "To", "Call-ID", "CSeq"]

const headerOf = (line: string): Headers[number] => {
  const colon = line.indexOf(":")
  const name = line.slice(0, colon).trim()
  if (!/^[\w!%'*+.`~-]+$/.test(name)) throw new Error("a header has a name")
  return [short[name.toLowerCase()] ?? name, line.slice(colon + 1).trim()]
}

const startOf = (
  line: string
): Pick<Request, "_tag" | "method" | "uri"> | Pick<Response, "_tag" | "status" | "reason"> => {
  const response = /^SIP\/2\.0 (\d{3}) (.*)$/i.exec(line)
  if (response !== null) return { _tag: "Response", status: Number(response[1]), reason: response[2] }
  const request = /^(\S+) (\S+) SIP\/2\.0$/i.exec(line)
  if (request === null) throw new Error("a message begins with a request line or a status line")
  return { _tag: "Request", method: request[1], uri: request[2] }
}

/** As much of what is behind the headers as they say, or all of it. */
const bodyOf = (bytes: Buffer, headers: Headers): string => {
  const length = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1] ?? `${bytes.length}`
  if (!/^\d{1,9}$/.test(length) || Number(length) > bytes.length) throw new Error("the body is shorter than it says")
  return bytes.toString("utf8", 0, Number(length))
}

const parse = (message: string | Uint8Array): unknown => {
  const bytes = Buffer.from(message as Uint8Array)
  const end = bytes.indexOf("\r\n\r\n")
  if (end < 0) throw new Error("an empty line ends the headers")
  // A line that begins with a blank goes on with the one before it.
  const [first, ...lines] = bytes.toString("utf8", 0, end).replace(/\r\n[ \t]+/g, " ").split("\r\n", maxHeaders + 2)
  if (lines.length > maxHeaders) throw new Error(`a message has at most ${maxHeaders} headers`)
  const headers = lines.map(headerOf)
  const missing = mandatory.find((name) => !headers.some(([other]) => other.toLowerCase() === name.toLowerCase()))
  if (missing !== undefined) throw new Error(`a message has the header ${missing}`)
  return { ...startOf(first), headers, body: bodyOf(bytes.subarray(end + 4), headers) }
}

/** What has a line of its own can't hold another. */
const oneLine = (line: string): string => {
  if (/[\r\n]/.test(line)) throw new Error("what is in a line has no line end")
  return line
}

const print = (value: unknown): string => {
  const message = value as Message
  const start = message._tag === "Request"
    ? `${message.method} ${message.uri} SIP/2.0`
    : `SIP/2.0 ${message.status} ${message.reason}`
  const lines = message.headers.map(([name, value]) => oneLine(`${name}: ${value}`))
  const length = `Content-Length: ${Buffer.byteLength(message.body)}`
  return [oneLine(start), ...lines, length, "", message.body].join("\r\n")
}

/** How messages look. `Content-Length` is written by itself. */
export const codec = Codec.make({ format: "SIP", parse, print })
