/**
 * One TLS handshake over a connection, by whichever path: right on the socket of the connection if it is nothing but a
 * socket, else on a Duplex over its wire. What fails or is interrupted leaves no TLS socket behind; the connection below
 * is closed by whoever made it.
 */
import { type Ask, Negotiated } from "@wirestack/protocol/Ask"
import { ConnectError, type ConnectReason } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Other } from "@wirestack/protocol/Reason"
import * as RawSocket from "@wirestack/protocol/wire/RawSocket"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import type * as NodeTls from "node:tls"
import type { Checks, CommonOptions } from "../Options.ts"
import { TlsInfo } from "../TlsInfo.ts"
import { check } from "./checks.ts"
import { DirectTlsWire } from "./DirectTlsWire.ts"
import { DuplexTlsWire } from "./DuplexTlsWire.ts"
import { type Found, infoOf } from "./info.ts"
import { connectReason, lost, truncated } from "./tlsReason.ts"
import { WireDuplex } from "./WireDuplex.ts"

/** What one handshake does on its side. */
export interface Side {
  /** Puts TLS on a stream and begins. */
  readonly start: (stream: Duplex) => NodeTls.TLSSocket
  /** The event with which the handshake is over. */
  readonly done: "secureConnect" | "secure"
  /** What is wrong with the peer although the handshake went well. */
  readonly objection: (socket: NodeTls.TLSSocket) => ConnectReason | undefined
  /** What there is to know of the peer after that. */
  readonly found: (socket: NodeTls.TLSSocket) => Found
  readonly checks: Checks
  /** Told that the peer was accepted. */
  readonly accepted?: (info: TlsInfo["Service"]) => void
  readonly offered: ReadonlyArray<string>
  readonly options: CommonOptions
}

/** Makes the side of a handshake for a role, once the layer below is ready. */
export type Role = (
  lower: Bytes<never>,
  ask: Ask
) => Effect.Effect<Bytes<TlsInfo | Negotiated>, ConnectError, Scope.Scope>

type Bytes<D> = Connection.Connection<Uint8Array, Uint8Array, D>

const layerName = "tls"

const isSocket = (socket: unknown): socket is Net.Socket => socket instanceof Net.Socket

/** A handshake that went well. */
interface Shaken {
  readonly info: TlsInfo["Service"]
  readonly wire: Wire<Uint8Array, Uint8Array>
}

/** The stream under TLS, and the wire that TLS is then. */
interface Ground {
  readonly stream: Duplex
  readonly path: "direct" | "duplex"
  readonly wire: (socket: NodeTls.TLSSocket) => Wire<Uint8Array, Uint8Array>
  /** Told that the peer has ended before the handshake was over. */
  readonly watch: (gone: (reason: ConnectReason) => void) => void
}

const groundOf = (lower: Wire<Uint8Array, Uint8Array>, leftover: ReadonlyArray<Uint8Array>, side: Side): Ground => {
  const raw = RawSocket.take(lower, isSocket)
  if (raw === undefined) {
    const duplex = new WireDuplex(lower, leftover)
    return {
      stream: duplex,
      path: "duplex",
      wire: (socket) => new DuplexTlsWire(socket, duplex, lower, side.options.truncation ?? "detect"),
      // What had arrived before the end comes first, an alert for one.
      watch: (gone) => duplex.watch((how) => setImmediate(gone, how instanceof ConnectionError ? lost(how) : truncated))
    }
  }
  for (let i = leftover.length - 1; i >= 0; i--) raw.socket.unshift(leftover[i])
  return {
    stream: raw.socket,
    path: "direct",
    wire: (socket) => new DirectTlsWire(socket, raw.socket, lower, raw.adopt?.(socket)),
    watch: () => {}
  }
}

/** What is thrown inside a callback of OpenSSL would end the process. */
const log = (keyLog: (line: string) => void, line: Buffer, fail: (reason: ConnectReason) => void): void => {
  try {
    keyLog(line.toString("latin1").trimEnd())
  } catch (cause) {
    fail(new Other({ cause }))
  }
}

const failure = (reason: ConnectReason): ConnectError => new ConnectError({ layer: layerName, reason })

/** Turns a connection into one that speaks TLS. */
export const handshake = <D>(
  lower: Bytes<D>,
  side: Side
): Effect.Effect<Bytes<D | TlsInfo | Negotiated>, ConnectError, Scope.Scope> =>
  Effect.clockWith((clock) => {
    const start = clock.currentTimeNanosUnsafe()
    const { leftover, over, wire: below } = Connection.release(lower)
    if (over !== undefined) return Effect.fail(failure(over instanceof ConnectionError ? lost(over) : truncated))
    const ground = groundOf(below, leftover, side)
    let socket: NodeTls.TLSSocket | undefined

    const shaking = Effect.callback<Shaken, ConnectError>((resume) => {
      const fail = (reason: ConnectReason): void => resume(Effect.fail(failure(reason)))
      let tls: NodeTls.TLSSocket
      try {
        socket = tls = side.start(ground.stream)
      } catch (cause) {
        return fail(new Other({ cause }))
      }
      const { keyLog } = side.options
      if (keyLog !== undefined) tls.on("keylog", (line) => log(keyLog, line, fail))
      const onError = (cause: unknown): void => fail(connectReason(cause, side.offered))
      const onEnd = (): void => fail(truncated)
      // Stays as a sink: a TLS socket that has failed may do so again.
      tls.on("error", onError)
      tls.on("end", onEnd)
      tls.on("close", onEnd)
      let done = false
      ground.watch((reason) => {
        if (!done) fail(reason)
      })
      tls.once(side.done, () => {
        done = true
        tls.removeListener("end", onEnd)
        tls.removeListener("close", onEnd)
        const objection = side.objection(tls)
        // We are inside a callback of OpenSSL, and what follows may be anything.
        if (objection !== undefined) {
          return void setImmediate(() => {
            below.abort()
            fail(objection)
          })
        }
        const handshakeTime = Duration.nanos(clock.currentTimeNanosUnsafe() - start)
        const info = infoOf(tls, { ...side.found(tls), path: ground.path, handshakeTime })
        const wire = ground.wire(tls)
        tls.removeListener("error", onError)
        setImmediate(() => resume(Effect.succeed({ info, wire })))
      })
    })

    const checked = Effect.tap(shaking, ({ info }) =>
      // Nothing is flushed for a peer that was not accepted.
      Effect.onError(check(info, side.checks), () => Effect.sync(() => below.abort())))
    const made = Effect.flatMap(checked, ({ info, wire }) => {
      side.accepted?.(info)
      return Connection.replace(lower, wire, {
        details: () => Context.make(TlsInfo, info).pipe(Context.add(Negotiated, { protocol: info.alpn }))
      })
    })
    return Effect.onError(made, () =>
      Effect.sync(() => {
        socket?.destroy()
      }))
  })
