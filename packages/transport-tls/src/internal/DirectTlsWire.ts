/**
 * TLS on a socket, which it has taken from the wire below: Node's TLS works on the socket's handle.
 *
 * Node does not tell that a write of TLS's own (tickets, an alert) has failed, and writes nothing more after it, not even what is
 * accepted later. A peer that has cut the connection ends its input too, so that is when we look for what is stuck. How much waits in
 * a handle is not documented.
 */
import { Reset } from "@wirestack/protocol/ConnectionError"
import type { EndOfInput } from "@wirestack/protocol/Outcome"
import { SocketWire } from "@wirestack/protocol/wire/SocketWire"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import type * as Net from "node:net"
import type * as NodeTls from "node:tls"
import { connectionReason } from "./tlsReason.ts"

interface Handle {
  readonly writeQueueSize?: number
}

/** How many bytes wait in the handle of a socket, if it can be told. */
const queued = (socket: Net.Socket): number | undefined =>
  (socket as { readonly _handle?: Handle | null })._handle?.writeQueueSize

export class DirectTlsWire extends SocketWire {
  private readonly tls: NodeTls.TLSSocket
  private readonly raw: Net.Socket

  constructor(
    tls: NodeTls.TLSSocket,
    raw: Net.Socket,
    lower: Wire<Uint8Array, Uint8Array>,
    intake: ConstructorParameters<typeof SocketWire>[2]
  ) {
    super(tls, {
      layer: "tls",
      endOfInput: "unknown",
      copies: true,
      reasonOf: connectionReason,
      // Only the socket below, which takes TLS with it: ending both from inside a callback of OpenSSL ends the process.
      // While it is being shut down it can't be reset, and Node would never close it.
      cut: () => tls.writableEnded && !tls.writableFinished && tls.writableLength === 0 ? raw.destroy() : lower.abort(),
      beneath: lower
    }, intake)
    this.tls = tls
    this.raw = raw
  }

  protected override inputEnds(endOfInput: EndOfInput): void {
    super.inputEnds(endOfInput)
    setImmediate(this.look)
  }

  /** Whether TLS has something to write although all that it gave to the socket is written. */
  private get waiting(): boolean {
    return !this.over && queued(this.tls)! > 0 && queued(this.raw) === 0
  }

  private readonly look = (): void => {
    if (!this.waiting) return
    const { bytesWritten } = this.raw
    // Of a write that went well TLS is told a turn later, and goes on.
    setImmediate(() => {
      if (!this.waiting || this.raw.bytesWritten > bytesWritten) return
      this.fail(this.error(new Reset({ cause: "TLS could not write" })))
      this.tls.destroy()
    })
  }
}
