/** How operations are written. */
import { Unencodable } from "@wirestack/protocol/ConnectionError"
import { TooLarge } from "@wirestack/protocol/Reason"
import { printHeaders } from "./headers.ts"
import type { Outgoing, Pub } from "./Operation.ts"

const CRLF = Buffer.from("\r\n")
const none = new Uint8Array(0)

/** A token stands between blanks, in one line. */
const token = (what: string, text: string): string => {
  if (!/^[^\s\0]+$/.test(text)) throw new Unencodable({ detail: `${what} is not empty, and has no blanks` })
  return text
}

const published = ({ headers, payload, reply, subject }: Pub, limit: number): ReadonlyArray<Uint8Array> => {
  const head = headers === undefined ? none : printHeaders(headers)
  const size = head.length + payload.length
  if (size > limit) throw new TooLarge({ what: "a message", size, limit })
  const to = reply === undefined
    ? token("a subject", subject)
    : `${token("a subject", subject)} ${token("a reply", reply)}`
  const control = headers === undefined ? `PUB ${to} ${size}` : `HPUB ${to} ${head.length} ${size}`
  return [Buffer.from(`${control}\r\n`), head, payload, CRLF]
}

/** An operation in pieces; `limit` is the largest payload with its headers. */
export const print = (operation: Outgoing, limit: number): ReadonlyArray<Uint8Array> => {
  switch (operation._tag) {
    case "Pub":
      return published(operation, limit)
    case "Sub": {
      const queue = operation.queue === undefined ? "" : ` ${token("a queue group", operation.queue)}`
      return [Buffer.from(`SUB ${token("a subject", operation.subject)}${queue} ${operation.sid}\r\n`)]
    }
    case "Unsub":
      return [Buffer.from(`UNSUB ${operation.sid}\r\n`)]
    case "Connect":
      return [Buffer.from(`CONNECT ${JSON.stringify(operation.options)}\r\n`)]
    default:
      return [Buffer.from(`${operation._tag.toUpperCase()}\r\n`)]
  }
}
