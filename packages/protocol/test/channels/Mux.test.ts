import { assert, describe, it } from "@effect/vitest"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Violation } from "@wirestack/protocol/Reason"
import type { Message } from "@wirestack/protocol/Transport"
import type { Receiver } from "@wirestack/protocol/wire/Wire"
import type { ChannelWire } from "../../src/internal/channels/ChannelWire.ts"
import * as Frame from "../../src/internal/channels/Frame.ts"
import { Mux, type Opened } from "../../src/internal/channels/Mux.ts"
import { Probe } from "../../src/testing/machineSuite.ts"

const limits = { window: 1_024, maxFrame: 100, maxMessage: 5_000, maxChannels: 3 }

/** A receiver that keeps what it gets, and may pause. */
class Sink implements Receiver<Message> {
  readonly received: Array<Message> = []
  readonly ends: Array<string> = []
  receive(batch: ReadonlyArray<Message>): void {
    this.received.push(...batch)
  }
  drained(): void {
    this.ends.push("drained")
  }
  ended(): void {
    this.ends.push("ended")
  }
  goodbye(): void {}
  failed({ reason }: ConnectionError): void {
    this.ends.push(reason._tag)
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0))

const attached = (channel: ChannelWire): Sink => {
  const sink = new Sink()
  channel.attach(sink)
  channel.resume()
  return sink
}

/** A server whose peer is written by hand, with the channels that it has accepted. */
const server = () => {
  const mux = new Mux("server", limits)
  const io = new Probe<never, Message>()
  const channels: Array<ChannelWire> = []
  mux.decideBy(({ channel }) => ({ accepted: true, chosen: undefined, begin: () => void channels.push(channel) }))
  const receive = (...frames: ReadonlyArray<Message>) => mux.receive(frames, io)
  /** The frames that it has to say, one at a time. */
  const frames = (most = Infinity): ReadonlyArray<Frame.Frame> => {
    const from = io.written.length
    for (let n = 0; n < most && mux.proceed(io); n++);
    return io.written.slice(from).map((frame) => Frame.read(frame as Uint8Array))
  }
  const opened = (id: number, window = 1_000_000) => {
    receive(Frame.open(id, window, [], ""))
    return channels.at(-1)!
  }
  const rule = () => (io.reason as Violation | undefined)?.rule
  return { mux, io, channels, receive, frames, opened, rule }
}

const text = (id: number, data: string, more = false) => {
  const bytes = new TextEncoder().encode(data)
  return Frame.data(id, Frame.Flag.Text | (more ? Frame.Flag.More : 0), bytes, 0, bytes.length)
}

const bytes = (id: number, length: number, more = false) =>
  Frame.data(id, more ? Frame.Flag.More : 0, new Uint8Array(length), 0, length)

/** Pseudo-random numbers below a limit, the same for each seed. */
const randomOf = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state >>> 8) % below
  }
}

/** What is thrown, as data. */
const thrownBy = (act: () => unknown): object | undefined => {
  try {
    act()
    return undefined
  } catch (thrown) {
    return { ...(thrown as object) }
  }
}

describe("frames", () => {
  const samples = [
    Frame.open(1, 7, ["chat.v1", "é"], "label"),
    Frame.open(1, 7, [], ""),
    Frame.accept(1, 7, 2),
    Frame.accept(1, 7, undefined),
    Frame.data(1, 3, Uint8Array.of(1, 2, 3), 1, 3),
    Frame.credit(0xffff_ffff, 0xffff_ffff),
    Frame.end(9),
    Frame.reset(9, 2),
    Frame.goodbye("away")
  ]

  it("are read as they were written", () => {
    assert.deepStrictEqual(samples.map(Frame.read), [
      { type: 0, channel: 1, window: 7, offers: ["chat.v1", "é"], label: "label" },
      { type: 0, channel: 1, window: 7, offers: [], label: "" },
      { type: 1, channel: 1, window: 7, chosen: 2 },
      { type: 1, channel: 1, window: 7, chosen: undefined },
      { type: 2, channel: 1, flags: 3, payload: Uint8Array.of(2, 3) },
      { type: 3, channel: 0xffff_ffff, credit: 0xffff_ffff },
      { type: 4, channel: 9 },
      { type: 5, channel: 9, code: 2 },
      { type: 6, channel: 0, code: 2 }
    ])
  })

  it("that are cut anywhere, or too long, are a violation or another frame, and never anything else", () => {
    const random = randomOf(1)
    const tries = samples.flatMap((frame) => [
      ...Array.from(frame, (_, at) => frame.slice(0, at)),
      Uint8Array.of(...frame, 1),
      ...Array.from({ length: 200 }, () => frame.map((byte) => random(4) === 0 ? random(256) : byte))
    ])
    let violations = 0
    for (const bytes of tries) {
      try {
        Frame.read(bytes)
      } catch (thrown) {
        assert.strictEqual((thrown as Violation)._tag, "Violation")
        violations++
      }
    }
    assert.isAbove(violations, 100)
  })
})

describe("credit", () => {
  it("bounds what is sent, and is given back when it is taken", async () => {
    const { frames, opened, receive } = server()
    const channel = opened(1, 250)
    frames()
    channel.write("x".repeat(300))
    channel.flush()
    const sizes = (of: ReadonlyArray<Frame.Frame>) =>
      of.map((frame) => frame.type === Frame.Type.Data ? frame.payload.length : -1)
    assert.deepStrictEqual(sizes(frames()), [100, 100, 2])
    receive(Frame.credit(1, 16))
    assert.deepStrictEqual(sizes(frames()), [])
    receive(Frame.credit(1, 1_000))
    assert.deepStrictEqual(sizes(frames()), [98])
  })

  it("is given back only for what the reader has taken", async () => {
    const { frames, opened, receive } = server()
    const channel = opened(1)
    frames()
    receive(bytes(1, 900))
    await turn()
    assert.deepStrictEqual(frames(), [])
    const sink = attached(channel)
    await turn()
    assert.strictEqual(sink.received.length, 1)
    assert.deepStrictEqual(frames(), [{ type: Frame.Type.Credit, channel: 1, credit: 916 }])
  })

  it("is given back for the parts of a message that is larger than the window, but of one only", async () => {
    const { frames, opened, receive, rule } = server()
    const channel = opened(1)
    frames()
    for (let n = 0; n < 4; n++) {
      receive(bytes(1, 900, true))
      assert.deepStrictEqual(frames(), [{ type: Frame.Type.Credit, channel: 1, credit: 916 }])
    }
    receive(bytes(1, 100))
    receive(bytes(1, 500, true))
    assert.deepStrictEqual(frames(), [])
    const sink = attached(channel)
    await turn()
    assert.deepStrictEqual(sink.received.map((message) => message.length), [3_700])
    assert.deepStrictEqual(frames(), [{ type: Frame.Type.Credit, channel: 1, credit: 632 }])
    assert.isUndefined(rule())
  })

  it("that is overdrawn is a violation, also by empty messages", () => {
    for (const frame of [bytes(1, 1_009), bytes(1, 0)]) {
      const { opened, receive, rule } = server()
      opened(1)
      for (let n = 0; n < 65; n++) receive(frame)
      assert.match(String(rule()), /DATA of \d+ where the credit is \d+/)
    }
  })

  it("beyond all measure is a violation", () => {
    const { opened, receive, rule } = server()
    opened(1)
    receive(Frame.credit(1, 0xffff_ffff))
    assert.strictEqual(rule(), "CREDIT beyond 2^31-1")
  })
})

describe("turns", () => {
  it("are taken frame by frame, and control goes first", () => {
    const { frames, opened } = server()
    const [a, b] = [opened(1), opened(3)]
    frames()
    a.write("a".repeat(1_000))
    a.flush()
    b.write("b")
    b.write("b")
    b.flush()
    assert.deepStrictEqual(frames(3).map(({ channel }) => channel), [1, 3, 1])
    const c = opened(5)
    c.abort()
    assert.deepStrictEqual(frames(4).map(({ channel, type }) => [channel, type]), [
      [5, Frame.Type.Accept],
      [5, Frame.Type.Reset],
      [3, Frame.Type.Data],
      [1, Frame.Type.Data]
    ])
    a.abort()
    assert.deepStrictEqual(frames().map(({ channel, type }) => [channel, type]), [[1, Frame.Type.Reset]])
  })
})

describe("a peer that breaks the rules", () => {
  const cases: ReadonlyArray<readonly [rule: string, frames: ReadonlyArray<Message>]> = [
    ["a frame that is text", ["hello"]],
    ["a frame is malformed", [Uint8Array.of(9, 0, 0, 0, 1)]],
    ["the channel of a frame is malformed", [Frame.end(0)]],
    ["channel 1 can't be opened", [Frame.open(1, 0, [], "")]],
    ["channel 2 can't be opened", [Frame.open(2, 0, [], "")]],
    ["channel 3 was never opened", [Frame.end(3)]],
    ["channel 2 was never opened", [Frame.accept(2, 0, undefined)]],
    ["DATA after END", [Frame.end(1), bytes(1, 1)]],
    ["a second END", [Frame.end(1), Frame.end(1)]],
    ["END inside a message", [bytes(1, 1, true), Frame.end(1)]],
    ["text that is not UTF-8", [Frame.data(1, Frame.Flag.Text, Uint8Array.of(0xff), 0, 1)]]
  ]
  for (const [expected, frames] of cases) {
    it(expected, () => {
      const { opened, receive, rule } = server()
      opened(1)
      receive(...frames)
      assert.strictEqual(rule(), expected)
    })
  }

  it("by accepting a channel twice, or speaking on one that it has not accepted", () => {
    for (const accepts of [2, 0]) {
      const { mux, receive, rule } = server()
      const opened: Array<Opened> = []
      mux.open([], "", (result) => opened.push(result))
      for (let n = 0; n < accepts; n++) receive(Frame.accept(2, 100, undefined))
      receive(bytes(2, 1))
      assert.strictEqual(
        rule(),
        accepts === 2 ? "channel 2 was accepted before" : "a frame for a channel that was not accepted"
      )
    }
  })

  it("by choosing a name that was not offered", () => {
    const { mux, receive, rule } = server()
    mux.open(["a", "b"], "", () => {})
    receive(Frame.accept(2, 100, 2))
    assert.strictEqual(rule(), "channel 2 was accepted for a name that was not offered")
  })

  it("by opening and resetting without an end is stopped", () => {
    const { io, receive } = server()
    for (let id = 1; id < 9_000; id += 2) receive(Frame.open(id, 0, [], ""), Frame.reset(id, 0))
    assert.strictEqual(io.reason?._tag, "TooLarge")
  })
})

describe("bounds", () => {
  it("what is opened before it is known who wants it waits, and may be given up", () => {
    const mux = new Mux("server", limits)
    const io = new Probe<never, Message>()
    mux.receive([1, 3, 5, 7].map((id) => Frame.open(id, 100, [], "")), io)
    mux.receive([Frame.reset(3, Frame.Code.Aborted)], io)
    const labels: Array<number> = []
    mux.decideBy(({ channel }) => ({ accepted: true, chosen: undefined, begin: () => void labels.push(channel.id) }))
    while (mux.proceed(io));
    assert.deepStrictEqual(labels, [1, 5])
    assert.deepStrictEqual(
      io.written.map((bytes) => Frame.read(bytes as Uint8Array)).map(({ channel, type }) => [channel, type]),
      [[7, Frame.Type.Reset], [1, Frame.Type.Accept], [5, Frame.Type.Accept]]
    )
  })

  it("channels beyond the limit are refused on either side", () => {
    const { frames, mux, opened } = server()
    for (const id of [1, 3, 5, 7]) opened(id)
    assert.deepStrictEqual(frames().at(-1), { type: Frame.Type.Reset, channel: 7, code: Frame.Code.TooMany })
    assert.strictEqual(mux.size, 3)
    assert.deepInclude(thrownBy(() => mux.open([], "", () => {})), { _tag: "TooLarge", size: 4, limit: 3 })
  })

  it("a connection whose numbers are used up opens no more channels", () => {
    const { frames, mux } = server()
    Object.assign(mux, { nextOwn: Frame.maxChannel - 1 })
    assert.isTrue(mux.opens)
    mux.open([], "", () => {})
    assert.strictEqual(frames()[0].channel, Frame.maxChannel - 1)
    assert.deepInclude(thrownBy(() => mux.open([], "", () => {})), { what: "the number of a channel" })
    assert.isFalse(mux.opens)
  })

  it("what is said when a channel is opened is bounded", () => {
    const { frames, mux } = server()
    const open = (offers: ReadonlyArray<string>, label: string) => thrownBy(() => mux.open(offers, label, () => {}))
    const long = "x".repeat(2_000)
    assert.deepInclude(open([], long), { what: "a label", size: 2_000, limit: 1_024 })
    assert.deepInclude(open([long], ""), { what: "an offered name", size: 2_000, limit: 255 })
    assert.deepInclude(open(Array(255).fill("x"), ""), { what: "the number of offered names", size: 255, limit: 254 })
    assert.deepInclude(open([], "\ud800"), { _tag: "Unencodable" })
    assert.deepStrictEqual([mux.size, frames()], [0, []])
    const frame = Frame.open(1, 0, [], "x".repeat(1_024))
    assert.deepInclude(thrownBy(() => Frame.read(Uint8Array.of(...frame, 0x78))), { rule: "OPEN is malformed" })
  })

  it("a message beyond the limit resets its channel, and no other", async () => {
    const { frames, io, opened, receive } = server()
    const [channel, other] = [opened(1), opened(3)]
    const sink = attached(channel)
    frames()
    for (let n = 0; n < 6; n++) {
      receive(bytes(1, 900, true))
      frames(n < 5 ? 1 : 0)
    }
    await turn()
    assert.deepStrictEqual(sink.ends, ["TooLarge"])
    assert.deepStrictEqual(frames(), [{ type: Frame.Type.Reset, channel: 1, code: Frame.Code.TooLarge }])
    assert.throws(() => other.write(new Uint8Array(5_001)))
    assert.strictEqual(io.ending, "open")
    // What was on its way is ignored.
    receive(bytes(1, 900, true), Frame.credit(1, 1), Frame.end(1))
    assert.strictEqual(io.ending, "open")
  })
})

describe("the end", () => {
  it("a goodbye of the peer is answered, and ends the channels", async () => {
    const { frames, io, opened, receive } = server()
    const sink = attached(opened(1))
    frames()
    receive(text(1, "last"), Frame.goodbye("away"), text(1, "too late"))
    await turn()
    assert.deepStrictEqual(sink.received, ["last"])
    assert.deepStrictEqual(sink.ends, ["Closed"])
    assert.deepStrictEqual(frames(), [{ type: Frame.Type.Goodbye, channel: 0, code: 0 }])
    assert.strictEqual(io.ending, "closed")
    assert.deepStrictEqual(io.goodbye, {
      first: "remote",
      sent: { code: 0, reason: "done" },
      received: { code: 2, reason: "away" }
    })
  })

  it("our goodbye waits for that of the peer", () => {
    const { frames, io, mux, receive } = server()
    mux.close("done")
    assert.deepStrictEqual(frames(), [{ type: Frame.Type.Goodbye, channel: 0, code: 0 }])
    assert.strictEqual(io.ending, "open")
    receive(Frame.goodbye("away"))
    assert.strictEqual(io.ending, "closed")
    assert.deepStrictEqual(io.goodbye, {
      first: "local",
      sent: { code: 0, reason: "done" },
      received: { code: 2, reason: "away" }
    })
    assert.deepStrictEqual(frames(), [])
  })

  it("without a goodbye is truncated while there are channels, or ours waits for its answer", () => {
    const { io, mux, opened } = server()
    opened(1)
    mux.ended("announced", io)
    assert.strictEqual(io.reason?._tag, "Truncated")
    const idle = server()
    idle.mux.ended("announced", idle.io)
    assert.strictEqual(idle.io.ending, "closed")
    assert.deepStrictEqual(idle.io.goodbye, { first: "remote" })
    const closing = server()
    closing.mux.close("done")
    closing.mux.ended("announced", closing.io)
    assert.strictEqual(closing.io.reason?._tag, "Truncated")
  })

  it("an opening is told of the end, of a refusal, and of being given up not at all", () => {
    const { frames, mux, receive } = server()
    const opened: Array<string> = []
    const open = () => mux.open([], "", (result) => opened.push(result._tag))
    open()
    receive(Frame.reset(2, Frame.Code.Refused))
    open().abort()
    receive(Frame.accept(4, 10, undefined))
    open()
    mux.close("done")
    assert.deepStrictEqual(opened, ["Refused", "Lost"])
    frames()
    assert.strictEqual(mux.size, 0)
  })
})

describe("two ends", () => {
  for (let seed = 1; seed <= 20; seed++) {
    it(`whatever is said on channels with small windows arrives in order, seed ${seed}`, async () => {
      const random = randomOf(seed)
      const limits = { window: 1_024 + random(1_000), maxFrame: 1 + random(300), maxMessage: 10_000, maxChannels: 8 }
      const ends = [new Mux("client", limits), new Mux("server", limits)] as const
      const probes = ends.map(() => new Probe<never, Message>())
      const channels: Array<readonly [ChannelWire, ChannelWire]> = []
      /** Carries what one end has to say to the other, some frames at a time. */
      const carry = (from: 0 | 1): boolean => {
        const to = from === 0 ? 1 : 0
        let carried = false
        for (let n = random(5); n >= 0 && ends[from].proceed(probes[from]); n--) {
          carried = true
          ends[to].receive([probes[from].written.at(-1)!], probes[to])
        }
        return carried
      }
      const settled = async () => {
        for (let idle = 0; idle < 20; idle++) {
          if (carry(0) || carry(1)) idle = 0
          else await Promise.resolve()
        }
      }
      for (const mux of ends) {
        mux.decideBy(({ channel }) => ({ accepted: true, chosen: undefined, begin: () => void accepted.push(channel) }))
      }
      const accepted: Array<ChannelWire> = []
      for (let n = 0; n < 4; n++) {
        const near = ends[n % 2].open([], "", () => {})
        await settled()
        channels.push([near, accepted.at(-1)!])
      }
      const wires = channels.flat()
      const sinks = wires.map(attached)
      const sent = wires.map((): Array<Message> => [])
      for (let n = 0; n < 200; n++) {
        const at = random(wires.length)
        const size = [0, 1, 50, 900, 3_000][random(5)]
        const message = random(2) === 0 ? String(n).padEnd(size, "é") : new Uint8Array(size).fill(n)
        wires[at].write(message)
        wires[at].flush()
        sent[at].push(message)
        const other = wires[random(wires.length)]
        if (random(3) === 0) other.pause()
        else other.resume()
        carry(random(2) === 0 ? 0 : 1)
        if (random(4) === 0) await Promise.resolve()
      }
      for (const wire of wires) {
        wire.resume()
        wire.end()
      }
      await settled()
      const received = sinks.map((sink) => sink.received)
      // What one end of a channel has sent, the other has received.
      assert.deepStrictEqual(received, sent.map((_, at) => sent[at ^ 1]))
      assert.deepStrictEqual(ends.map(({ size }) => size), [0, 0])
      assert.deepStrictEqual(probes.map(({ ending }) => ending), ["open", "open"])
    })
  }
})
