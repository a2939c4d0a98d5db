/** A paused socket on a handle that does nothing, except for what is given: to see where Node keeps what, and how. */
import * as Net from "node:net"

export const standIn = (handle: object, options?: object): Net.Socket => {
  const still = { readStart: () => 0, readStop: () => 0, close: () => {} }
  const all: object = { handle: { ...still, ...handle }, pauseOnCreate: true, ...options }
  return new Net.Socket(all)
}
