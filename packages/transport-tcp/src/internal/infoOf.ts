/** What a connected TCP socket tells about itself. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Net from "node:net"
import * as Address from "../Address.ts"
import type { Course } from "../HappyEyeballs.ts"
import { TcpInfo } from "../TcpInfo.ts"

/** Where each connection of a server ends on our side, if it is bound to one address. */
export const localOf = (server: Net.Server): Address.Address | undefined => {
  const { address, port } = server.address() as Net.AddressInfo
  return address === "0.0.0.0" || address === "::" ? undefined : Address.make(address, port)
}

/** Reads what a connected socket knows; `local` is its own end, if that is known already. */
export const infoOf = (
  socket: Net.Socket,
  course: Course<string>,
  connectTime: Duration.Duration,
  local: Address.Address = Address.make(socket.localAddress, socket.localPort)
): TcpInfo["Service"] => {
  const remote = Address.make(socket.remoteAddress, socket.remotePort)
  return {
    local,
    remote,
    family: Address.familyOf(remote),
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

/** Nobody was looked for on the listening side. */
export const none: Course<string> = { lookups: [], attempts: [] }

export const detailsOf = (info: TcpInfo["Service"]) => (): Context.Context<TcpInfo> => Context.make(TcpInfo, info)
