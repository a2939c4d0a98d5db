/** 7: the closing handshake (RFC 6455 sections 5.5.1, 7.1 and 7.4). */
import { close, closeBody, closeWith, continuation, type Frame, ping, text } from "../Frame.ts"
import { type Case, numbered, told, ways } from "./Case.ts"

/** What is said, what comes back before the Close frame, and the codes of that. */
const said = (
  title: string,
  frames: ReadonlyArray<Frame>,
  back: ReadonlyArray<Frame>,
  ...codes: ReadonlyArray<number | undefined>
): ReadonlyArray<Omit<Case, "id">> =>
  ways.map(([how, say]) => ({
    title: `${title}, ${how}`,
    run: async (peer) => {
      await say(peer, ...frames)
      await peer.gets(...back)
      await peer.answers(...codes)
    }
  }))

const large = text("ä".repeat(131_072))
const longest = "*".repeat(123)
const invalid = Buffer.from("cebae1bdb9cf83cebceda080656469746564", "hex")

const valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
const wrong = [0, 1, 125, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]

export const closing: ReadonlyArray<Case> = [
  ...numbered("7.1", [
    ...told("a text, then Close", [text("Hello")], [text("Hello")], [close(1000)], (peer) => peer.answers(1000)),
    ...said("Close twice", [close(1000), close(1000)], [], 1000),
    ...said("Close, then a ping", [close(1000), ping("not answered")], [], 1000),
    ...said("Close, then a text", [close(1000), text("not echoed")], [], 1000),
    ...said("Close, then what breaks a rule", [close(1000), text("wrong", { rsv: 7 })], [], 1000),
    ...said(
      "Close inside of a message",
      [text("begins", { fin: false }), close(1000), continuation("ends", true)],
      [],
      1000
    ),
    ...told(
      "256 KiB of text and another, then Close and a ping",
      [large, text("Hello")],
      [large, text("Hello")],
      [close(1000), ping("not answered")],
      (peer) => peer.answers(1000)
    ).filter(({ title }) => !title.endsWith("octet by octet")),
    {
      title: "Close, then a MiB of nothing",
      run: async (peer) => {
        peer.send(close(1000), text("*".repeat(1 << 20)))
        await peer.answers(1000)
      }
    },
    {
      title: "what breaks a rule, then a MiB of nothing",
      run: async (peer) => {
        peer.send(text("wrong", { rsv: 7 }), text("*".repeat(1 << 20)))
        await peer.fails(1002)
      }
    },
    {
      title: "Close at once",
      run: (peer) => peer.closes()
    }
  ]),
  ...numbered("7.3", [
    ...said("Close without a body", [closeWith("")], [], undefined, 1000),
    ...said("Close with half a code", [closeWith(Buffer.of(3))], [], 1002),
    ...said("Close with a code", [close(1000)], [], 1000),
    ...said("Close with a code and a reason", [close(1000, "good bye, tschüs")], [], 1000),
    ...said("Close with the longest reason", [close(1000, longest)], [], 1000),
    ...said("Close with a reason that is too long", [close(1000, `${longest}*`)], [], 1002),
    ...said("Close in fragments", [closeWith(closeBody(1000), { fin: false }), continuation("", true)], [], 1002)
  ]),
  ...numbered("7.5", [
    ...said("a reason that is not UTF-8", [close(1000, invalid)], [], 1007),
    ...said("a reason whose last character is cut", [close(1000, Buffer.from("€").subarray(0, 2))], [], 1007),
    ...said("a reason of a surrogate", [close(4000, Buffer.from("eda080", "hex"))], [], 1007)
  ]),
  ...numbered("7.7", valid.flatMap((code) => said(`Close ${code}`, [close(code)], [], code))),
  ...numbered(
    "7.9",
    wrong.flatMap((code) => [
      ...said(`Close ${code}, which can't be`, [close(code)], [], 1002),
      ...said(`Close ${code}, which can't be, with a reason`, [close(code, "why not?")], [], 1002)
    ])
  )
]
