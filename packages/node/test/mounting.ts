/** Clients of mounted routes: what they see, down to the bytes. */
import { until } from "@wirestack/test-support"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { type ClientOptions, WebSocket as Ws } from "ws"

/** What the `ws` client sees: an open socket, or the answer it got instead. */
export const opening = (url: string, options: ClientOptions & { readonly protocols?: Array<string> } = {}) =>
  Effect.acquireRelease(
    Effect.callback<
      { readonly ws: Ws; readonly status: number | undefined; readonly headers: Record<string, unknown> }
    >(
      (resume) => {
        const ws = new Ws(url, options.protocols ?? [], options)
        ws.on("error", () => {})
        ws.on(
          "upgrade",
          ({ headers, statusCode: status }) => ws.on("open", () => resume(Effect.succeed({ ws, status, headers })))
        )
        ws.on(
          "unexpected-response",
          (_, { headers, statusCode: status }) => resume(Effect.succeed({ ws, status, headers }))
        )
      }
    ),
    ({ ws }) => Effect.sync(() => ws.terminate())
  )

/** The code a `ws` client is closed with. */
export const closing = (ws: Ws) =>
  Effect.callback<number>((resume) => void ws.on("close", (code) => resume(Effect.succeed(code))))

/** The next message that a `ws` client receives. */
export const received = (ws: Ws) =>
  Effect.callback<string>((resume) => void ws.once("message", (data) => resume(Effect.succeed(String(data)))))

/** A request for an upgrade as bytes. */
export const request = (path: string, headers: Record<string, string> = {}): string => {
  const all = {
    Host: "localhost",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...headers
  }
  return `GET ${path} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`
}

/** A short text as a client sends it: masked, with a mask that changes nothing. */
export const frame = (text: string): Uint8Array =>
  Buffer.concat([Uint8Array.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)])

/** A client of bytes, and all that it has received. */
export const raw = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = Net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
      const client = { socket, text: "", ended: false, closed: false }
      socket.on("data", (chunk) => client.text += chunk.toString("latin1"))
      socket.on("end", () => client.ended = true)
      socket.on("close", () => client.closed = true)
      socket.on("error", () => {})
      return client
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** Waits until a client of bytes has received this. */
export const sees = (client: { readonly text: string }, text: string) => until(() => client.text.includes(text))
