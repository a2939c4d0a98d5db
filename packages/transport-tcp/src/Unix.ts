/**
 * Unix domain sockets: a transport of bytes to `unix:PATH`.
 *
 * A listener owns its socket file and removes it when it closes. A file left behind by a process that died is replaced;
 * one that somebody listens on is `AddressInUse`, and so is any file that is not a socket.
 *
 * `unix:@NAME` is an abstract name of Linux: no file, and gone with the last that has it open. A file of such a name is
 * `unix:./@NAME`. Whoever is in the same network namespace may connect, as no file has permissions.
 *
 * An abort looks to the peer like an ordinary end of input, unless something it sent had not been read.
 */

import { type Ask, lacking } from "@wirestack/protocol/Ask"
import { ConnectError, InvalidEndpoint, Unreachable } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Listener from "@wirestack/protocol/Listener"
import { AddressInUse, ListenError, type ListenReason } from "@wirestack/protocol/ListenError"
import * as Transport from "@wirestack/protocol/Transport"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { Buffer } from "node:buffer"
import * as Fs from "node:fs/promises"
import type * as Net from "node:net"
import * as Path from "node:path"
import { dial, now } from "./internal/dial.ts"
import { bind, type Open, SocketAcceptor } from "./internal/SocketAcceptor.ts"
import { details, layerName, wireOf } from "./internal/unixWire.ts"
import type { UnixInfo } from "./UnixInfo.ts"

/** How Unix sockets are used. */
export interface Options {
  /** How many connections the system holds for a listener that has not taken them yet; 511 by default. */
  readonly backlog?: number
}

/** What a stack on a Unix socket can do. */
export type Can = Transport.Connect | Transport.Listen | UnixInfo

/** The room for a path in `sockaddr_un`, less the final zero; a longer one would be cut off silently. */
const maxPath = process.platform === "linux" ? 107 : 103

const isAbstract = (path: string): boolean => path.startsWith("@")

/** A path as the system has it. */
const systemPath = (path: string): string => isAbstract(path) ? `\0${path.slice(1)}` : path

const pathOf = (ask: Ask): Effect.Effect<string, InvalidEndpoint> => {
  const { place } = ask.endpoint
  const invalid = (detail: string) => Effect.fail(new InvalidEndpoint({ input: Endpoint.format(ask.endpoint), detail }))
  if (place._tag !== "Unix") return invalid("this transport connects to unix:PATH only")
  if (isAbstract(place.path) && process.platform !== "linux") return invalid("abstract names are of Linux only")
  return Buffer.byteLength(place.path) > maxPath
    ? invalid(`the path is longer than ${maxPath} bytes`)
    : Effect.succeed(place.path)
}

/** What identifies the socket file at a path; undefined if there is none, or it is something else. */
const identify = (path: string): Effect.Effect<string | undefined> =>
  Effect.promise(() =>
    Fs.lstat(path).then(
      (stat) => stat.isSocket() ? `${stat.dev}:${stat.ino}:${stat.ctimeMs}` : undefined,
      () => undefined
    )
  )

/** Binds; a socket file on which nobody answers is replaced. */
const bindReplacing = (path: string, backlog: number): Effect.Effect<Net.Server, ListenReason> => {
  const address = `unix:${path}`
  const binding = bind({}, { path: systemPath(path), backlog }, address)
  const inUse = (cause: unknown) => Effect.fail(new AddressInUse({ address, cause }))
  const folderExists = Effect.promise(() => Fs.stat(Path.dirname(path)).then(() => true, () => false))
  return Effect.catchTags(binding, {
    // A folder that does not exist comes as EACCES too.
    Forbidden: (reason) =>
      Effect.flatMap(
        folderExists,
        (exists) => Effect.fail(exists ? reason : new Unreachable({ address, cause: reason.cause }))
      ),
    AddressInUse: ({ cause }) =>
      Effect.gen(function*() {
        const before = yield* identify(path)
        if (isAbstract(path) || before === undefined) return yield* inUse(cause)
        const answer = yield* Effect.flip(dial({ path }, address, (socket) => socket.destroy())).pipe(
          Effect.catch(() => inUse(cause))
        )
        if (answer._tag !== "Refused" || (yield* identify(path)) !== before) return yield* inUse(cause)
        yield* Effect.promise(() => Fs.unlink(path).catch(() => undefined))
        return yield* binding
      })
  })
}

const make = (options: Options): Transport.Transport<Uint8Array, Uint8Array> => {
  const connect = (ask: Ask, path: string) => {
    let connected: Net.Socket | undefined
    const dialing = dial({ path: systemPath(path) }, `unix:${path}`, (socket, intake) => {
      connected = socket
      return wireOf(socket, intake)
    })
    return Effect.onError(
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const start = yield* now
          const wire = yield* restore(dialing)
          const time = Duration.millis((yield* now) - start)
          return yield* Connection.make(wire, {
            details: () => details(path, time),
            ask
          })
        })
      ),
      () => Effect.sync(() => connected?.destroy())
    )
  }

  return {
    connect: (ask) =>
      Effect.suspend(() => {
        const missing = lacking(ask)
        return missing === undefined ? Effect.flatMap(pathOf(ask), (path) => connect(ask, path)) : Effect.fail(missing)
      }).pipe(Effect.mapError((reason) => new ConnectError({ layer: layerName, reason }))),
    listen: (ask) =>
      Effect.suspend(() => {
        const missing = lacking(ask)
        if (missing !== undefined) return Effect.fail(missing)
        return Effect.flatMap(pathOf(ask), (path) =>
          Effect.uninterruptible(Effect.flatMap(bindReplacing(path, options.backlog ?? 511), (server) => {
            const open: Open<UnixInfo> = (socket, intake) => ({
              wire: wireOf(socket, intake),
              details: () =>
                details(path, Duration.zero)
            })
            return Listener.make(new SocketAcceptor(layerName, server, ask.endpoint, open), ask)
          })))
      }).pipe(Effect.mapError((reason) =>
        new ListenError({ layer: layerName, reason })
      ))
  }
}

/**
 * A transport over Unix domain sockets.
 *
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Transport.ByteTransport<Can>> =>
  Transport.layer<"bytes", Uint8Array, Uint8Array, Uint8Array, Uint8Array, Can>(
    Transport.Bytes,
    Effect.sync(() => make(options))
  )
