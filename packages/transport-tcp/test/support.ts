import { Effect, type Scope } from "effect"
import * as Net from "node:net"

/** A bare server on a free port of 127.0.0.1, or on a path. */
export const bareServer = (
  onSocket: (socket: Net.Socket) => void,
  options: Net.ServerOpts & { readonly path?: string } = {}
): Effect.Effect<{ readonly port: number }, never, Scope.Scope> => {
  const sockets = new Set<Net.Socket>()
  const listening = Effect.callback<Net.Server>((resume) => {
    const server = Net.createServer({ allowHalfOpen: true, ...options }, (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
      socket.on("error", () => {})
      onSocket(socket)
    })
    const done = () => resume(Effect.succeed(server))
    if (options.path === undefined) server.listen(0, "127.0.0.1", done)
    else server.listen(options.path, done)
  })
  const close = (server: Net.Server) =>
    Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
  return Effect.map(Effect.acquireRelease(listening, close), (server) => ({
    port: options.path === undefined ? (server.address() as Net.AddressInfo).port : 0
  }))
}

/** A bare client, connected. */
export const bareClient = (options: Net.NetConnectOpts): Effect.Effect<Net.Socket, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback((resume) => {
      const socket = Net.connect({ allowHalfOpen: true, ...options } as Net.NetConnectOpts)
      socket.once("error", (error) => resume(Effect.fail(error)))
      socket.once("connect", () => {
        socket.on("error", () => {})
        resume(Effect.succeed(socket))
      })
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Waits for an event of a socket. */
export const event = (emitter: NodeJS.EventEmitter, name: string): Effect.Effect<unknown> =>
  Effect.callback((resume) => {
    emitter.once(name, (value) => resume(Effect.succeed(value)))
  })
