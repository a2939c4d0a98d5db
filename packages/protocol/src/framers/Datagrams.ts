/**
 * Datagrams as messages: each is one, and text is sent as UTF-8. So a `Subprotocol` runs on datagrams as on any messages.
 *
 * Nothing is made up for what datagrams lack: a message may be lost, come twice, or overtake another, and the end of the peer is not
 * told. What is received is bytes, which every `Codec` takes for text too.
 */

import * as utf8 from "../internal/utf8.ts"
import type { Machine } from "../Machine.ts"
import * as Protocol from "../Protocol.ts"
import { Datagrams, type Message, Messages } from "../Transport.ts"

const layer = "datagrams"

const machine = (): Machine<Uint8Array, Uint8Array, Message, Message> => {
  let kept: ReadonlyArray<Uint8Array> = []
  return {
    receive: (input, io) => {
      const all = kept.length === 0 ? input : [...kept, ...input]
      for (let at = 0; at < all.length; at++) {
        if (!io.room()) {
          kept = all.slice(at)
          return false
        }
        io.emit(all[at], all[at].length)
      }
      kept = []
      return true
    },
    // Short texts share their memory with the next one.
    encode: (message, io) => io.write(typeof message === "string" ? utf8.encode(message).slice() : message),
    ended: (endOfInput, io) => io.end(endOfInput)
  }
}

/**
 * Puts messages on a stack of datagrams.
 *
 * @category layers
 */
export const over = (): Protocol.Over<"datagrams", never, "messages", never> =>
  Protocol.machine(Datagrams, Messages, { layer, client: machine, server: machine })
