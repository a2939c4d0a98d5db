/** What a connected TCP socket tells about itself. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Net from "node:net"
import { type Address, TcpInfo } from "../TcpInfo.ts"

/** IPv4 as a dual-stack socket reports it: RFC 4291 section 2.5.5.2. */
const mapped = "::ffff:"

const addressOf = (host: string | undefined, port: number | undefined): Address => {
  const text = host ?? ""
  const plain = text.startsWith(mapped) && text.includes(".") ? text.slice(mapped.length) : text
  return { host: plain, port: port ?? 0 }
}

/** Reads what a connected socket knows. */
export const infoOf = (
  socket: Net.Socket,
  tried: ReadonlyArray<string>,
  connectTime: Duration.Duration
): Context.Context<TcpInfo> => {
  const remote = addressOf(socket.remoteAddress, socket.remotePort)
  return Context.make(TcpInfo, {
    local: addressOf(socket.localAddress, socket.localPort),
    remote,
    family: remote.host.includes(":") ? "IPv6" : "IPv4",
    tried,
    connectTime
  })
}
