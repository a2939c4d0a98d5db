/**
 * Datagrams as messages: each is one, and text is sent as UTF-8. So a `Subprotocol` runs on datagrams as on any messages.
 *
 * Nothing is made up for what datagrams lack: a message may be lost, come twice, or overtake another, and the end of the peer is not
 * told. What is received is bytes, which every `Codec` takes for text too.
 */

import { Kept } from "../internal/Kept.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Machine } from "../Machine.ts"
import * as Protocol from "../Protocol.ts"
import { Datagrams, type Message, Messages } from "../Transport.ts"

const layer = "datagrams"

const machine = (): Machine<Uint8Array, Uint8Array, Message, Message> => {
  const kept = new Kept<Uint8Array>()
  return {
    receive: (input, io) => {
      const datagrams = kept.and(input)
      for (let i = 0; i < datagrams.length; i++) {
        const datagram = datagrams[i]
        if (!io.room()) return kept.keep(datagrams, i, datagram)
        io.emit(datagram, datagram.length)
      }
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
