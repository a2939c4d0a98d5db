/** An attack: what an attacker does on a bare socket, and what of the server stops it. */
import type * as net from "node:net"
import type { Serving } from "./Serving.ts"

export interface Attack {
  readonly name: string
  /** How the server is set up; what is not said is as it is by default. Times are short, so that one need not wait for them. */
  readonly serving: Serving
  /** The opening handshake before it: the path, and further headers; none if the attack is in it, or before. */
  readonly opening?: { readonly path?: string; readonly headers?: ReadonlyArray<string> }
  /** What an attacker does once it is connected, and through the opening. */
  readonly act: (socket: net.Socket) => void
  /** What stops it, as the server tells each of them: a layer and a reason. */
  readonly stoppedBy: string
  /** How many of them are let in, and stay; none by default. */
  readonly spared?: number
  /** Nothing cuts it while the server runs, as it costs next to nothing: it is cut when the server drains. */
  readonly lasts?: true
  /** How long it may take until an attacker is stopped, or a drain with it, in milliseconds. */
  readonly within: number
  /** The memory an attacker may cost while it is there, in KiB. */
  readonly most: number
}
