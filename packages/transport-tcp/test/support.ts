import type { Connection } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Effect, type Scope } from "effect"
import * as Cause from "effect/Cause"
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

/** Waits until something holds, or the test's time is up. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => holds() ? Effect.void : Effect.andThen(Effect.sleep("2 millis"), until(holds)))

/** All that is received until the end, as one buffer; fails as the pull fails. */
export const collect = <Out>(connection: Connection<Uint8Array, Out>): Effect.Effect<Buffer, ConnectionError> => {
  const chunks: Array<Uint8Array> = []
  const loop: Effect.Effect<Buffer, ConnectionError> = Effect.matchEffect(connection.pull, {
    onSuccess: (batch) => {
      chunks.push(...batch)
      return loop
    },
    onFailure: (error) => Cause.isDone(error) ? Effect.succeed(Buffer.concat(chunks)) : Effect.fail(error)
  })
  return loop
}

/** At least `size` bytes of what is received. */
export const take = <Out>(connection: Connection<Uint8Array, Out>, size: number) =>
  Effect.gen(function*() {
    const chunks: Array<Uint8Array> = []
    for (let length = 0; length < size;) {
      for (const chunk of yield* connection.pull) {
        chunks.push(chunk)
        length += chunk.length
      }
    }
    return Buffer.concat(chunks)
  })

/** How many sockets and servers the process holds. */
export const descriptors = (): number =>
  process.getActiveResourcesInfo().filter((name) => /TCP|Pipe|TLS/.test(name)).length

/** Bytes that tell where in the sequence they are. */
export const pattern = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff))
