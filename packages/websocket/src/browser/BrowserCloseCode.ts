/**
 * The codes with which a page may close a WebSocket: 1000, and those from 3000 to 4999. All others of the protocol are the browser's, which
 * sends 1001 when the page is left; a server may send any.
 *
 * @see https://websockets.spec.whatwg.org/#dom-websocket-close
 */
import type { Why } from "@wirestack/protocol/Outcome"
import * as Option from "effect/Option"
import { isCloseCode, type Private, Protocol, type Registered } from "../frames/CloseCode.ts"

export { type Private, privateUse, type Registered, registered } from "../frames/CloseCode.ts"

/** A code that a page may send. */
export type BrowserCloseCode = typeof Protocol.NormalClosure | Registered | Private

/** Whether a page may send the number. */
export const isBrowserCloseCode = (code: number): code is BrowserCloseCode =>
  isCloseCode(code) && (code === Protocol.NormalClosure || code >= 3000)

/**
 * The code of a number, if a page may send it.
 *
 * @category constructors
 */
export const make = (code: number): Option.Option<BrowserCloseCode> =>
  isBrowserCloseCode(code) ? Option.some(code) : Option.none()

/** How a page tells why it closes: by a code of the application where there is one, else by 1000 and these words. */
export const words: { readonly [W in Why]: string } = {
  done: "",
  failed: "failed",
  away: "going away",
  restart: "restarting",
  overloaded: "overloaded"
}
