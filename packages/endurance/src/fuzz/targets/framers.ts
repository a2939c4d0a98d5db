/** Every framer of `protocol`. */
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
import { MachineSuite } from "@wirestack/protocol/testing"
import { hex, joined, utf8 } from "../bytes.ts"
import { machine } from "../oracles/machine.ts"
import type { Target } from "../Target.ts"

const limit = 300

const samples = ["", "a", "hello", "\r\n", "é€😀", "x".repeat(127), "y".repeat(200), "z".repeat(limit)].map(utf8)

/** What the framer itself makes of some messages, alone and together. */
const written = <Out>(framer: Framer.Framer<any, Out>, messages: ReadonlyArray<Out>): ReadonlyArray<Uint8Array> => {
  const each = messages.map((message) => joined(...MachineSuite.encode(framer.machine(), [message])))
  return [...each, joined(...each)]
}

interface Options<Out> {
  readonly messages: ReadonlyArray<Out>
  readonly corpus?: ReadonlyArray<string>
  readonly dictionary?: ReadonlyArray<string>
}

/** A framer that sends what it receives. */
const framed = <In extends Out, Out>(
  name: string,
  framer: Framer.Framer<In, Out>,
  { corpus = [], messages, ...options }: Options<NoInfer<Out>>
): Target =>
  machine<In, Out>({
    name,
    make: () => framer.machine(),
    limit,
    corpus: [...written(framer, messages), ...corpus.map(utf8)],
    again: { peer: () => framer.machine(), message: (message) => message },
    ...options
  })

const fields = [
  "Content-Length: ",
  "content-length:",
  "\r\n",
  "\r\n\r\n",
  "Content-Type: text/plain; charset=utf-8\r\n",
  "Content-Length: +1\r\n\r\n",
  "Content-Length: 0x5\r\n\r\n",
  "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"
]

const texts = samples.map((bytes) => new TextDecoder().decode(bytes)).filter((text) => !text.includes("\n"))

const records = samples.map((value, type): Transport.Record => ({ type, value }))

const lengths = [[1, "big"], [2, "little"], [4, "big"], [8, "big"], [8, "little"]] as const

/** Lengths in digits or bytes, by functions and by a program, as one's own framers are made. */
const own = {
  layer: "own",
  maxFrameSize: limit + 1,
  encode: (message: Uint8Array) => [Uint8Array.of(message.length), message]
}

export const framers: ReadonlyArray<Target> = [
  ...lengths.map(([lengthBytes, endian]) =>
    framed(
      `LengthPrefixed-${lengthBytes}-${endian}`,
      LengthPrefixed.make({ lengthBytes, endian, maxFrameSize: lengthBytes === 1 ? 250 : limit }),
      { messages: samples.filter(({ length }) => lengthBytes > 1 || length <= 250) }
    )
  ),
  framed(
    "LengthPrefixed-adjusted",
    LengthPrefixed.make({ lengthBytes: 2, lengthOffset: 1, lengthAdjustment: -3, maxFrameSize: limit }),
    { messages: samples.filter(({ length }) => length < limit - 5) }
  ),
  framed("VarintPrefixed", VarintPrefixed.make({ maxFrameSize: limit }), { messages: samples }),
  framed("Netstring", Netstring.make({ maxFrameSize: limit }), {
    messages: samples,
    dictionary: ["0:,", "00:,", ",", ":"]
  }),
  framed("Lines", Lines.make({ maxLineSize: limit }), { messages: texts, dictionary: ["\n", "\r\n", "\r", "\ufeff"] }),
  framed("Lines-unterminated", Lines.make({ maxLineSize: limit, unterminated: "deliver" }), {
    messages: texts,
    corpus: ["a\nb", "a\r"],
    dictionary: ["\n", "\r\n", "\r"]
  }),
  framed("Delimited", Delimited.make({ delimiter: hex("00ff00"), maxFrameSize: limit }), { messages: samples }),
  framed("FixedLength", FixedLength.make({ size: 7 }), { messages: [utf8("abcdefg"), new Uint8Array(7)] }),
  framed("ContentLength", ContentLength.make({ maxContentSize: limit, maxHeadSize: 120 }), {
    messages: samples,
    corpus: ["X: y\r\ncontent-LENGTH:0 \r\nA:\r\n\r\n"],
    dictionary: fields
  }),
  framed("Cobs", Cobs.make({ maxFrameSize: limit }), { messages: samples }),
  framed("Tlv", Tlv.make({ typeBytes: 2, lengthBytes: 4, maxValueSize: limit }), { messages: records }),
  framed("Tlv-little", Tlv.make({ typeBytes: 3, lengthBytes: 2, endian: "little", maxValueSize: limit }), {
    messages: records
  }),
  framed("Framer.typed", Framer.typed(Netstring.make({ maxFrameSize: limit }), { typeBytes: 2, endian: "little" }), {
    messages: records.filter(({ value }) => value.length < limit - 2)
  }),
  framed(
    "Framer.nest",
    Framer.nest(LengthPrefixed.make({ lengthBytes: 2, maxFrameSize: limit + 2 }), Lines.make({ maxLineSize: limit })),
    { messages: texts }
  ),
  framed(
    "Framer.make",
    Framer.make<Uint8Array, Uint8Array>({
      ...own,
      measure: (bytes, from) => from < bytes.length ? 1 + bytes[from] : 1,
      decode: (bytes, from, to) => bytes.subarray(from + 1, to)
    }),
    { messages: samples.filter(({ length }) => length < 256) }
  ),
  framed(
    "Framer.program",
    Framer.program<Uint8Array, Uint8Array>({
      ...own,
      decode: function*() {
        const [size] = yield* Framer.take(1)
        return yield* Framer.take(size)
      }
    }),
    { messages: samples.filter(({ length }) => length < 256) }
  )
]
