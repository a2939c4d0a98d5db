import { assert, describe, it } from "@effect/vitest"
import { HexDump, MemoryTransport, Pcapng, Recording, Redact, type Tap, Transport } from "@wirestack/protocol"
import type * as Event from "@wirestack/protocol/tap/Event"
import * as Payload from "@wirestack/protocol/tap/Payload"
import * as Tapping from "@wirestack/protocol/tap/Tap"
import { random, Replay, Transcript } from "@wirestack/protocol/testing"
import { type Cause, Effect, Fiber, HashMap, Option, Queue, Redactable, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Backlog } from "../../src/internal/tap/Backlog.ts"
import { utf8 } from "../support/bytes.ts"
import { turns } from "../support/turns.ts"
import { connected } from "./support.ts"

const opened = (tap: number): Event.Opened => ({
  _tag: "Opened",
  tap,
  id: tap,
  name: `tap ${tap}`,
  kind: "bytes",
  role: "client",
  layer: "memory",
  endpoint: "memory:here",
  since: 1_000.5,
  at: 0,
  establishment: { took: 0, attempts: [] }
})

const passed = (tap: number, text: string, offset = 0): Event.Passed => ({
  _tag: "Passed",
  tap,
  at: 1.25,
  way: "sent",
  payload: { bytes: utf8(text) },
  size: text.length,
  offset
})

const closed = (tap: number): Event.Closed => ({
  _tag: "Closed",
  tap,
  at: 9,
  outcome: {
    first: "local",
    clean: false,
    sent: { code: 1000, reason: "" },
    endOfInput: "unknown",
    unsent: { messages: 0, bytes: 1 },
    undelivered: 0,
    layers: [{ layer: "memory", took: 0, settled: true }],
    error: { layer: "memory", reason: "Reset", message: "the connection was cut" }
  }
})

describe("a recording", () => {
  it("keeps the latest, counts what it has dropped, and that it was opened", () => {
    const recording = Recording.make({ maxSize: 500 })
    recording.add(opened(1))
    for (let n = 0; n < 10; n++) recording.add(passed(1, "0123456789", n * 10))
    const [dropped, first, ...events] = recording.events
    assert.deepStrictEqual(first, opened(1))
    assert(dropped._tag === "Dropped")
    assert.strictEqual(dropped.events + events.length, 10)
    assert.strictEqual(dropped.size, dropped.events * 10)
    assert.deepStrictEqual(events.at(-1), passed(1, "0123456789", 90))
    assert.deepStrictEqual(events[0], passed(1, "0123456789", dropped.size))
    recording.add(closed(1))
    for (let n = 0; n < 10; n++) recording.add(opened(2 + n))
    assert.notInclude(recording.events.map((event) => "tap" in event && event.tap), 1)
  })

  it("is bounded, however many connections are open, and whatever their peers say", () => {
    const recording = Recording.make({ maxSize: 20_000 })
    for (let tap = 0; tap < 1_000; tap++) recording.add(opened(tap))
    for (let n = 0; n < 100; n++) recording.add(passed(999, "0123456789", n * 10))
    assert.isBelow(JSON.stringify(recording.events).length, 40_000)
    assert.deepInclude(recording.events, opened(999))
    assert.deepInclude(recording.events, passed(999, "0123456789", 990))
    const { outcome } = closed(1)
    const error = { layer: "memory", reason: "Refused", message: "x".repeat(30_000) }
    recording.add({ ...closed(1), outcome: { ...outcome, error } })
    assert.isBelow(JSON.stringify(recording.events).length, 20_000)
    assert.throws(() => Recording.make({ maxSize: NaN }), RangeError)
    assert.throws(() => Recording.make({ keep: -1 }), RangeError)
  })

  it.effect("is a stream that is bounded, and tells late what began when there was no room", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<Event.Event, Cause.Done>()
      const backlog = new Backlog(queue, 2_000)
      for (let tap = 0; tap < 1_000; tap++) backlog.add(opened(tap))
      const waiting = yield* Queue.size(queue)
      assert.isBelow(waiting, 20)
      for (const event of yield* Queue.takeAll(queue)) backlog.taken(event)
      for (let tap = waiting; tap < 999; tap++) backlog.add(closed(tap))
      for (const event of yield* Queue.takeAll(queue)) backlog.taken(event)
      backlog.add(passed(999, "a"))
      backlog.add(passed(999, "b"))
      const events = (yield* Queue.takeAll(queue)).filter(({ _tag }) => _tag !== "Dropped")
      assert.deepStrictEqual(events, [opened(999), passed(999, "a"), passed(999, "b")])
    }))

  it.effect("keeps the beginning of each message, and how large it was", () =>
    Effect.gen(function*() {
      const recording = Recording.make({ keep: 3 })
      const { client, server } = yield* connected(Tapping.over(Transport.Bytes)({ to: [recording.sink] }))
      yield* client.send(utf8("abcdef"))
      yield* server.pull
      yield* client.send(utf8("g"))
      const [, first, second] = recording.events
      assert.deepInclude(first, { payload: { bytes: utf8("abc") }, size: 6, offset: 0 })
      assert.deepInclude(second, { size: 1, offset: 6 })
    }).pipe(Effect.scoped))

  const all: ReadonlyArray<Event.Event> = [
    { _tag: "Dropped", events: 2, size: 7 },
    {
      ...opened(3),
      peer: "192.0.2.1",
      establishment: {
        took: 2.5,
        attempts: [[{
          layer: "tcp",
          after: 0,
          took: 2,
          failure: { layer: "tcp", reason: "Refused", message: "no" },
          facts: { tried: [{ address: "192.0.2.1" }] }
        }]]
      }
    },
    passed(3, "\u00e9\n"),
    { ...passed(3, ""), payload: { text: "text \ud83d\ude00" }, size: 7 },
    { ...passed(3, ""), payload: { type: 300, bytes: utf8("x") }, size: 1 },
    { ...passed(3, ""), payload: { json: "{}" }, size: 2 },
    { _tag: "Ended", tap: 3, at: 2, way: "received", how: "announced" },
    closed(3)
  ]

  it.effect("is lines of JSON, and the same when it is read again, whole or as it comes", () =>
    Effect.gen(function*() {
      const text = Recording.format(all)
      assert.strictEqual(text.split("\n")[0], "{\"recording\":1}")
      assert.deepStrictEqual(yield* Recording.parse(text), all)
      const lines = Recording.toLines(Stream.fromIterable(all))
      assert.strictEqual(yield* Stream.mkString(lines), text)
      const read = Recording.fromLines(Stream.splitLines(Stream.fromIterable(text)))
      assert.deepStrictEqual(yield* Stream.runCollect(read), [...all])
    }))

  it.effect("that is none says at which line", () =>
    Effect.gen(function*() {
      const text = Recording.format(all)
      for (
        const [input, line] of [
          ["", 1],
          [text.replace("\"recording\":1", "\"recording\":2"), 1],
          [`${text}nonsense`, all.length + 2],
          [text.replace("\"received\"", "\"nowhere\""), 8],
          [text.replace("\"events\":2", "\"events\":2,\"more\":1"), 2]
        ] as const
      ) {
        const error = yield* Effect.flip(Recording.parse(input))
        assert.strictEqual(error._tag, "RecordingInvalid")
        assert.strictEqual(error.line, line, error.message)
      }
    }))

  it.effect("is a stream that holds nobody up, and tells what it had no room for in its place", () =>
    Effect.gen(function*() {
      const events = yield* Effect.scoped(Effect.gen(function*() {
        const { events, sink } = yield* Recording.stream({ maxSize: 400 })
        const { client, server } = yield* connected(Tapping.over(Transport.Bytes)({ to: [sink] }))
        const send = (count: number) =>
          Effect.forEach(
            Array.from({ length: count }),
            () => Effect.andThen(client.send(utf8("0123456789")), server.pull)
          )
        yield* send(20)
        const reading = yield* Effect.forkChild(Stream.runCollect(events))
        yield* turns
        yield* send(1)
        yield* turns
        return reading
      })).pipe(Effect.flatMap(Fiber.join))
      const at = events.findIndex(({ _tag }) => _tag === "Dropped")
      const dropped = events[at]
      assert(dropped._tag === "Dropped")
      assert.strictEqual(dropped.events, 21 - at)
      assert.strictEqual(events[0]._tag, "Opened")
      assert.isTrue(events.slice(1, at).every(({ _tag }) => _tag === "Passed"))
      assert.deepInclude(events[at + 1], { _tag: "Passed", offset: 200 })
    }))
})

describe("a redaction", () => {
  const subject = (kind: Tap.Kind) => ({ kind }) as Tap.Subject
  const mask = (redact: Redact.Redact, kind: Tap.Kind) =>
    redact(subject(kind), "sent") ?? ((message: unknown) => message)
  const through = (redact: Redact.Redact, chunks: ReadonlyArray<Uint8Array>) => {
    const masked = mask(redact, "bytes")
    return Buffer.concat(chunks.map((chunk) => masked(chunk) as Uint8Array)).toString("latin1")
  }

  const head = [
    "GET /chat HTTP/1.1",
    "Host: chat.example",
    "AUTHORIZATION: Bearer abc.def",
    " and folded",
    "X-Note: Authorization: none",
    "Cookie:a=b",
    "",
    ""
  ].join("\r\n")
  const masked = [
    "GET /chat HTTP/1.1",
    "Host: chat.example",
    "AUTHORIZATION: ****** *******",
    " *** ******",
    "X-Note: Authorization: none",
    "Cookie:***",
    "",
    ""
  ].join("\r\n")
  const after = "\u0081\u0005Cookie: raw"

  it("masks credentials in the heads of HTTP, however they are cut, and nothing else", () => {
    const connect = "CONNECT chat.example:443 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\n\r\n"
    const bytes = Buffer.from(`${connect}${head}${after}`, "latin1")
    const expected = `${connect.replace("Basic eA==", "***** ****")}${masked}${after}`
    assert.strictEqual(through(Redact.secrets, [bytes]), expected)
    assert.strictEqual(through(Redact.secrets, Array.from(bytes, (byte) => Uint8Array.of(byte))), expected)
    for (let seed = 0; seed < 50; seed++) {
      const cut = random(seed, 40)
      const chunks: Array<Uint8Array> = []
      for (let at = 0; at < bytes.length;) {
        const size = cut(chunks.length)
        chunks.push(bytes.subarray(at, at + size))
        at += size
      }
      assert.strictEqual(through(Redact.secrets, chunks), expected, `seed ${seed}`)
    }
    assert.strictEqual(bytes.toString("latin1"), `${connect}${head}${after}`)
    const other = Buffer.from(`\u0016${head}`, "latin1")
    assert.strictEqual(through(Redact.secrets, [other]), other.toString("latin1"))
    assert.include(through(Redact.headers("x-note"), [bytes]), "X-Note: ************** ****")
  })

  it("hides the secret of a session, which is in its first frame", () => {
    const frame = Buffer.from(Array.from({ length: 50 }, (_, at) => at < 2 ? 1 : at))
    const masked = mask(Redact.secrets, "messages")
    const shown = masked(frame) as Uint8Array
    const bytes = new Uint8Array(frame)
    assert.deepStrictEqual(shown.subarray(0, 18), bytes.subarray(0, 18))
    assert.deepStrictEqual(shown.subarray(18, 34), new Uint8Array(16))
    assert.deepStrictEqual(shown.subarray(34), bytes.subarray(34))
    assert.strictEqual(frame[20], 20)
    assert.strictEqual(masked(frame), frame)
    assert.strictEqual(mask(Redact.secrets, "messages")("text"), "text")
    assert.strictEqual(mask(Redact.secrets, "values")(frame), frame)
  })

  it("masks fields in values, and in JSON as text or bytes", () => {
    const redact = Redact.all(Redact.fields("pin", "token"), Redact.fields("name"))
    const value = { name: "ada", cards: [{ pin: 1, kind: "x" }], token: { a: 1 }, when: new Date(0) }
    const hidden = "<redacted>"
    const expected = { name: hidden, cards: [{ pin: hidden, kind: "x" }], token: hidden, when: new Date(0) }
    const masked = mask(redact, "values")
    assert.deepStrictEqual(masked(value), expected)
    assert.deepStrictEqual(JSON.parse(masked(JSON.stringify(value)) as string), JSON.parse(JSON.stringify(expected)))
    assert.strictEqual(Buffer.from(masked(utf8("{\"pin\":2}")) as Uint8Array).toString(), "{\"pin\":\"<redacted>\"}")
    for (const other of ["{\"pin\":", "{ \"a\": 1 }", utf8("{\"a\":1}"), Uint8Array.of(0xff), 7]) {
      assert.strictEqual(masked(other), other)
    }
  })

  it("masks headers with a space behind their name, and names of any length", () => {
    const name = `x-${"long-".repeat(20)}key`
    const lines = ["GET / HTTP/1.1", "Authorization : abc", `${name}: def`, `${name}er: ghi`, "", ""].join("\r\n")
    const shown = through(Redact.all(Redact.secrets, Redact.headers(name)), [utf8(lines)])
    assert.strictEqual(shown, lines.replace("abc", "***").replace("def", "***"))
  })

  it("masks fields in records, in what says itself how it is shown, and hides what is too deep to be looked through", () => {
    const redact = Redact.fields("pin")
    const json = utf8("{\"pin\":2}")
    const record = mask(redact, "records")({ type: 7, value: json }) as {
      readonly type: number
      readonly value: Uint8Array
    }
    assert.strictEqual(record.type, 7)
    assert.strictEqual(Buffer.from(record.value).toString(), "{\"pin\":\"<redacted>\"}")
    const masked = mask(redact, "values")
    for (
      const value of [
        Option.some({ pin: "4321" }),
        HashMap.make(["a", { pin: "4321" }]),
        Result.succeed({ pin: "4321" })
      ]
    ) {
      assert.notInclude(JSON.stringify(masked({ value })), "4321")
      assert.deepStrictEqual(masked({ pin: 1, other: Option.some(2) }), { pin: "<redacted>", other: Option.some(2) })
    }
    const credentials = { [Redactable.symbolRedactable]: () => "<hidden>", key: "4321", data: new Uint8Array(1) }
    assert.notInclude(JSON.stringify(Payload.of("values", { credentials }, 4_096).payload), "4321")
    const deep = `${"[".repeat(50_000)}{"pin":"4321"}${"]".repeat(50_000)}`
    assert.notInclude(masked(deep) as string, "4321")
    assert.notInclude(String(masked(JSON.parse(deep))), "4321")
  })

  it.effect("shows what it is told to show", () =>
    Effect.gen(function*() {
      const shown = (options: Partial<Tap.Options>) =>
        Effect.gen(function*() {
          const recording = Recording.make()
          const { client } = yield* connected(Tapping.over(Transport.Bytes)({ to: [recording.sink], ...options }))
          yield* client.send(utf8(head))
          return recording.events.flatMap((event) =>
            event._tag === "Passed" && "bytes" in event.payload ? [Buffer.from(event.payload.bytes).toString()] : []
          )
        }).pipe(Effect.scoped)
      assert.deepStrictEqual(yield* shown({}), [masked])
      assert.deepStrictEqual(yield* shown({ secrets: "show" }), [head])
      assert.deepStrictEqual(yield* shown({ redact: Redact.headers("host") }), [
        masked.replace("Host: chat.example", "Host: ************")
      ])
    }))
})

describe("a recorded peer", () => {
  /** What a client has said to a server that answers each chunk, recorded by the client. */
  const recorded = Effect.gen(function*() {
    const recording = Recording.make()
    const { client, close, server } = yield* connected(Tapping.over(Transport.Bytes)({ to: [recording.sink] }))
    for (const text of ["one", "two"]) {
      yield* TestClock.adjust("100 millis")
      yield* client.send(utf8(text))
      yield* server.pull
      yield* server.send(utf8(text.toUpperCase()))
      yield* client.pull
    }
    yield* close
    return Transcript.ofRecording(yield* Recording.parse(Recording.format(recording.events)))
  }).pipe(Effect.scoped)

  const answering = (answer: (text: string) => string) =>
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Bytes)("memory:here")
      yield* Effect.forkScoped(listener.run((peer) =>
        Effect.gen(function*() {
          for (;;) for (const chunk of yield* peer.pull) yield* peer.send(utf8(answer(Buffer.from(chunk).toString())))
        }).pipe(Effect.ignore)
      ))
    })

  const loudly = (text: string) => text.toUpperCase()

  it.effect("finds the same server, as fast as may be and at the recorded times", () =>
    Effect.gen(function*() {
      const transcript = yield* recorded
      yield* answering(loudly)
      const client = Replay.client(Transport.Bytes)
      yield* client("memory:here", transcript)
      const slow = yield* Effect.forkChild(client("memory:here", transcript, { pace: "recorded" }))
      yield* TestClock.adjust("199 millis")
      yield* turns
      assert.isUndefined(slow.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(slow)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer())))

  it.effect("finds what differs, in which entry and where", () =>
    Effect.gen(function*() {
      const transcript = yield* recorded
      yield* answering((text) => loudly(text).replace("WO", "WI"))
      const mismatch = yield* Effect.flip(Replay.client(Transport.Bytes)("memory:here", transcript))
      assert(mismatch._tag === "ReplayMismatch")
      const at = transcript.entries.findIndex(({ said }) => said instanceof Uint8Array && said[1] === 0x57)
      assert.deepInclude(mismatch, { entry: at, at: 200, offset: 2, expected: "\"TWO\"", received: "\"TWI\"" })
      assert.include(mismatch.message, `entry ${at} (recorded at 200 ms), byte 2`)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer())))

  it.effect("plays the server, too", () =>
    Effect.gen(function*() {
      const transcript = yield* recorded
      const { address, played } = yield* Replay.server(Transport.Bytes)("memory:here", transcript)
      yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* Transport.connect(Transport.Bytes)(address)
        for (const text of ["one", "two"]) {
          yield* client.send(utf8(text))
          assert.deepStrictEqual(yield* client.pull, [utf8(loudly(text))])
        }
      }))
      yield* played
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer())))

  it("needs all of it, also where nothing came behind what is missing", () => {
    const dropped: Event.Dropped = { _tag: "Dropped", events: 2, size: 2 }
    const [some, more] = [[opened(1), passed(1, "a")], [closed(1), opened(2)]]
    assert.throws(() => Transcript.ofRecording([...some, dropped, ...more], 1), RangeError)
    assert.throws(() => Transcript.ofRecording([...some, dropped]), RangeError)
    assert.lengthOf(Transcript.ofRecording([dropped, ...some, ...more, dropped], 1).entries, 1)
    const whole = [opened(1), passed(1, "abc"), passed(1, "def", 3)]
    assert.lengthOf(Transcript.ofRecording(whole).entries, 2)
    assert.throws(() => Transcript.ofRecording([whole[0], whole[2]]), RangeError)
    assert.throws(() => Transcript.ofRecording([whole[0], { ...passed(1, "ab"), size: 3 }]), RangeError)
    assert.throws(() => Transcript.ofRecording(whole, 2), RangeError)
    assert.throws(() => Transcript.ofRecording([{ ...opened(1), kind: "values" }]), RangeError)
  })
})

describe("what is written of it", () => {
  it("can do nothing to a terminal", () => {
    const hostile = "\u001b]0;title\u0007 \u009b2J \u202e\r\nok\t"
    const safe = "\\x1b]0;title\\x07 \\x9b2J \\u202e\nok\t"
    assert.strictEqual(Payload.format({ text: hostile }), safe)
    assert.strictEqual(Payload.format({ json: "{\"a\":\"\u009b\"}" }), "{\"a\":\"\\x9b\"}")
    assert.strictEqual(Payload.format({ bytes: utf8("\u009b") }), "\\x9b")
  })

  it("is a dump, with fewer bytes a line if that is asked for", () => {
    assert.deepStrictEqual(HexDump.format(utf8("0123456789"), 8).split("\n"), [
      "0000  30 31 32 33 34 35 36 37  01234567",
      "0008  38 39                    89"
    ])
    assert.strictEqual(HexDump.format(new Uint8Array(0)), "")
  })

  it("has so many packets at most, whatever is said of a message's size", () => {
    const size = 2 ** 52
    const file = Pcapng.of([opened(1), { ...passed(1, "abc"), size }, passed(1, "next", size)])
    assert.isBelow(file.length, 20_000)
  })

  it.effect("is the same pcapng, whole or as it comes", () =>
    Effect.gen(function*() {
      const events = [opened(1), passed(1, "abc"), closed(1)]
      const chunks = yield* Stream.runCollect(Pcapng.stream(Stream.fromIterable(events)))
      assert.deepStrictEqual(new Uint8Array(Buffer.concat([...chunks])), Pcapng.of(events))
    }))
})
