/**
 * A Node Duplex that reads and writes a wire, for Node's TLS to stand on where there is no socket.
 *
 * Backpressure goes through both ways: the wire is paused while the Duplex is full, and a write is confirmed only when
 * the wire has room again. The end of the wire's input is not passed on but told to who watches, because only the layer
 * above can say whether TLS had ended before it.
 */
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { EndOfInput } from "@wirestack/protocol/Outcome"
import type { Receiver, Wire } from "@wirestack/protocol/wire/Wire"
import { Duplex } from "node:stream"

type Callback = (error?: Error | null) => void

export class WireDuplex extends Duplex implements Receiver<Uint8Array> {
  /** Told when all that TLS had to say, its close_notify included, was handed to the wire. */
  finished: () => void = () => {}
  private readonly wire: Wire<Uint8Array, Uint8Array>
  private leftover: ReadonlyArray<Uint8Array>
  private over: EndOfInput | ConnectionError | undefined = undefined
  private watcher: ((how: EndOfInput | ConnectionError) => void) | undefined = undefined
  private waiting: Callback | undefined = undefined
  /** What arrived during the handshake and waits for its turn, in order; undefined once that is over. */
  private held: Array<ReadonlyArray<Uint8Array>> | undefined = []
  private shaken = false

  constructor(wire: Wire<Uint8Array, Uint8Array>, leftover: ReadonlyArray<Uint8Array>) {
    super({ allowHalfOpen: true })
    this.wire = wire
    this.leftover = leftover
    wire.attach(this)
  }

  /** Sets who is told how the wire's input was over, instead of the one before. */
  watch(watcher: (how: EndOfInput | ConnectionError) => void): void {
    this.watcher = watcher
    if (this.over !== undefined) watcher(this.over)
  }

  // From the wire.

  receive(batch: ReadonlyArray<Uint8Array>, _size: number): void {
    if (this.destroyed) return
    if (this.held === undefined) return void this.pass(batch)
    // Node says that a write is over only one turn later, and drops the alert of a handshake that fails before.
    this.held.push(batch)
    this.wire.pause()
    setImmediate(this.release)
  }

  private readonly release = (): void => {
    const batch = this.held?.shift()
    if (batch === undefined || this.destroyed) return
    if (this.shaken && this.held!.length === 0) this.held = undefined
    if (this.pass(batch)) this.wire.resume()
  }

  /** Hands a batch to TLS; false if that was enough for now. */
  private pass(batch: ReadonlyArray<Uint8Array>): boolean {
    let room = true
    for (let i = 0; i < batch.length; i++) room = this.push(batch[i])
    if (!room) this.wire.pause()
    return room
  }

  /** Whether all that has arrived was handed to TLS. */
  get idle(): boolean {
    return this.readableLength === 0 && (this.held === undefined || this.held.length === 0)
  }

  /** The handshake is over. */
  settle(): void {
    this.shaken = true
    if (this.held?.length === 0) this.held = undefined
  }

  drained(): void {
    const { waiting } = this
    this.waiting = undefined
    waiting?.()
  }

  ended(how: EndOfInput | ConnectionError): void {
    this.over = how
    this.watcher?.(how)
  }

  goodbye(): void {
    this.ended("announced")
  }

  failed(error: ConnectionError): void {
    this.ended(error)
  }

  // From TLS.

  override _read(): void {
    const { leftover } = this
    if (leftover.length > 0) {
      this.leftover = []
      this.receive(leftover, 0)
    } else this.wire.resume()
  }

  override _write(chunk: Uint8Array, _encoding: string, callback: Callback): void {
    this._writev([{ chunk }], callback)
  }

  override _writev(chunks: Array<{ readonly chunk: Uint8Array }>, callback: Callback): void {
    try {
      for (const { chunk } of chunks) this.wire.write(chunk)
    } catch (cause) {
      return callback(new Error("the layer below can't carry this", { cause }))
    }
    this.written(callback)
  }

  private written(callback: Callback): void {
    this.wire.flush()
    if (this.wire.writable) callback()
    else this.waiting = callback
  }

  override _final(callback: Callback): void {
    this.finished()
    callback()
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.waiting = undefined
    callback(error)
  }
}
