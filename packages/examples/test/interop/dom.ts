/** The WebSocket of browsers, which Node has too, with its events in queues. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { type Client, type Closed, Refused } from "./clients.ts"
import type { Message } from "./support.ts"

/** A message as it goes to a page. */
type Sent = string | Uint8Array

interface Init {
  readonly url: string
  readonly protocols: ReadonlyArray<string>
  /** Headers of the request; only Node's takes them. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Opens a socket. Stands on nothing but its argument and the globals, so that it can also be sent to a page. */
export const openSocket = ({ headers, protocols, url }: Init) => {
  const socket = new WebSocket(url, headers === undefined ? [...protocols] : { protocols: [...protocols], headers })
  socket.binaryType = "arraybuffer"
  const received: Array<Sent> = []
  const waiting: Array<(message: Sent) => void> = []
  let errors = 0
  socket.addEventListener("error", () => {
    errors++
  })
  socket.addEventListener("message", ({ data }: { data: string | ArrayBuffer }) => {
    const message = typeof data === "string" ? data : new Uint8Array(data)
    const first = waiting.shift()
    if (first === undefined) received.push(message)
    else first(message)
  })
  const closed = new Promise<{ code: number; reason: string; wasClean: boolean; errors: number }>((resolve) => {
    socket.addEventListener("close", ({ code, reason, wasClean }) => resolve({ code, reason, wasClean, errors }))
  })
  const opened = new Promise<{ protocol: string; extensions: string } | undefined>((resolve) => {
    socket.addEventListener("open", () => resolve({ protocol: socket.protocol, extensions: socket.extensions }))
    socket.addEventListener("close", () => resolve(undefined))
  })
  return {
    opened,
    closed,
    send: (message: Sent) => socket.send(message),
    next: () =>
      new Promise<Sent>((resolve) => {
        const first = received.shift()
        if (first === undefined) waiting.push(resolve)
        else resolve(first)
      }),
    close: (code?: number, reason?: string) => socket.close(code, reason),
    bufferedAmount: () => socket.bufferedAmount
  }
}

type Socket = ReturnType<typeof openSocket>

/** Runs a function on a socket, wherever that is. */
export type On = <A, B>(use: (socket: Socket, argument: A) => B | Promise<B>, argument: A) => Promise<B>

/** A page is sent no Buffer. */
export const sentOf = (message: Message): Sent => typeof message === "string" ? message : new Uint8Array(message)
const bufferOf = (message: Sent): Message => typeof message === "string" ? message : Buffer.from(message)

/** A client on a socket that was just opened; closed again with the scope. */
export const domClient = Effect.fnUntraced(function*(on: On) {
  const run = <A, B>(use: (socket: Socket, argument: A) => B | Promise<B>, argument: A) =>
    Effect.promise(() => on(use, argument))
  yield* Effect.addFinalizer(() => run((socket) => socket.close(), undefined))
  const opened = yield* run((socket) => socket.opened, undefined)
  const closed = run((socket) => socket.closed, undefined)
  if (opened === undefined) {
    assert.deepStrictEqual(yield* closed, { code: 1006, reason: "", wasClean: false, errors: 1 })
    return yield* new Refused({})
  }
  const client: Client = {
    protocol: opened.protocol,
    extensions: opened.extensions.split(", ").flatMap((text) => text === "" ? [] : text.split(";", 1)),
    send: (message) => run((socket, sent) => socket.send(sent), sentOf(message)),
    next: Effect.map(run((socket) => socket.next(), undefined), bufferOf),
    close: (code, reason) => run((socket, [code, reason]) => socket.close(code, reason), [code, reason] as const),
    closed: Effect.map(closed, ({ code, errors, reason, wasClean }): Closed => {
      assert.deepStrictEqual([wasClean, errors], [true, 0])
      return [code, reason]
    })
  }
  return client
})
