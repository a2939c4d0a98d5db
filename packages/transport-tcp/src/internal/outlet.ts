/**
 * Writes past the stream of a socket (see `Outlet`), right to its handle. How a handle is written to is not documented: the kind of
 * request it takes is looked up in a stand-in that is written to in the ordinary way.
 */
import type { Outlet } from "@wirestack/protocol/SocketWire"
import * as Net from "node:net"
import { getSystemErrorName } from "node:util"
import { capable } from "./adopt.ts"

/** What a handle is given with each write. */
interface Request {
  /** Told when a write that was not over at once is. */
  oncomplete?: (status: number) => void
  /** Keeps alive what is written. */
  buffer?: Uint8Array
}

interface Handle {
  readonly writeQueueSize: number
  readonly writeBuffer: (request: Request, bytes: Uint8Array) => number
}

/** The kind of request that a socket gives to its handle, if this is how it writes. */
const requestKind = (): (new() => Request) | undefined => {
  let kind: (new() => Request) | undefined
  const handle = {
    writeBuffer: (request: object) => {
      kind = request.constructor as new() => Request
      return 0
    },
    readStart: () => 0,
    readStop: () => 0,
    close: () => {}
  }
  try {
    const options: object = { handle, pauseOnCreate: true }
    new Net.Socket(options).on("error", () => {}).write(new Uint8Array(1))
    return kind !== undefined && new kind() instanceof kind ? kind : undefined
  } catch {
    return undefined
  }
}

const Request = requestKind()

/** Serves the next write, and again if that is over at once. */
let spare = Request === undefined ? undefined : new Request()

const failure = (status: number): Error => {
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: "write" })
}

class HandleOutlet implements Outlet {
  onDrained: (() => void) | undefined = undefined
  private readonly socket: Net.Socket
  /** Writes that were not over at once. */
  private open = 0

  constructor(socket: Net.Socket) {
    this.socket = socket
  }

  get waiting(): number {
    return this.open === 0 ? 0 : handleOf(this.socket)?.writeQueueSize ?? 0
  }

  write(bytes: Uint8Array): boolean {
    const handle = handleOf(this.socket)
    if (handle === undefined || this.socket.destroyed || this.socket.connecting) return false
    const request = spare!
    const status = handle.writeBuffer(request, bytes)
    if (status !== 0) this.socket.destroy(failure(status))
    else if (handle.writeQueueSize > 0) this.await(request, bytes)
    return true
  }

  /** The handle has the request until it is over. */
  private await(request: Request, bytes: Uint8Array): void {
    spare = new Request!()
    this.open++
    request.buffer = bytes
    request.oncomplete = (status) => {
      this.open--
      if (this.socket.destroyed) return
      if (status !== 0) this.socket.destroy(failure(status))
      else if (this.waiting === 0) this.onDrained?.()
    }
  }
}

/** The handle of a socket, if it is one that can be written to. */
const handleOf = (socket: Net.Socket): Handle | undefined => {
  const handle = (socket as { readonly _handle?: Partial<Handle> | null })._handle
  return typeof handle?.writeQueueSize === "number" && typeof handle.writeBuffer === "function"
    ? handle as Handle
    : undefined
}

/** An outlet for a connected socket, if that can be. */
export const outletOf = (socket: Net.Socket): Outlet | undefined =>
  spare === undefined || !capable.accepted || handleOf(socket) === undefined ? undefined : new HandleOutlet(socket)
