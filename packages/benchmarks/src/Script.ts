/**
 * What a load says and must hear, as the file that load/load.c reads.
 *
 * What comes back differs between servers, in how they cut it. So each is asked once, by `learn`, and its answers are
 * read by the rules of the RFC and compared with what was sent; from then on it has to say the same again, byte by byte. What is
 * compressed may differ each time: there it is the messages themselves that have to be the same.
 */
import * as crypto from "node:crypto"
import { once } from "node:events"
import * as net from "node:net"
import * as tls from "node:tls"
import { isDeepStrictEqual } from "node:util"
import type { Contestant } from "./Contestant.ts"
import { Cycle } from "./Cycle.ts"
import * as Frames from "./Frames.ts"
import { make, type Message } from "./Messages.ts"
import type { Workload } from "./Workload.ts"

export interface Script {
  /** What opens a connection, and what its answer must have. */
  readonly request: string
  readonly answer: string
  readonly sent: ReadonlyArray<Uint8Array>
  readonly echoed: ReadonlyArray<Uint8Array>
}

const key = Buffer.from("a load generator").toString("base64")

const accept = crypto.createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")

const offers = {
  "takeover": "permessage-deflate",
  "no-takeover": "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
}

const requestOf = ({ serving }: Workload): string =>
  [
    "GET / HTTP/1.1",
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    ...serving.what === "typed" ? ["Sec-WebSocket-Protocol: events.v1"] : [],
    ...serving.deflate === undefined ? [] : [`Sec-WebSocket-Extensions: ${offers[serving.deflate]}`],
    "",
    ""
  ].join("\r\n")

/**
 * So many different messages that a mix-up shows, and no more than there is room for in a cache. With context takeover an
 * answer depends on all before it, and each is read by itself here: then there is one message.
 */
const countOf = ({ depth, serving, size }: Workload): number =>
  serving.deflate === "takeover" ? 1 : Math.max(Math.min(64, depth), size <= 65_536 ? 8 : 2)

const messagesOf = (workload: Workload): ReadonlyArray<Message> =>
  Array.from({ length: countOf(workload) }, (_, n) => make(workload.kind, n, workload.size))

const connect = (port: number, secure: boolean): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const options = { port, host: "127.0.0.1" }
    const socket = secure
      ? tls.connect({ ...options, rejectUnauthorized: false }, () => resolve(socket))
      : net.connect(options, () => resolve(socket))
    socket.once("error", reject)
  })

/** Reads what comes until `found` finds something in it. */
const until = async <A>(socket: net.Socket, found: (bytes: Buffer) => A | undefined): Promise<A> => {
  let bytes = Buffer.alloc(0)
  while (true) {
    const [chunk] = await once(socket, "data", { signal: AbortSignal.timeout(10_000) }) as [Buffer]
    bytes = Buffer.concat([bytes, chunk])
    const result = found(bytes)
    if (result !== undefined) return result
  }
}

/** An answer that upgrades, with nothing behind it. */
const checkHead = (head: string, { serving }: Workload): void => {
  const wanted = [
    /^HTTP\/1\.1 101 /,
    /^upgrade: websocket\r$/im,
    /^connection: upgrade\r$/im,
    new RegExp(`^sec-websocket-accept: ${accept.replace(/[+/=]/g, "\\$&")}\r$`, "im"),
    ...serving.what === "typed" ? [/^sec-websocket-protocol: events\.v1\r$/im] : [],
    ...serving.deflate === undefined ? [] : [/^sec-websocket-extensions: permessage-deflate/im]
  ]
  const missing = wanted.find((pattern) => !pattern.test(head))
  if (missing !== undefined || !head.endsWith("\r\n\r\n")) throw new Error(`no upgrade: ${missing} in ${head}`)
}

const same = (workload: Workload, sent: Message, received: Message): boolean =>
  workload.kind === "events"
    ? isDeepStrictEqual(JSON.parse(sent as string), JSON.parse(received as string))
    : typeof sent === typeof received && Buffer.from(sent as string).equals(Buffer.from(received as string))

/** Asks a server what it answers, and checks that it is what was sent. */
export const learn = async (workload: Workload, contestant: Contestant, port: number): Promise<Script> => {
  const messages = messagesOf(workload)
  const { deflate, tls } = workload.serving
  if (contestant.bare === true) {
    const bytes = messages.map((message) => Buffer.from(message as string))
    return { request: "", answer: "", sent: bytes, echoed: bytes }
  }
  const request = requestOf(workload)
  const sent = workload.mode === "visit"
    ? [Frames.close]
    : messages.map((message) => Frames.encode(message, deflate !== undefined))
  const socket = await connect(port, tls === true)
  try {
    socket.write(request)
    const head = await until(socket, (bytes) => bytes.includes("\r\n\r\n") ? bytes.toString("latin1") : undefined)
    checkHead(head, workload)
    const echoed: Array<Uint8Array> = []
    for (let n = 0; n < sent.length && workload.mode !== "handshake"; n++) {
      socket.write(sent[n])
      echoed.push(
        await until(socket, (bytes) => {
          if (workload.mode === "visit") return bytes.length >= 4 && bytes[0] === 0x88 ? bytes : undefined
          const read = Frames.read(bytes, 0)
          if (read === undefined) return undefined
          if (deflate !== undefined && (bytes[0] & Frames.Rsv1) === 0) throw new Error("it is not compressed")
          if (read.end !== bytes.length) throw new Error("more came back than was sent")
          if (!same(workload, messages[n], read.message)) throw new Error("something else came back than was sent")
          return deflate === undefined ? bytes : Buffer.from(read.message as string)
        })
      )
    }
    return { request, answer: accept, sent, echoed: workload.mode === "handshake" ? sent : echoed }
  } finally {
    socket.destroy()
  }
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** A script as the bytes of a file. */
export const encode = ({ answer, echoed, request, sent }: Script): Buffer =>
  Buffer.concat([
    number(request.length),
    Buffer.from(request),
    number(answer.length),
    Buffer.from(answer),
    number(sent.length),
    ...sent.flatMap((bytes, n) => [number(bytes.length), number(echoed[n].length)]),
    ...sent,
    ...echoed
  ])

/** The script in the bytes of a file, as who puts it on reads it. */
export const decode = (file: Buffer) => {
  let at = 0
  const number = (): number => file.readUInt32LE((at += 4) - 4)
  const take = (length: number): Buffer => file.subarray(at, at += length)
  const request = take(number())
  const answer = take(number()).toString()
  const sizes = Array.from({ length: number() }, () => [number(), number()] as const)
  const cycle = (sizes: ReadonlyArray<number>): Cycle =>
    new Cycle(take(sizes.reduce((sum, size) => sum + size, 0)), sizes)
  return { request, answer, sent: cycle(sizes.map(([size]) => size)), echoed: cycle(sizes.map(([, size]) => size)) }
}
