/**
 * Messages as a stream of bytes: what stands on bytes, such as a handshake or a framer of your own, runs on WebSockets too.
 *
 * Each chunk is a binary message, of 64 KiB at most; where the messages begin and end means nothing. Text is a `Violation`.
 */

import { Kept } from "../internal/Kept.ts"
import type { Machine } from "../Machine.ts"
import * as Protocol from "../Protocol.ts"
import { Violation } from "../Reason.ts"
import { Bytes, type Message, Messages } from "../Transport.ts"

const layer = "unframed"
const largest = 65_536

const machine = (): Machine<Message, Message, Uint8Array, Uint8Array> => {
  const kept = new Kept<Message>()
  return {
    receive: (input, io) => {
      const messages = kept.and(input)
      for (let i = 0; i < messages.length; i++) {
        const message = messages[i]
        if (!io.room()) return kept.keep(messages, i, message)
        if (typeof message === "string") {
          io.fail(new Violation({ rule: "a stream of bytes has no text" }))
          return true
        }
        if (message.length > 0) io.emit(message, message.length)
      }
      return true
    },
    encode: (bytes, io) => {
      for (let at = 0; at < bytes.length; at += largest) io.write(bytes.subarray(at, at + largest))
    },
    end: () => {},
    ended: (endOfInput, io) => io.end(endOfInput)
  }
}

/**
 * Puts a stream of bytes on a stack of messages.
 *
 * @category layers
 */
export const over = (): Protocol.Over<"messages", never, "bytes", never> =>
  Protocol.machine(Messages, Bytes, { layer, client: machine, server: machine })
