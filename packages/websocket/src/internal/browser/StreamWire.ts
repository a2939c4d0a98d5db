/**
 * A wire on a `WebSocketStream`, which is read only while there is room for what comes, so that its peer is held back, and says when it
 * has passed on what it was given.
 */
import * as Loan from "@wirestack/protocol/bytes/Loan"
import type { Status } from "@wirestack/protocol/Outcome"
import type { Message } from "@wirestack/protocol/Transport"
import type { Bounds } from "../../browser/BrowserWebSocket.ts"
import { Absent } from "../../frames/CloseCode.ts"
import { BrowserWire } from "./BrowserWire.ts"
import type { CloseInfoLike, ReaderLike, WebSocketStreamLike, WriterLike } from "./sockets.ts"

const ignore = (): void => {}

const statusOf = ({ closeCode, reason }: CloseInfoLike, absent: Absent): Status => ({
  code: closeCode ?? absent,
  reason: reason ?? ""
})

export class StreamWire extends BrowserWire {
  private readonly stream: WebSocketStreamLike
  private reader: ReaderLike | undefined = undefined
  private writer: WriterLike | undefined = undefined
  private reading = false
  protected waiting = 0
  /** What to close with once all that was given is passed on. */
  private parting: Status | undefined = undefined
  /** How it was closed, while there may be something left to read. */
  private over: Status | undefined = undefined
  private drained = false

  constructor(stream: WebSocketStreamLike, bounds: Bounds) {
    super(bounds)
    this.stream = stream
    stream.opened.then(
      ({ extensions, protocol, readable, writable }) => {
        this.reader = readable.getReader()
        this.writer = writable.getWriter()
        this.opens({ url: stream.url, protocol, extensions })
        stream.closed.then(
          (info) => this.ends(info),
          (error) => this.closed(statusOf(error, Absent.AbnormalClosure), false)
        )
      },
      () => this.opens("failed")
    )
    stream.closed.catch(ignore)
  }

  private ends(info: CloseInfoLike): void {
    this.over = statusOf(info, Absent.NoStatusReceived)
    this.finish()
  }

  /** A goodbye comes behind the messages before it. */
  private finish(): void {
    if (this.over !== undefined && this.drained) this.closed(this.over, true)
  }

  protected readOn(): void {
    if (this.reading || this.paused || this.gone || this.drained || this.reader === undefined) return
    this.reading = true
    this.reader.read().then(({ done, value }) => {
      this.reading = false
      if (done) {
        this.drained = true
        this.finish()
      } else if (!this.gone) {
        this.arrived(value)
        this.readOn()
      }
    }, ignore)
  }

  protected give(message: Message): void {
    const { length } = message
    this.waiting += length
    this.writer!.write(typeof message === "string" ? message : Loan.own(message)).then(
      () => this.passed(length),
      ignore
    )
  }

  private passed(length: number): void {
    this.waiting -= length
    if (this.parting !== undefined && this.waiting === 0) this.say(this.parting)
    this.roomChanged()
  }

  protected awaitRoom(): void {}

  protected shut(status: Status | undefined): void {
    if (status === undefined) this.leave()
    else if (this.waiting === 0) this.say(status)
    else this.parting = status
  }

  /** What still comes is read by nobody, and is not to be in the way of the peer's Close. */
  private leave(): void {
    this.stream.close()
    this.reader?.cancel().catch(ignore)
  }

  private say({ code, reason }: Status): void {
    this.parting = undefined
    this.stream.close({ closeCode: code, reason })
  }

  protected letGo(): void {}
}
