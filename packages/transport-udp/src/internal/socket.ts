/** Sockets of Node for UDP: made, bound and connected, or the cause why not. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Dgram from "node:dgram"
import type { CommonOptions } from "../Udp.ts"

/** What the system is told about a socket. */
export type SocketOptions = Pick<
  CommonOptions,
  "hopLimit" | "broadcast" | "receiveBufferSize" | "sendBufferSize" | "reusePort" | "ipv6Only"
>

/** Addresses are IP literals: there is nothing to look up, at each datagram. */
const literal = (host: string, _family: unknown, callback: (error: null, address: string) => void): void =>
  callback(null, host)

/** A socket for the family of an address; `shared` if others on this machine may bind to the same one. */
export const make = (address: NetAddress.InetAddress, options: SocketOptions, shared = false): Dgram.Socket => {
  const { ipv6Only = false, reusePort = false } = options
  const type = NetAddress.isIpv4Address(address.address) ? "udp4" : "udp6"
  return Dgram.createSocket({ type, reuseAddr: shared, reusePort, ipv6Only, lookup: literal as any })
}

/** What can be set once a socket is bound. */
const configure = (socket: Dgram.Socket, options: SocketOptions): void => {
  const { broadcast, hopLimit, receiveBufferSize, sendBufferSize } = options
  if (hopLimit !== undefined) socket.setTTL(hopLimit)
  if (broadcast !== undefined) socket.setBroadcast(broadcast)
  if (receiveBufferSize !== undefined) socket.setRecvBufferSize(receiveBufferSize)
  if (sendBufferSize !== undefined) socket.setSendBufferSize(sendBufferSize)
}

/** Closes a socket that may be closed already. */
export const close = (socket: Dgram.Socket): void => {
  try {
    socket.close()
  } catch {
    // It is.
  }
}

/** What is done with a bound socket until it is ready; what it throws or passes on is why it is not. */
export type Prepare = (socket: Dgram.Socket, done: (cause?: unknown) => void) => void

/**
 * Binds a socket and prepares it, or fails with the cause why not; then the socket is closed. Nothing of it waits for the network, so it is not
 * interrupted.
 */
export const ready = (
  make: () => Dgram.Socket,
  options: SocketOptions,
  to: Dgram.BindOptions,
  prepare: Prepare = (_, done) => done()
): Effect.Effect<Dgram.Socket, { readonly cause: unknown }> =>
  Effect.uninterruptible(Effect.callback((resume) => {
    let socket: Dgram.Socket | undefined
    const fail = (cause: unknown): void => {
      if (socket !== undefined) close(socket)
      resume(Effect.fail({ cause }))
    }
    const attempt = (step: () => void): void => {
      try {
        step()
      } catch (cause) {
        fail(cause)
      }
    }
    attempt(() => {
      const made = socket = make()
      made.once("error", fail)
      made.bind(to, () =>
        attempt(() => {
          configure(made, options)
          prepare(made, (cause) => {
            made.removeListener("error", fail)
            if (cause == null) resume(Effect.succeed(made))
            else fail(cause)
          })
        }))
    })
  }))
