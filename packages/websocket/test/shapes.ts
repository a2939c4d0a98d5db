/** Parts and frames as messages of the compliance suite. */
import { Protocol, type Transport } from "@wirestack/protocol"
import type { Machine } from "@wirestack/protocol/Machine"
import { Samples } from "@wirestack/protocol/testing"
import { WebSocket } from "@wirestack/websocket"
import { Opcode } from "../src/frames/Opcode.ts"
import type { Frame } from "../src/machines/FrameMachine.ts"
import type { OutgoingPart, Part } from "../src/machines/StreamedMachine.ts"
import { concat, text, utf8 } from "./support.ts"

type Message = Transport.Message

/** What a transport of WebSockets can't, and how it says goodbye. */
export const capabilities = {
  halfClose: "a Close frame ends both directions",
  statuses: { done: 1000, failed: 1011, away: 1001 },
  abortIsSeen: true
} as const

const { digest, toClient, toServer } = Samples.messages({ text: true })

const part = (data: Message): OutgoingPart =>
  typeof data === "string" ? { type: "text", data, last: true } : { type: "binary", data, last: true }

/** The messages in parts that are all there. */
const messagesOf = (parts: ReadonlyArray<Part>): ReadonlyArray<Message> => {
  const messages: Array<Message> = []
  for (let from = 0, to = 0; to < parts.length; to++) {
    if (!parts[to].last) continue
    const data = parts.slice(from, to + 1).map(({ data }) => data)
    messages.push(parts[to].type === "text" ? data.join("") : concat(...data as Array<Uint8Array>))
    from = to + 1
  }
  return messages
}

export const parts: Samples.Samples<Part, OutgoingPart, Part, OutgoingPart> = {
  toServer: (n, size) => part(toServer(n, size)),
  toClient: (n, size) => part(toClient(n, size)),
  digest: (all) => digest(messagesOf(all)),
  size: ({ data }) => data.length,
  boundaries: true
}

const frame = (message: Message): Frame =>
  typeof message === "string"
    ? { opcode: Opcode.Text, fin: true, payload: utf8(message) }
    : { opcode: Opcode.Binary, fin: true, payload: message }

export const frames: Samples.Samples<Frame, Frame, Frame, Frame> = {
  toServer: (n, size) => frame(toServer(n, size)),
  toClient: (n, size) => frame(toClient(n, size)),
  digest: (all) => digest(all.map(({ opcode, payload }) => opcode === Opcode.Text ? text(payload) : payload)),
  size: ({ payload }) => payload.length,
  boundaries: true
}

const machine = (): Machine<Frame, Frame, Frame, Frame> => {
  let waiting: Array<Frame> = []
  return {
    receive: (input, io) => {
      waiting.push(...input)
      for (; waiting.length > 0; waiting = waiting.slice(1)) {
        const [frame] = waiting
        if (frame.opcode !== Opcode.Close) {
          if (!io.room()) return false
          io.emit(frame, frame.payload.length)
          continue
        }
        try {
          io.write(frame)
        } catch {
          // It was the answer to ours.
        }
      }
      return true
    },
    encode: (frame, io) => io.write(frame),
    ended: (endOfInput, io) => io.end(endOfInput)
  }
}

/** What remains of a WebSocket by hand when somebody answers the peer's Close: a protocol on top of it, as a user would write it. */
export const answering = Protocol.machine(WebSocket.Frames, WebSocket.Frames, {
  layer: "answering",
  client: () => machine(),
  server: () => machine()
})
