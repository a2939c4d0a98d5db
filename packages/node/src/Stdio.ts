/**
 * Our own standard input and output as a connection, for a process that somebody else has started to talk to: a language server, a
 * plugin, the other side of `ChildProcess`.
 *
 *     Chat.serve()("memory:stdio", handler).pipe(Layer.provide(Stdio.layer()))
 *
 * The contract:
 *
 * - There is one connection. It is accepted by the first listener or given to the first connect, whatever their endpoint; then
 *   `StreamUnusable`.
 * - A listener does not end with it, though no other can come: a program that has nothing else to do ends itself then, or its peer
 *   leaves it behind.
 * - Output to a pipe does not block the process, as `process.stdout` does on POSIX, but is held back as on any connection.
 * - The end of the output closes stdout, and the peer sees it. Nothing else may write there before, and what is written after that goes
 *   nowhere: have logs go to stderr.
 */

import type { Endpoint } from "@wirestack/protocol/Endpoint"
import { Other } from "@wirestack/protocol/Reason"
import type * as Transport from "@wirestack/protocol/Transport"
import * as Duplex from "@wirestack/transport-streams/Duplex"
import type { DuplexInfo } from "@wirestack/transport-streams/DuplexInfo"
import type { Accept } from "@wirestack/transport-streams/Source"
import { StreamUnusable } from "@wirestack/transport-streams/StreamUnusable"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"

/** What a stack on standard input and output can do. */
export type Can = Transport.Connect | Transport.Listen | DuplexInfo

const stdout = 1

/** Closes stdout, which libuv leaves open, and puts nothing in its place, so that nobody else's file or socket comes to be there. */
const closeStdout = (): void => {
  Fs.closeSync(stdout)
  Fs.openSync(Os.devNull, "w")
}

/** Only a pipe can be written without blocking; a file or a terminal is written as Node does it. */
const output = (): Duplex.WritableLike => {
  try {
    return new Net.Socket({ fd: stdout, readable: false, writable: true }).once("close", closeStdout)
  } catch {
    return process.stdout
  }
}

let taken = false

const take: Effect.Effect<Duplex.DuplexLike, StreamUnusable> = Effect.suspend(() => {
  if (taken) return Effect.fail(new StreamUnusable({ detail: "standard input and output are in use" }))
  taken = true
  return Effect.succeed(Duplex.join(process.stdin, output()))
})

/**
 * A transport on standard input and output.
 *
 * @category layers
 */
export const layer = (): Layer.Layer<Transport.ByteTransport<Can>> =>
  Duplex.layer({
    connect: () => take,
    listen: (_: Endpoint, accept: Accept<Duplex.DuplexLike>) =>
      Effect.flatMap(take, (duplex) => {
        const refusal = accept(duplex)
        if (refusal === undefined) return Effect.void
        return Effect.fail(refusal._tag === "StreamUnusable" ? refusal : new Other({ cause: refusal }))
      })
  }, { layer: "stdio" })
