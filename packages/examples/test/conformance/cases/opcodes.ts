/** 4: opcodes that have no meaning (RFC 6455 section 5.2). */
import { frame, ping, text } from "../Frame.ts"
import { type Case, numbered, told } from "./Case.ts"

const reserved = [[3, 4, 5, 6, 7], [11, 12, 13, 14, 15]]

export const opcodes: ReadonlyArray<Case> = reserved.flatMap((codes, n) =>
  numbered(`4.${n + 1}`, [
    ...codes.flatMap((opcode) =>
      ["", "payload"].map((payload): Omit<Case, "id"> => ({
        title: `opcode ${opcode} ${payload === "" ? "without" : "with"} a payload`,
        run: async (peer) => {
          peer.send(frame(opcode, payload), ping("not answered"))
          await peer.fails(1002)
        }
      }))
    ),
    ...told(
      `a text, opcode ${codes[2]}, a ping`,
      [text("right")],
      [text("right")],
      [frame(codes[2], "wrong"), ping("not answered")],
      (peer) => peer.fails(1002)
    ),
    {
      title: `opcode ${codes[0]} is seen before the payload is there`,
      run: async (peer) => {
        await peer.begin(frame(codes[0], "wrong"), 0)
        await peer.failsEarly(1002)
      }
    }
  ])
)
