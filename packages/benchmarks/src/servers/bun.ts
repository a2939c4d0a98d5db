/** Bun's server; this file runs on Bun. */
import { maxMessageSize, told } from "../Serving.ts"
import { ready } from "./ready.ts"

/** What of Bun is used here. */
interface Socket {
  send(data: string | Uint8Array, compress?: boolean): number
  subscribe(topic: string): void
}

interface Runtime {
  serve(options: object): { readonly port: number; publish(topic: string, data: string | Uint8Array): void }
}

const { deflate, tls, what } = told()
const { Bun } = globalThis as unknown as { readonly Bun: Runtime }

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  ...tls === undefined ? {} : { tls },
  fetch: (request: Request, server: { upgrade(request: Request): boolean }) =>
    server.upgrade(request) ? undefined : new Response("a WebSocket is wanted", { status: 426 }),
  websocket: {
    maxPayloadLength: maxMessageSize,
    backpressureLimit: 4 * maxMessageSize,
    perMessageDeflate: deflate !== undefined,
    open: (socket: Socket) => {
      if (what === "broadcast") socket.subscribe("all")
    },
    message: (socket: Socket, data: string | Uint8Array) => {
      if (what === "broadcast") server.publish("all", data)
      else if (what === "typed") socket.send(JSON.stringify(JSON.parse(data as string)))
      else socket.send(data, deflate !== undefined)
    }
  }
})
ready(server.port)
