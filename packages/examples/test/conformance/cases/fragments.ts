/** 5: messages in fragments, and control frames between them (RFC 6455 section 5.4). */
import { setTimeout as sleep } from "node:timers/promises"
import { binary, continuation, cut, fragmented, type Frame, ping, pong, text } from "../Frame.ts"
import { type Case, numbered, told, ways } from "./Case.ts"

/** The same in every way; what comes back, or else what it fails with. */
const said = (
  title: string,
  frames: ReadonlyArray<Frame>,
  back: ReadonlyArray<Frame>,
  code?: number
): ReadonlyArray<Omit<Case, "id">> =>
  ways.map(([how, say]) => ({
    title: `${title}, ${how}`,
    run: async (peer) => {
      await say(peer, ...frames)
      await peer.gets(...back)
      await (code === undefined ? peer.closes() : peer.fails(code))
    }
  }))

const first = (payload: string) => text(payload, { fin: false })
const two = fragmented("text", ["first ", "second"])
const five = fragmented("text", ["one ", "two ", "three ", "four ", "five"])
const bytes = Buffer.from([...Array(1000).keys()])

export const fragments: ReadonlyArray<Case> = [
  ...numbered("5.1", [
    ...said("a ping in fragments", [ping("wrong", { fin: false }), continuation("end", true)], [], 1002),
    ...said("a pong in fragments", [pong("wrong", { fin: false }), continuation("end", true)], [], 1002)
  ]),
  ...numbered("5.2", [
    ...said("text in two", two, [text("first second")]),
    ...said("text in two, a ping between", [two[0], ping("between"), two[1]], [pong("between"), text("first second")]),
    ...said("text in two, a pong between", [two[0], pong("between"), two[1]], [text("first second")]),
    ...said("binary in fragments of 7", fragmented("binary", cut(bytes, 7)), [binary(bytes)]),
    ...said("text in two empty fragments", fragmented("text", ["", ""]), [text("")]),
    ...said("binary, the last fragment is empty", fragmented("binary", ["all", "", ""]), [binary("all")]),
    ...said("two messages in fragments", [...two, ...five], [text("first second"), text("one two three four five")])
  ]),
  ...numbered("5.3", [
    ...said("a last continuation of nothing", [continuation("wrong", true), text("not echoed")], [], 1002),
    ...said("a continuation of nothing", [continuation("wrong"), text("not echoed")], [], 1002),
    ...told(
      "a message in fragments, then a continuation of nothing",
      two,
      [text("first second")],
      [continuation("wrong"), text("not echoed")],
      (peer) => peer.fails(1002)
    ),
    ...told(
      "a message in fragments, then a last continuation of nothing",
      two,
      [text("first second")],
      [continuation("wrong", true), text("not echoed")],
      (peer) => peer.fails(1002)
    ),
    ...said("a continuation of nothing before a message", [continuation("wrong"), ...two], [], 1002),
    ...said("a text inside of a text", [first("begins"), text("wrong")], [], 1002),
    ...said("a first fragment inside of a message", [first("begins"), first("wrong")], [], 1002),
    ...said("a binary message inside of a text", [first("begins"), binary("wrong")], [], 1002)
  ]),
  ...numbered("5.4", [
    ...ways.map(([how, say]): Omit<Case, "id"> => ({
      title: `five fragments with pings between and a pause, ${how}`,
      run: async (peer) => {
        await say(peer, ...five.slice(0, 2), ping("one"), ...five.slice(2, 3))
        await peer.gets(pong("one"))
        await sleep(300)
        await say(peer, ping("two"), ...five.slice(3))
        await peer.gets(pong("two"), text("one two three four five"))
        await peer.closes()
      }
    })),
    {
      title: "a text inside of a text is seen before its payload is there",
      run: async (peer) => {
        peer.send(first("begins"))
        await peer.begin(text("wrong"), 0)
        await peer.failsEarly(1002)
      }
    },
    {
      title: "a ping inside of a text whose last character is cut",
      run: async (peer) => {
        const all = Buffer.from("κόσμε")
        peer.send(text(all.subarray(0, 3), { fin: false }), ping("between"))
        await peer.gets(pong("between"))
        peer.send(continuation(all.subarray(3), true))
        await peer.gets(text(all))
        await peer.closes()
      }
    }
  ])
]
