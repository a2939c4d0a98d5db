/**
 * Writes past the stream of a socket (see `Outlet`), right to its handle. How a handle is written to is not documented: the kind of
 * request it takes is looked up in a stand-in that is written to in the ordinary way.
 */
import type { Outlet } from "@wirestack/protocol/wire/SocketWire"
import type * as Net from "node:net"
import { getSystemErrorName } from "node:util"
import { capable } from "./adopt.ts"
import { standIn } from "./standIn.ts"

/** What a handle is given with each write: if that is not over at once the handle keeps it, and tells when it is. */
interface Request {
  oncomplete?: (this: Request, status: number) => void
  outlet?: HandleOutlet
  /** What is written and waits, kept alive. */
  waiting?: Uint8Array
}

interface Handle {
  readonly writeQueueSize: number
  readonly writeBuffer: (request: Request, bytes: Uint8Array) => number
}

/** The kind of request that a socket gives to its handle, if this is how it writes. */
const requestKind = (): (new() => Request) | undefined => {
  let kind: (new() => Request) | undefined
  const writeBuffer = (request: object): number => {
    kind = request.constructor as new() => Request
    return 0
  }
  try {
    standIn({ writeBuffer }).on("error", () => {}).write(new Uint8Array(1))
    return kind !== undefined && new kind() instanceof kind ? kind : undefined
  } catch {
    return undefined
  }
}

const Request = requestKind()

/** Whether this Node can be written to so: a newer one gives its handles no request at first, and needs none of this. */
export const writesPast = Request !== undefined

const failure = (status: number): Error => {
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: "write" })
}

function completed(this: Request, status: number): void {
  this.outlet!.completed(status, this.waiting !== undefined)
}

class HandleOutlet implements Outlet {
  onDrained: (() => void) | undefined = undefined
  private readonly socket: Net.Socket
  /** Writes that had to wait. */
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
    const request = new Request!()
    request.oncomplete = completed
    request.outlet = this
    const status = handle.writeBuffer(request, bytes)
    if (status !== 0) this.socket.destroy(failure(status))
    else if (handle.writeQueueSize > 0) {
      request.waiting = bytes
      this.open++
    }
    return true
  }

  /** A write is over that was not at once, because it `waited` or because it took the system two steps. */
  completed(status: number, waited: boolean): void {
    if (waited) this.open--
    if (this.socket.destroyed) return
    if (status !== 0) this.socket.destroy(failure(status))
    else if (waited && this.waiting === 0) this.onDrained?.()
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
  !writesPast || !capable.accepted || handleOf(socket) === undefined ? undefined : new HandleOutlet(socket)
