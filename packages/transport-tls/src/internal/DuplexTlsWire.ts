/**
 * TLS on top of another wire: the TLS socket works on a `WireDuplex`, and the end of the wire below passes by here.
 *
 * A close_notify makes the TLS socket end while the wire below is still open. If the wire below ends first, everything
 * that arrived is deciphered and delivered before the verdict; then the input was cut off, and `truncation` says what
 * becomes of that. While our own side closes, a missing answer to our close_notify is in order.
 */
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Draft, EndOfInput, Why } from "@wirestack/protocol/Outcome"
import { Truncated } from "@wirestack/protocol/Reason"
import { SocketWire } from "@wirestack/protocol/wire/SocketWire"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import type * as NodeTls from "node:tls"
import { connectionReason } from "./tlsReason.ts"
import type { WireDuplex } from "./WireDuplex.ts"

export class DuplexTlsWire extends SocketWire {
  override readonly lower: Wire<Uint8Array, Uint8Array>
  private readonly tls: NodeTls.TLSSocket
  private readonly duplex: WireDuplex
  private readonly truncation: "detect" | "ignore"
  private lowerOver: EndOfInput | ConnectionError | undefined = undefined
  private looking = false
  private finished = false

  constructor(
    tls: NodeTls.TLSSocket,
    duplex: WireDuplex,
    lower: Wire<Uint8Array, Uint8Array>,
    truncation: "detect" | "ignore"
  ) {
    super(tls, { layer: "tls", copies: true, reasonOf: connectionReason })
    this.lower = lower
    this.tls = tls
    this.duplex = duplex
    this.truncation = truncation
    duplex.settle()
    duplex.watch((how) => {
      this.lowerOver = how
      if (how instanceof ConnectionError) {
        this.fail(how)
        this.retire()
      } else this.look()
    })
    duplex.finished = () => {
      this.finished = true
      if (this.closing) this.settle()
      // A half-close: TLS writes nothing after its close_notify.
      else if (lower.halfClose) lower.end()
    }
    // Each step of deciphering may have been the last: of the records, and of what was made of them.
    duplex.on("data", this.look)
    tls.on("data", this.look)
  }

  /** Once the wire below has ended: waits until nothing is left to decipher or deliver, then draws the conclusion. */
  private readonly look = (): void => {
    if (this.lowerOver === undefined || this.looking || this.inputOver !== undefined || !this.drained) return
    this.looking = true
    // An end that TLS has seen comes up within this turn.
    setImmediate(() => {
      this.looking = false
      if (this.inputOver !== undefined || this.over || !this.drained) return
      if (this.closing) this.retire()
      else if (this.truncation === "ignore") this.inputEnds("unannounced")
      else {
        this.fail(this.error(new Truncated({ inside: "the TLS stream" })))
        this.retire()
      }
    })
  }

  private get drained(): boolean {
    return this.duplex.idle && this.tls.readableLength === 0
  }

  /** Nothing more can come of the TLS socket. */
  private retire(): void {
    this.drop(0)
    this.tls.destroy()
  }

  override close(_why: Why, settled: () => void): void {
    if (this.over || this.finished) return settled()
    this.settled = settled
    this.closing = true
    this.end()
    this.tls.resume()
  }

  override abort(): void {
    super.abort()
    this.lower.abort()
    this.settle()
  }

  override report(outcome: Draft): void {
    super.report(outcome)
    outcome.endOfInput = this.inputOver ?? (this.closing ? "unknown" : "unannounced")
  }
}
