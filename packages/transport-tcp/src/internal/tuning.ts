/**
 * Options of sockets. Node takes some when a socket or a server is made, and others for a connected socket only, some of them in
 * newer versions only; an older one leaves these to the system.
 */
import * as Duration from "effect/Duration"
import type * as Net from "node:net"
import type { KeepAlive, Options } from "../Tcp.ts"

/** How sockets are set. */
export interface Tuning {
  /** For sockets and servers that are to be made. */
  readonly made: Pick<Net.ServerOpts, "noDelay" | "keepAlive" | "keepAliveInitialDelay">
  /** Sets the rest, on a connected socket. */
  readonly connected: (socket: Net.Socket) => void
}

/** The system counts whole seconds, and takes none for its own default of hours. */
const wholeSeconds = (duration: Duration.Input): number => Math.max(1, Math.ceil(Duration.toSeconds(duration))) * 1_000

const keepAliveOf = (keepAlive: Exclude<Options["keepAlive"], false | undefined>): KeepAlive =>
  typeof keepAlive === "object" && "idle" in keepAlive ? keepAlive : { idle: keepAlive }

export const tuning = ({ keepAlive = false, noDelay = true, typeOfService }: Options): Tuning => {
  const { count, idle, interval } = keepAlive === false ? {} as Partial<KeepAlive> : keepAliveOf(keepAlive)
  const delay = idle === undefined ? undefined : wholeSeconds(idle)
  const probes = interval === undefined ? undefined : wholeSeconds(interval)
  return {
    made: { noDelay, ...(delay === undefined ? undefined : { keepAlive: true, keepAliveInitialDelay: delay }) },
    connected: (socket) => {
      if (probes !== undefined || count !== undefined) socket.setKeepAlive(true, delay, probes, count)
      if (typeOfService !== undefined) socket.setTypeOfService?.(typeOfService)
    }
  }
}
