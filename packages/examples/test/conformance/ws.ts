/** Echoes with `ws`, to compare the suite's verdicts with: `server`, or `client URL --connections N`. */
import { WebSocket, WebSocketServer } from "ws"

const echo = (socket: WebSocket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }))
  socket.on("error", () => {})
}

const limits = { maxPayload: 1 << 26, maxFragments: 131_072 }

const [role, url, , connections] = process.argv.slice(2)
if (role === "server") {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...limits, perMessageDeflate: { threshold: 0 } })
  server.on("connection", echo)
  server.on(
    "listening",
    () => console.log(`listening ws://127.0.0.1:${(server.address() as { readonly port: number }).port}/`)
  )
} else {
  const again = async (): Promise<void> => {
    const socket = new WebSocket(url, { ...limits, perMessageDeflate: { threshold: 0 } })
    echo(socket)
    const refused = await new Promise<boolean>((resolve) => {
      socket.on("unexpected-response", () => {
        resolve(true)
        socket.terminate()
      })
      socket.on("close", () => resolve(false))
    })
    if (!refused) await again()
  }
  await Promise.all(Array.from({ length: Number(connections) }, again))
}
