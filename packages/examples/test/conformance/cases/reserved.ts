/** 3: the reserved bits are 0 unless an extension that was negotiated gives them a meaning (RFC 6455 section 5.2). */
import { binary, closeWith, continuation, type Frame, ping, text } from "../Frame.ts"
import { type Case, numbered, told } from "./Case.ts"

const wrong: ReadonlyArray<readonly [string, Frame]> = [
  ["RSV1 on a text", text("wrong", { rsv: 4 })],
  ["RSV2 on a text", text("wrong", { rsv: 2 })],
  ["RSV3 on a text", text("wrong", { rsv: 1 })],
  ["RSV1 and RSV3 on a binary message", binary("wrong", { rsv: 5 })],
  ["RSV1 and RSV2 on a ping", ping("wrong", { rsv: 6 })],
  ["RSV1, RSV2 and RSV3 on a Close frame", closeWith("", { rsv: 7 })]
]

export const reserved: ReadonlyArray<Case> = numbered("3", [
  ...wrong.map(([what, frame]): Omit<Case, "id"> => ({
    title: what,
    run: async (peer) => {
      peer.send(frame, ping("not answered"))
      await peer.fails(1002)
    }
  })),
  ...told(
    "a text, RSV2 on another, a ping",
    [text("right")],
    [text("right")],
    [text("wrong", { rsv: 2 }), ping("not answered")],
    (peer) => peer.fails(1002)
  ),
  {
    title: "RSV1 on a continuation",
    run: async (peer) => {
      peer.send(text("begins", { fin: false }), { ...continuation("wrong", true), rsv: 4 })
      await peer.fails(1002)
    }
  },
  {
    title: "RSV2 is seen before the payload is there",
    run: async (peer) => {
      await peer.begin(text("wrong", { rsv: 2 }), 0)
      await peer.failsEarly(1002)
    }
  }
])
