/**
 * Options of sockets. Node takes some when a socket or a server is made, and others for a connected socket only, some of them in
 * newer versions only; an older one leaves these to the system. What is out of its range is found out before there is a socket: the
 * system would ignore it, or Node throw in the turn in which one is accepted.
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

const inRange = (what: string, value: number, first: number, last: number): number => {
  if (Number.isInteger(value) && value >= first && value <= last) return value
  throw new RangeError(`${what} is ${value}, and may be ${first} to ${last}`)
}

/** The system counts whole seconds, and takes none for its own default of hours. */
const wholeSeconds = (what: string, duration: Duration.Input): number =>
  inRange(`${what} in seconds`, Math.max(1, Math.ceil(Duration.toSeconds(duration))), 1, 32_767) * 1_000

const keepAliveOf = (keepAlive: Exclude<Options["keepAlive"], false | undefined>): KeepAlive =>
  typeof keepAlive === "object" && "idle" in keepAlive ? keepAlive : { idle: keepAlive }

/** A peer that has gone may make a setting fail, which then is the end of this connection only. */
const orDestroy = (socket: Net.Socket, set: () => void): void => {
  try {
    set()
  } catch (cause) {
    socket.destroy(cause as Error)
  }
}

/** Throws a `RangeError` for what no system takes. */
export const tuning = ({ keepAlive = false, noDelay = true, typeOfService }: Options): Tuning => {
  const { count, idle, interval } = keepAlive === false ? {} as Partial<KeepAlive> : keepAliveOf(keepAlive)
  const delay = idle === undefined ? undefined : wholeSeconds("keepAlive.idle", idle)
  const probes = interval === undefined ? undefined : wholeSeconds("keepAlive.interval", interval)
  if (count !== undefined) inRange("keepAlive.count", count, 1, 127)
  if (typeOfService !== undefined) inRange("typeOfService", typeOfService, 0, 255)
  return {
    made: { noDelay, ...(delay === undefined ? undefined : { keepAlive: true, keepAliveInitialDelay: delay }) },
    connected: (socket) => {
      if (probes !== undefined || count !== undefined) socket.setKeepAlive(true, delay, probes, count)
      if (typeOfService !== undefined) orDestroy(socket, () => socket.setTypeOfService?.(typeOfService))
    }
  }
}
