/** Every framer, and what is made of them, through the suite that is there for the framers of others too. */
import { describe, it } from "@effect/vitest"
import {
  Cobs,
  ContentLength,
  Delimited,
  FixedLength,
  Framer,
  LengthPrefixed,
  Lines,
  Netstring,
  Tlv,
  type Transport,
  VarintPrefixed
} from "@wirestack/protocol"
import { Unencodable } from "@wirestack/protocol/ConnectionError"
import { Violation } from "@wirestack/protocol/Reason"
import { type FramerSubject, framerSuite } from "@wirestack/protocol/testing"
import { hex, pattern, text, utf8 } from "../support/bytes.ts"

type Message = Transport.Message

const run = <In, Out>(name: string, subject: FramerSubject<In, Out>) =>
  describe(name, () => {
    for (const { name, run } of framerSuite(subject)) it(name, run)
  })

const bytes = (message: Message): Uint8Array => typeof message === "string" ? utf8(message) : message

/** Bytes and text in turn. */
const sample = (n: number, size: number): Message =>
  n % 3 === 2 ? "é€😀x".repeat(size / 10).padEnd(size % 10, "~") : pattern(size)

const line = (n: number, size: number): string => String.fromCharCode(97 + n).repeat(size)

const asText = (message: Message): string => typeof message === "string" ? message : text(message)

const carried = { sample, received: bytes }

const vectors = (
  ...all: ReadonlyArray<readonly [name: string, input: Uint8Array, messages: ReadonlyArray<Uint8Array>]>
) => all.map(([name, input, messages]) => ({ name, input, messages }))

const bad = <In = never>(
  name: string,
  input: Uint8Array,
  ending: "Violation" | "TooLarge" | "Undecodable",
  ...messages: Array<In>
) => ({
  name,
  input,
  messages,
  ending
})

/** A byte for the length, then the payload: by functions, and by a program. */
const short = {
  layer: "short",
  maxFrameSize: 256,
  encode: (message: Message) => [Uint8Array.of(bytes(message).length), bytes(message)]
}

const byFunctions = Framer.make<Uint8Array, Message>({
  ...short,
  measure: (bytes, from) => from < bytes.length ? 1 + bytes[from] : 1,
  decode: (bytes, from, to) => bytes.subarray(from + 1, to)
})

const byProgram = Framer.program<Uint8Array, Message>({
  ...short,
  decode: function*() {
    const [size] = yield* Framer.take(1)
    return yield* Framer.take(size)
  }
})

const shortSubject = {
  ...carried,
  vectors: vectors(["abc and nothing", hex("03 616263 00"), [utf8("abc"), hex("")]]),
  sizes: [0, 1, 2, 64, 130, 254, 255],
  refused: [[pattern(256), "TooLarge"]]
} as const

run("Framer.make", { ...shortSubject, framer: byFunctions })
run("Framer.program", { ...shortSubject, framer: byProgram })

const key = "key: "

run("Framer.program with all there is to ask for", {
  framer: Framer.program<string, string>({
    layer: "pairs",
    maxFrameSize: 100,
    decode: function*() {
      const [first] = yield* Framer.peek(1)
      if (first === 0x21) yield* Framer.fail(new Violation({ rule: "a frame begins with a key" }))
      const name = text(yield* Framer.takeUntil(": ", 5))
      const value = text(yield* Framer.takeUntil(utf8("\r\n"), 90))
      return `${name}=${value}`
    },
    encode: (pair) => utf8(`${pair.replace("=", ": ")}\r\n`)
  }),
  vectors: [
    { name: "pairs", input: utf8("a: b: c\r\nkey: \r\n"), messages: ["a=b: c", "key="], boundaries: [9] },
    bad("a rule", utf8("a: b\r\n!: c\r\n"), "Violation", "a=b"),
    bad("a long key", utf8("a: b\r\nkeykey: c\r\n"), "TooLarge", "a=b"),
    bad("a long value", utf8(`a: b\r\n${key}${"x".repeat(91)}\r\n`), "TooLarge", "a=b")
  ],
  sample: (n, size) => `${n}=${"v".repeat(size)}`,
  received: (pair) => pair,
  sizes: [0, 1, 3, 40, 64, 90],
  tooLarge: [utf8("keykey: "), utf8("k: ".padEnd(120, "x"))],
  endless: { bytes: utf8("x"), within: 10 },
  refused: [[`a=${"x".repeat(100)}`, "TooLarge"]]
})

for (
  const [lengthBytes, endian] of [[1, "big"], [2, "little"], [3, "big"], [4, "big"], [4, "little"], [8, "big"], [
    8,
    "little"
  ]] as const
) {
  const length = new Uint8Array(lengthBytes)
  length[endian === "big" ? lengthBytes - 1 : 0] = 3
  run(`LengthPrefixed of ${lengthBytes} bytes, ${endian} endian`, {
    ...carried,
    framer: LengthPrefixed.make({ lengthBytes, endian, maxFrameSize: lengthBytes === 1 ? 200 : 30_000 }),
    vectors: vectors(["abc and nothing", Uint8Array.of(...length, 97, 98, 99, ...new Uint8Array(lengthBytes)), [
      utf8("abc"),
      hex("")
    ]]),
    sizes: lengthBytes === 1 ? [0, 1, 64, 200] : [0, 1, 2, 64, 255, 256, 4_097, 30_000],
    tooLarge: [new Uint8Array(lengthBytes).fill(0xff)],
    refused: [[pattern(30_001), "TooLarge"], ["\ud800", "Unencodable"]]
  })
}

run("LengthPrefixed with a length that counts the header", {
  ...carried,
  framer: LengthPrefixed.make({ lengthBytes: 2, lengthOffset: 1, lengthAdjustment: -3, maxFrameSize: 70_000 }),
  vectors: [
    ...vectors(["abc and nothing", hex("00 0006 616263 ff 0003"), [utf8("abc"), hex("")]]),
    bad("a length that ends before the header", hex("00 0004 61 00 0002"), "Violation", utf8("a"))
  ],
  sizes: [0, 1, 2, 64, 255, 256, 4_097, 65_532],
  refused: [[pattern(65_533), "TooLarge"]]
})

run("LengthPrefixed with its header in the message", {
  framer: LengthPrefixed.make({ lengthBytes: 1, lengthOffset: 2, lengthAdjustment: 1, strip: 1 }),
  vectors: [{
    name: "a magic, a kind, a length, a flag",
    input: hex("ca 07 01 80 61"),
    messages: [hex("07 01 80 61")]
  }],
  sample: (n, size) => Uint8Array.of(n, size - 3, 1, ...pattern(size - 3)),
  received: bytes,
  sizes: [4, 5, 70, 200, 258],
  refused: [[hex("07"), "Unencodable"], [hex("07 00"), "Unencodable"], [pattern(259), "TooLarge"]]
})

run("VarintPrefixed", {
  ...carried,
  framer: VarintPrefixed.make({ maxFrameSize: 70_000 }),
  vectors: [
    ...vectors(
      ["abc and nothing", hex("03 616263 00"), [utf8("abc"), hex("")]],
      ["two bytes of length", Uint8Array.of(0xac, 0x02, ...pattern(300)), [pattern(300)]],
      ["more bytes than needed", hex("81 80 80 80 00 61"), [utf8("a")]]
    ),
    bad("a length of six bytes", hex("01 61 81 80 80 80 80 00"), "Violation", utf8("a"))
  ],
  tooLarge: [hex("f1a204"), hex("80808001"), hex("ffffffffff")],
  endless: { bytes: hex("ff"), within: 6 },
  refused: [[pattern(70_001), "TooLarge"], ["\ud800", "Unencodable"]]
})

run("Netstring", {
  ...carried,
  framer: Netstring.make({ maxFrameSize: 70_000 }),
  vectors: [
    ...vectors(["hello and nothing", utf8("12:hello world!,0:,"), [utf8("hello world!"), hex("")]]),
    bad("no digits", utf8("1:a,:"), "Violation", utf8("a")),
    bad("no number", utf8("1:a,1x"), "Violation", utf8("a")),
    bad("a sign", utf8("-1:"), "Violation"),
    bad("a needless zero", utf8("00:,"), "Violation"),
    bad("no comma", utf8("1:a,1:b;"), "Violation", utf8("a"))
  ],
  tooLarge: [utf8("70001"), utf8("99999999999999999999999")],
  endless: { bytes: utf8("1"), within: 7 },
  refused: [[pattern(70_001), "TooLarge"], ["\ud800", "Unencodable"]]
})

run("FixedLength", {
  ...carried,
  framer: FixedLength.make({ size: 7 }),
  vectors: vectors(["two", utf8("abcdefg1234567"), [utf8("abcdefg"), utf8("1234567")]]),
  sizes: [7, 7, 7],
  refused: [["short", "Unencodable"], [pattern(8), "Unencodable"]]
})

run("FixedLength of large frames", {
  ...carried,
  framer: FixedLength.make({ size: 70_000 }),
  vectors: [],
  sizes: [70_000]
})

run("Delimited", {
  framer: Delimited.make({ delimiter: hex("00 ff 00"), maxFrameSize: 70_000 }),
  vectors: [
    ...vectors(
      ["abc and nothing", hex("616263 00ff00 00ff00"), [utf8("abc"), hex("")]],
      ["one that overlaps itself", hex("61 00ff00 ff00 00ff00"), [utf8("a"), hex("ff00")]]
    )
  ],
  sample: (n, size) => pattern(size).map((byte) => byte === 0xff ? n : byte),
  received: bytes,
  tooLarge: [new Uint8Array(70_003).fill(97)],
  endless: { bytes: pattern(10_000).fill(0), within: 80_000 },
  refused: [[hex("61 00ff00"), "Unencodable"], [hex("61 00ff"), "Unencodable"], [new Uint8Array(70_001), "TooLarge"]]
})

run("Lines", {
  framer: Lines.make({ maxLineSize: 70_000 }),
  vectors: [
    { name: "lines", input: utf8("a\r\n\né\n"), messages: ["a", "", "é"], boundaries: [3, 4] },
    bad("no UTF-8", hex("610a ff0a"), "Undecodable", "a")
  ],
  sample: line,
  received: asText,
  tooLarge: [new Uint8Array(70_002).fill(97)],
  endless: { bytes: utf8("é".repeat(1_000)), within: 73_000 },
  refused: [["a\nb", "Unencodable"], ["a\r", "Unencodable"], [hex("ff"), "Unencodable"], [line(0, 70_001), "TooLarge"]]
})

run("Lines, the last one without its end", {
  framer: Lines.make({ unterminated: "deliver" }),
  vectors: [{ name: "a rest", input: utf8("a\nb"), messages: ["a", "b"] }],
  sample: line,
  received: asText,
  sizes: [0, 1, 64, 1_000],
  truncates: false
})

run("ContentLength", {
  ...carried,
  framer: ContentLength.make({ maxContentSize: 70_000, maxHeadSize: 80, contentType: "text/plain" }),
  vectors: [
    ...vectors(
      ["one", utf8("Content-Length: 2\r\n\r\n{}"), [utf8("{}")]],
      ["other fields, other cases, and nothing", utf8("X: y\r\ncontent-LENGTH:0 \r\nA:\r\n\r\n"), [hex("")]],
      ["an empty line in the content", utf8("Content-Length: 5\r\n\r\n\r\n\r\na"), [utf8("\r\n\r\na")]]
    ),
    bad("no length", utf8("Content-Length: 1\r\n\r\naX: y\r\n\r\n"), "Violation", utf8("a")),
    bad("nothing at all", utf8("\r\n\r\n"), "Violation"),
    bad("two lengths", utf8("Content-Length: 1\r\nContent-Length: 1\r\n\r\na"), "Violation"),
    bad("no number", utf8("Content-Length: 1a\r\n\r\n"), "Violation"),
    bad("no digits", utf8("Content-Length: \r\n\r\n"), "Violation"),
    bad("a negative one", utf8("Content-Length: -1\r\n\r\n"), "Violation"),
    bad("no field", utf8("Content-Length: 1\r\nx\r\n\r\na"), "Violation"),
    bad("a bare LF", utf8("Content-Length: 1\nX: y\r\n\r\na"), "Violation")
  ],
  tooLarge: [utf8("Content-Length: 70001\r\n\r\n"), utf8("x".repeat(81)), utf8(`A: ${"x".repeat(74)}\r\n\r\n`)],
  endless: { bytes: utf8("GET / HTTP/1.1\r\n"), within: 96 },
  refused: [[pattern(70_001), "TooLarge"], ["\ud800", "Unencodable"]]
})

run("Cobs", {
  ...carried,
  framer: Cobs.make({ maxFrameSize: 70_000 }),
  vectors: [
    ...vectors(
      ["a zero", hex("01 01 00"), [hex("00")]],
      ["two zeros", hex("01 01 01 00"), [hex("00 00")]],
      ["zeros around", hex("01 02 11 01 00"), [hex("00 11 00")]],
      ["one inside", hex("03 11 22 02 33 00"), [hex("11 22 00 33")]],
      ["none", hex("05 11 22 33 44 00"), [hex("11 22 33 44")]],
      ["nothing, after a zero", hex("00 01 00 00"), [hex("")]],
      ["254 bytes", Uint8Array.of(0xff, ...new Uint8Array(254).fill(7), 0), [new Uint8Array(254).fill(7)]],
      ["254 bytes, by others", Uint8Array.of(0xff, ...new Uint8Array(254).fill(7), 1, 0), [
        new Uint8Array(254).fill(7)
      ]],
      ["255 bytes", Uint8Array.of(0xff, ...new Uint8Array(254).fill(7), 2, 7, 0), [new Uint8Array(255).fill(7)]]
    ),
    bad("a group that is too long", hex("02 61 00 03 61 00"), "Violation", utf8("a"))
  ],
  tooLarge: [new Uint8Array(70_277).fill(1)],
  endless: { bytes: new Uint8Array(10_000).fill(0xff), within: 90_000 },
  refused: [[pattern(70_001), "TooLarge"], ["\ud800", "Unencodable"]]
})

const records = {
  sample: (n: number, size: number): Transport.Record => ({ type: n, value: pattern(size) }),
  received: (record: Transport.Record) => record
}

for (
  const [typeBytes, lengthBytes, endian] of [[1, 1, "big"], [2, 4, "big"], [3, 2, "little"], [4, 8, "little"]] as const
) {
  const frame = (type: number, length: number, ...value: Array<number>): Uint8Array => {
    const at = (width: number, n: number) => {
      const field = new Uint8Array(width)
      field[endian === "big" ? width - 1 : 0] = n
      return field
    }
    return Uint8Array.of(...at(typeBytes, type), ...at(lengthBytes, length), ...value)
  }
  run(`Tlv of ${typeBytes} and ${lengthBytes} bytes, ${endian} endian`, {
    ...records,
    framer: Tlv.make({ typeBytes, lengthBytes, endian, maxValueSize: lengthBytes === 1 ? 200 : 30_000 }),
    vectors: [
      { name: "a value", input: frame(7, 2, 97, 98), messages: [{ type: 7, value: utf8("ab") }], boundaries: [] },
      { name: "none", input: frame(255, 0), messages: [{ type: 255, value: hex("") }], boundaries: [] }
    ],
    sizes: lengthBytes === 1 ? [0, 1, 64, 200] : [0, 1, 2, 64, 255, 256, 4_097, 30_000],
    tooLarge: [new Uint8Array(typeBytes + lengthBytes).fill(0xff)],
    refused: [
      [{ type: 1, value: pattern(30_001) }, "TooLarge"],
      [{ type: 256 ** typeBytes, value: hex("") }, "Unencodable"],
      [{ type: -1, value: hex("") }, "Unencodable"],
      [{ type: 0.5, value: hex("") }, "Unencodable"]
    ]
  })
}

run("Framer.typed", {
  ...records,
  framer: Framer.typed(Netstring.make(), { typeBytes: 2, endian: "little" }),
  vectors: [
    { name: "a type", input: utf8("3:\u0001\u0002a,"), messages: [{ type: 0x201, value: utf8("a") }], boundaries: [] },
    bad("none", utf8("2:\u0000\u0000,1:a,"), "Violation", { type: 0, value: hex("") })
  ],
  sizes: [0, 1, 64, 255, 5_000, 30_000],
  refused: [[{ type: 65_536, value: hex("") }, "Unencodable"]]
})

run("Framer.map", {
  framer: Framer.map(Lines.make(), {
    decode: (text) => {
      if (!/^-?[0-9]+$/.test(text)) throw new Violation({ rule: "a line is a number" })
      return Number(text)
    },
    encode: (n: number) => {
      if (!Number.isSafeInteger(n)) throw new Unencodable({ detail: "no integer" })
      return `${n}`
    }
  }),
  vectors: [
    { name: "numbers", input: utf8("1\n-20\n"), messages: [1, -20], boundaries: [2] },
    bad("no number", utf8("1\nx\n2\n"), "Violation", 1)
  ],
  sample: (n, size) => n * size,
  received: (n) => n,
  refused: [[0.5, "Unencodable"]]
})

run("Framer.filter", {
  framer: Framer.filter(Lines.make(), (line) => line !== ""),
  vectors: [{ name: "without empty ones", input: utf8("\na\n\n\nb\n\n"), messages: ["a", "b"] }],
  sample: line,
  received: asText,
  sizes: [1, 2, 64, 300, 5_000]
})

run("Framer.nest", {
  framer: Framer.nest(LengthPrefixed.make({ lengthBytes: 2 }), Lines.make()),
  vectors: [
    {
      name: "lines that begin and end anywhere",
      input: hex("0003 610a62 0000 0003 0a0a63 0001 0a"),
      messages: ["a", "b", "", "c"]
    },
    bad("a bad line", hex("0004 610aff0a"), "Undecodable", "a")
  ],
  sample: line,
  received: asText,
  sizes: [0, 1, 64, 300, 5_000, 60_000],
  tooLarge: [Uint8Array.of(0xff, 0xff, ...new Uint8Array(65_535).fill(97), 0, 200, ...new Uint8Array(200).fill(97))],
  refused: [["a\nb", "Unencodable"], [line(0, 65_535), "TooLarge"]]
})
