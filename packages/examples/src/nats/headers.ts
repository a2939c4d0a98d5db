/** The headers of a message, and the status that may stand in place of it. */
import { Unencodable } from "@wirestack/protocol/ConnectionError"
import type { Headers, Msg } from "./Operation.ts"
import { violation } from "./violation.ts"

export const parseHeaders = (bytes: Uint8Array): Pick<Msg, "headers" | "status"> => {
  const [first, ...lines] = Buffer.from(bytes).toString().split("\r\n")
  const [, status] = /^NATS\/1\.0(?: *(\d{3}))?/.exec(first) ?? []
  if (!first.startsWith("NATS/1.0")) throw violation("headers begin with NATS/1.0")
  const headers = lines.filter((line) => line !== "").map((line): readonly [string, string] => {
    const colon = line.indexOf(":")
    if (colon < 1) throw violation("a header has a name")
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  return { headers, status: status === undefined ? undefined : Number(status) }
}

export const printHeaders = (headers: Headers): Uint8Array => {
  const lines = headers.map(([name, value]) => {
    if (/[\r\n:]/.test(name) || /[\r\n]/.test(value) || name === "") {
      throw new Unencodable({ detail: "a header has a name, and is one line" })
    }
    return `${name}: ${value}\r\n`
  })
  return Buffer.from(`NATS/1.0\r\n${lines.join("")}\r\n`)
}
