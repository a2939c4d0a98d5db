/**
 * A wire on a `WebSocket`, which says everything by events. It can't be held back, and does not say when it has passed on what it was
 * given, so that is looked at now and then while somebody waits for it.
 */
import type { Status } from "@wirestack/protocol/Outcome"
import type { Message } from "@wirestack/protocol/Transport"
import type { Bounds } from "../../browser/BrowserWebSocket.ts"
import { BrowserWire } from "./BrowserWire.ts"
import type { CloseEventLike, EventName, WebSocketLike } from "./sockets.ts"

/** Calls a function after some milliseconds, unless what it returns is called before. */
export type Alarm = (millis: number, ring: () => void) => () => void

/** How long to wait between two looks: at first, and at most, in milliseconds. */
const soon = 1
const late = 32

export class EventWire extends BrowserWire {
  private readonly socket: WebSocketLike
  private readonly alarm: Alarm
  private readonly listeners: ReadonlyArray<readonly [EventName, (event: any) => void]>
  /** Calls off the next look. */
  private calm: (() => void) | undefined = undefined

  constructor(socket: WebSocketLike, bounds: Bounds, alarm: Alarm) {
    super(bounds)
    this.socket = socket
    this.alarm = alarm
    socket.binaryType = "arraybuffer"
    this.listeners = [["open", this.onOpen], ["message", this.onMessage], ["close", this.onClose]]
    for (const [name, listener] of this.listeners) socket.addEventListener(name, listener)
  }

  private readonly onOpen = (): void => this.opens(this.socket)

  private readonly onMessage = ({ data }: { readonly data: unknown }): void => {
    this.arrived(data)
    this.roomChanged()
  }

  private readonly onClose = ({ code, reason, wasClean }: CloseEventLike): void => {
    this.closed({ code, reason }, wasClean)
    this.opens("failed")
  }

  protected get waiting(): number {
    return this.socket.bufferedAmount
  }

  /** The browser copies. */
  protected give(message: Message): void {
    this.socket.send(message)
  }

  protected readOn(): void {}

  protected awaitRoom(): void {
    if (this.calm === undefined) this.look(soon)
  }

  private look(after: number): void {
    this.calm = this.alarm(after, () => {
      this.calm = undefined
      this.roomChanged()
      if (this.starved && this.calm === undefined) this.look(Math.min(2 * after, late))
    })
  }

  protected shut(status: Status | undefined): void {
    if (status === undefined) this.socket.close()
    else this.socket.close(status.code, status.reason)
  }

  protected letGo(): void {
    this.calm?.()
    for (const [name, listener] of this.listeners) this.socket.removeEventListener(name, listener)
  }
}
