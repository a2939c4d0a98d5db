/** The opening handshake of the suite's own peer, in both roles, as RFC 6455 section 4 has it. */
import { createHash, randomBytes } from "node:crypto"
import { once } from "node:events"
import * as Net from "node:net"
import { Broken } from "./Frame.ts"

/** The head of a request or response; the names of its headers are in lower case. */
export interface Head {
  readonly start: string
  readonly headers: ReadonlyMap<string, string>
  /** What came behind it. */
  readonly rest: Buffer
}

const parse = (text: string, rest: Buffer): Head => {
  const [start, ...lines] = text.split("\r\n")
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = /^([^:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    if (name === undefined) throw new Broken(`${JSON.stringify(line)} is no header`)
    const key = name.toLowerCase()
    headers.set(key, headers.has(key) ? `${headers.get(key)}, ${value}` : value)
  }
  return { start, headers, rest }
}

/** Reads the head, within five seconds. */
export const readHead = (socket: Net.Socket): Promise<Head> =>
  new Promise((resolve, reject) => {
    let all = Buffer.alloc(0)
    const timer = setTimeout(() => done(new Broken("there was no handshake for 5 s")), 5000)
    const done = (found: Head | Error) => {
      clearTimeout(timer)
      socket.off("data", data).off("end", end).off("error", end).off("close", end).pause()
      if (found instanceof Error) reject(found)
      else resolve(found)
    }
    const data = (chunk: Buffer) => {
      all = Buffer.concat([all, chunk])
      const at = all.indexOf("\r\n\r\n")
      if (at < 0) return
      try {
        done(parse(all.toString("latin1", 0, at), all.subarray(at + 4)))
      } catch (error) {
        done(error as Error)
      }
    }
    const end = () => done(new Broken(`the connection ended in the handshake, after ${JSON.stringify(String(all))}`))
    socket.on("data", data).on("end", end).on("error", end).on("close", end)
  })

const acceptOf = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")

export interface Opened {
  readonly socket: Net.Socket
  readonly head: Head
}

/** Connects as a client, and reads the server's half. */
export const connect = async (url: string, extensions?: string): Promise<Opened> => {
  const { host, hostname, pathname, port, search } = new URL(url)
  const key = randomBytes(16).toString("base64")
  const socket = Net.connect({ host: hostname, port: Number(port || 80), allowHalfOpen: true, noDelay: true })
  // What goes wrong is seen by whoever reads.
  socket.on("error", () => {})
  try {
    await once(socket, "connect")
    socket.write([
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${key}`,
      "Sec-WebSocket-Version: 13",
      ...extensions === undefined ? [] : [`Sec-WebSocket-Extensions: ${extensions}`],
      "\r\n"
    ].join("\r\n"))
    const head = await readHead(socket)
    const { headers, start } = head
    if (!start.startsWith("HTTP/1.1 101 ")) throw new Broken(`the server answered ${start}`)
    const accept = headers.get("sec-websocket-accept")
    if (accept !== acceptOf(key)) throw new Broken(`Sec-WebSocket-Accept is ${accept}, not ${acceptOf(key)}`)
    if (!/^websocket$/i.test(headers.get("upgrade") ?? "")) throw new Broken("the answer has no Upgrade: websocket")
    if (!/(^|, *)upgrade(,|$)/i.test(headers.get("connection") ?? "")) {
      throw new Broken("the answer has no Connection: Upgrade")
    }
    if (headers.has("sec-websocket-protocol")) throw new Broken("a subprotocol was chosen that was not offered")
    return { socket, head }
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** What a server answers to a client's half, which is checked. */
export const answer = ({ headers, start }: Head, extensions: string | undefined): string => {
  const value = (name: string) => headers.get(name) ?? ""
  const key = value("sec-websocket-key")
  if (!/^GET \S+ HTTP\/1\.1$/.test(start)) throw new Broken(`the request is ${start}`)
  if (value("host") === "") throw new Broken("the request has no Host")
  if (!/^websocket$/i.test(value("upgrade"))) throw new Broken("the request has no Upgrade: websocket")
  if (!/(^|, *)upgrade(,|$)/i.test(value("connection"))) throw new Broken("the request has no Connection: Upgrade")
  if (Buffer.from(key, "base64").length !== 16) throw new Broken(`Sec-WebSocket-Key is ${key}, not 16 bytes`)
  if (value("sec-websocket-version") !== "13") throw new Broken("Sec-WebSocket-Version is not 13")
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptOf(key)}`,
    ...extensions === undefined ? [] : [`Sec-WebSocket-Extensions: ${extensions}`],
    "\r\n"
  ].join("\r\n")
}
