/** What a connected TCP socket tells about itself. */
import type * as Duration from "effect/Duration"
import type * as Net from "node:net"
import type { Course } from "../HappyEyeballs.ts"
import type { Address, TcpInfo } from "../TcpInfo.ts"

/** IPv4 as a dual-stack socket reports it: RFC 4291 section 2.5.5.2. */
const mapped = "::ffff:"

const addressOf = (host: string | undefined, port: number | undefined): Address => {
  const text = host ?? ""
  const plain = text.startsWith(mapped) && text.includes(".") ? text.slice(mapped.length) : text
  return { host: plain, port: port ?? 0 }
}

/** Where each connection of a server ends on our side, if it is bound to one address. */
export const localOf = (server: Net.Server): Address | undefined => {
  const { address, port } = server.address() as Net.AddressInfo
  return address === "0.0.0.0" || address === "::" ? undefined : addressOf(address, port)
}

/** Reads what a connected socket knows; `local` is its own end, if that is known already. */
export const infoOf = (
  socket: Net.Socket,
  course: Course<string>,
  connectTime: Duration.Duration,
  local: Address = addressOf(socket.localAddress, socket.localPort)
): TcpInfo["Service"] => {
  const remote = addressOf(socket.remoteAddress, socket.remotePort)
  return {
    local,
    remote,
    family: remote.host.includes(":") ? "IPv6" : "IPv4",
    course,
    connectTime,
    get bytesRead() {
      return socket.bytesRead
    },
    get bytesWritten() {
      return socket.bytesWritten
    }
  }
}
