/**
 * A framer finds messages in a stream of bytes, and puts messages into one: a protocol that is only a machine.
 *
 *     chunks   | 00 03 61 | 62 63 00 00 00 | 02 64 65 |      as the network cut them
 *     frames   |   abc    |       |     |     de     |       as they were sent
 *
 * Chunks mean nothing. A framer keeps the contract of a `Machine`, and beyond it:
 *
 * - **The buffer.** `receive` finds itself in one of three situations, and handles all three in one loop: it has a whole
 *   frame (emit it and look again), it has a part of one (keep that part, return true), or it has no room (keep
 *   everything from the frame on, return false). However the input is cut, the same frames come out, and the same end.
 * - **Failure is final.** A stream that has lost its frames does not find them again. After `io.fail` a framer is not
 *   shown anything more. What came before the bad frame is still delivered.
 * - **Bounded.** It holds at most one incomplete frame, has a limit for that by default, and refuses at the first byte
 *   that tells the limit will be passed. It allocates for bytes that have arrived, not for those that were announced. A limit
 *   that limits nothing, such as NaN, is a `RangeError`.
 * - **Safe to interrupt.** It is plain calls: no fiber can be interrupted inside it, so no byte is lost or seen twice.
 * - **Ownership.** A frame that lies within one chunk may be a view of it, and keeps the chunk alive; copy what is kept
 *   for long. What is encoded is only read: a large payload is not even copied.
 * - **End.** Between two frames the end of the input is the end of the messages; inside a frame it is `Truncated`.
 */

import * as Effect from "effect/Effect"
import { ConnectError } from "./ConnectError.ts"
import { fuse } from "./Connection.ts"
import { Undecodable, Unencodable } from "./ConnectionError.ts"
import { Reader } from "./handshake/Reader.ts"
import { type Format, FormatMachine } from "./internal/framing/FormatMachine.ts"
import { goodbye as withGoodbye, type Words } from "./internal/framing/goodbye.ts"
import { NestedMachine } from "./internal/framing/NestedMachine.ts"
import { type Program, ProgramMachine, Step } from "./internal/framing/ProgramMachine.ts"
import { relay } from "./internal/framing/relay.ts"
import * as unsigned from "./internal/framing/unsigned.ts"
import * as utf8 from "./internal/utf8.ts"
import type { Machine } from "./Machine.ts"
import * as Protocol from "./Protocol.ts"
import { type Reason, Violation } from "./Reason.ts"
import { Bytes, type Message, Messages, type Record, type Shape } from "./Transport.ts"

/** A way to carry messages in a stream of bytes; they are text or bytes by default. */
export interface Framer<out In = Message, in Out = Message> {
  /** The name of the layer, for errors. */
  readonly layer: string
  /** A machine for one connection. */
  readonly machine: () => Machine<Uint8Array, Uint8Array, In, Out>
}

/**
 * Puts a framer on a stack of bytes, for both roles. The connection can half-close where the layer below can and the
 * framer's machine has `end`.
 *
 * @category constructors
 */
export const over = (framer: Framer): Protocol.Over<"bytes", never, "messages", never> => onto(Messages)(framer)

/**
 * The same for a framer whose messages are neither text nor bytes: `onto(Records)(framer)`.
 *
 * @category constructors
 */
export const onto =
  <S, In, Out>(shape: Shape<S, In, Out>) => (framer: Framer<In, Out>): Protocol.Over<"bytes", never, S, never> =>
    Protocol.machine(Bytes, shape, { layer: framer.layer, client: framer.machine, server: framer.machine })

export type { Format } from "./internal/framing/FormatMachine.ts"
export type { Words } from "./internal/framing/goodbye.ts"
export type { Program, Reading, Step } from "./internal/framing/ProgramMachine.ts"

/**
 * A framer of one's own from three functions of bytes, which know nothing of chunks: how long is the frame that begins here, what does
 * it say, and how is one written. They throw a reason (`Violation`) for what is no frame, or for what can't
 * be sent; whatever else is thrown becomes `Other`.
 *
 * ```ts import.meta.vitest
 * import { Framer } from "@wirestack/protocol"
 * import { concat, encode, feed } from "@wirestack/protocol/testing/machineSuite"
 *
 * // A byte for the length, then the payload.
 * const short = Framer.make<Uint8Array, Uint8Array>({
 *   layer: "short",
 *   maxFrameSize: 256,
 *   measure: (bytes, from) => from < bytes.length ? 1 + bytes[from] : 1,
 *   decode: (bytes, from, to) => bytes.subarray(from + 1, to),
 *   encode: (payload) => [Uint8Array.of(payload.length), payload]
 * })
 * const wire = concat(encode(short.machine(), [Uint8Array.of(7, 8), Uint8Array.of(9)])) // => Uint8Array.of(2, 7, 8, 1, 9)
 * feed(short.machine(), [[wire.subarray(0, 2)], [wire.subarray(2)]]).emitted // => [Uint8Array.of(7, 8), Uint8Array.of(9)]
 * ```
 *
 * Whatever frames look like, they are found however the bytes are cut, and none is larger than `maxFrameSize`. Functions that
 * remember something are made anew for each connection: `Framer.make({ layer, format: () => ({ ... }) })`.
 *
 * @category constructors
 */
export const make = <In = Message, Out = In>(
  format: Format<In, Out> | { readonly layer: string; readonly format: () => Omit<Format<In, Out>, "layer"> }
): Framer<In, Out> => ({
  layer: format.layer,
  machine: () => new FormatMachine("format" in format ? { ...format.format(), layer: format.layer } : format)
})

/**
 * A framer whose messages are the frames as they are, with all that belongs to them: `make` for who knows only where they end.
 *
 * @category constructors
 */
export const whole = (
  format: Pick<Format<Uint8Array, Uint8Array>, "layer" | "maxFrameSize" | "measure">
): Framer<Uint8Array, Uint8Array> =>
  make({ ...format, decode: (bytes, from, to) => bytes.subarray(from, to), encode: (frame) => frame })

/**
 * A framer of one's own from a program that reads as the format is written down: a generator a frame, which takes bytes with `yield*`
 * and returns the message.
 *
 * ```ts import.meta.vitest
 * import { Framer } from "@wirestack/protocol"
 * import { Violation } from "@wirestack/protocol/Reason"
 * import { feed } from "@wirestack/protocol/testing/machineSuite"
 *
 * const { fail, take, takeUntil } = Framer
 *
 * // A name, a space, a byte for the length, then the payload.
 * const named = Framer.program<string>({
 *   layer: "named",
 *   decode: function*() {
 *     const name = new TextDecoder().decode(yield* takeUntil(" ", 16))
 *     if (name === "") yield* fail(new Violation({ rule: "a frame has a name" }))
 *     const [size] = yield* take(1)
 *     return `${name}: ${new TextDecoder().decode(yield* take(size))}`
 *   },
 *   encode: (text) => new TextEncoder().encode(`text ${String.fromCharCode(text.length)}${text}`)
 * })
 * const wire = new TextEncoder().encode("a \u0002xyb \u0000")
 * feed(named.machine(), Array.from(wire, (byte) => [Uint8Array.of(byte)])).emitted // => ["a: xy", "b: "]
 * ```
 *
 * It runs in plain calls, waits in the middle while bytes are missing, and is abandoned with the connection. What is taken is a view
 * of what was received. Its price is that of a generator and an object a step: a small frame of two steps takes three to four times as long as
 * with `make`, some 150 ns more, which is nothing beside what most programs do with a frame, and much for millions of small ones a second.
 *
 * A program that remembers something, such as which request a reply belongs to, is made anew for each connection, as with `make`:
 * `Framer.program({ layer, format: () => ({ decode, encode }) })`.
 *
 * @category constructors
 */
export const program = <In = Message, Out = In>(
  program: Program<In, Out> | { readonly layer: string; readonly format: () => Omit<Program<In, Out>, "layer"> }
): Framer<In, Out> => ({
  layer: program.layer,
  machine: () => new ProgramMachine("format" in program ? { ...program.format(), layer: program.layer } : program)
})

/**
 * In a program: the next `size` bytes, in one piece.
 *
 * @category programs
 */
export const take = (size: number): Step => new Step(size, true)

/**
 * In a program: the next `size` bytes, which are still to be taken. They must be bytes of this frame.
 *
 * @category programs
 */
export const peek = (size: number): Step => new Step(size, false)

/**
 * In a program: the bytes before a delimiter (bytes, or text as UTF-8), which is taken too. Fails with `TooLarge` if there are more than
 * `limit`.
 *
 * @category programs
 */
export const takeUntil = (delimiter: Message, limit: number): Step =>
  new Step(limit, true, typeof delimiter === "string" ? utf8.encode(delimiter).slice() : delimiter)

/**
 * In a program: takes just these bytes (or text as UTF-8); anything else is a `Violation`.
 *
 * @category programs
 */
export function* expect(message: Message): Generator<Step, void, any> {
  const expected = typeof message === "string" ? utf8.encode(message).slice() : message
  const bytes: Uint8Array = yield* take(expected.length)
  if (!expected.every((byte, at) => byte === bytes[at])) {
    yield* fail(new Violation({ rule: `${JSON.stringify(String.fromCharCode(...expected))} comes next` }))
  }
}

/**
 * In a program: the peer has broken the rules.
 *
 * @category programs
 */
export const fail = (reason: Reason): Iterable<never, never, unknown> => {
  throw reason
}

/**
 * A framer whose messages are something else: made of what another one receives, and made to what it sends. Either throws a reason for
 * what can't be: `Undecodable` or a `Violation`, which ends the connection, or `Unencodable`.
 *
 * @category combinators
 */
export const map = <A, B, In, Out>(
  self: Framer<A, B>,
  by: { readonly decode: (message: A) => In; readonly encode: (message: Out) => B }
): Framer<In, Out> => ({
  layer: self.layer,
  machine: () =>
    relay<A, B, In, Out>(self.machine(), {
      up: (message, size, io) => io.emit(by.decode(message), size),
      down: by.encode
    })
})

/**
 * The same by functions that somebody else wrote, which throw whatever they like: that is the cause of an `Undecodable`, which ends the
 * connection, or of an `Unencodable`.
 *
 * @category combinators
 */
export const parsed = <A, B, In, Out>(
  self: Framer<A, B>,
  { parse, print }: { readonly parse: (message: A) => In; readonly print: (message: Out) => B }
): Framer<In, Out> =>
  map(self, {
    decode: (message: A): In => {
      try {
        return parse(message)
      } catch (cause) {
        throw new Undecodable({ detail: `this is no message of ${self.layer}`, cause })
      }
    },
    encode: (message: Out): B => {
      try {
        return print(message)
      } catch (cause) {
        throw new Unencodable({ detail: `this is no message of ${self.layer}`, cause })
      }
    }
  })

/**
 * A framer that gives only some of what another one receives, such as all but keep-alives. The others are dropped; what is sent stays
 * as it is.
 *
 * @category combinators
 */
export const filter: {
  <A, In extends A, Out>(self: Framer<A, Out>, admits: (message: A) => message is In): Framer<In, Out>
  <In, Out>(self: Framer<In, Out>, admits: (message: In) => boolean): Framer<In, Out>
} = <In, Out>(self: Framer<In, Out>, admits: (message: In) => boolean): Framer<In, Out> => ({
  layer: self.layer,
  machine: () =>
    relay<In, Out, In, Out>(self.machine(), {
      up: (message, size, io) => {
        if (admits(message)) io.emit(message, size)
      },
      down: (message) => message
    })
})

/**
 * A framer whose connections end with a goodbye of their own, which has no answer, such as DISCONNECT of MQTT: it is said after all that
 * was sent before, and heard from the peer, behind whose goodbye nothing is read. `heard` tells what a goodbye says, of ours or of the
 * peer's; what was said is the outcome's `sent` and `received`. A peer that ends without one has closed too, and the connection can't
 * half-close. If the framer has a goodbye already, building the machine throws a `TypeError`.
 *
 * ```ts import.meta.vitest
 * import { Framer, Lines } from "@wirestack/protocol"
 * import { feed } from "@wirestack/protocol/testing/machineSuite"
 *
 * const polite = Framer.goodbye(Lines.make(), {
 *   say: (why) => why === "failed" ? undefined : "BYE",
 *   heard: (line) => line === "BYE" ? { code: 0, reason: "" } : undefined
 * })
 * const { emitted, ending } = feed(polite.machine(), [[new TextEncoder().encode("hello\nBYE\nand more\n")]])
 * emitted // => ["hello"]
 * ending // => "closed"
 * ```
 *
 * @category combinators
 */
export const goodbye = <In, Out>(self: Framer<In, Out>, words: Words<NoInfer<In>, NoInfer<Out>>): Framer<In, Out> => ({
  layer: self.layer,
  machine: () => withGoodbye(self.machine(), words)
})

/** How a type stands in front of a message. */
export interface TypeOptions {
  /** How many bytes it has; 1 by default. */
  readonly typeBytes?: 1 | 2 | 3 | 4
  /** Which of them comes first; the most significant (`"big"`) by default. */
  readonly endian?: unsigned.Endian
}

/**
 * A framer of records from one of bytes: the first bytes of each message are its type. To be put on a stack with `onto(Records)`.
 *
 * A message without its type is a `Violation`; a type that the width can't say is refused with `Unencodable`.
 *
 * @category combinators
 */
export const typed = (
  self: Framer<Uint8Array, Uint8Array>,
  { endian = "big", typeBytes = 1 }: TypeOptions = {}
): Framer<Record, Record> => {
  const big = endian === "big"
  return map(self, {
    decode: (bytes: Uint8Array): Record => {
      if (bytes.length < typeBytes) throw new Violation({ rule: `a message begins with a type of ${typeBytes} bytes` })
      return { type: unsigned.read(bytes, 0, typeBytes, big), value: bytes.subarray(typeBytes) }
    },
    encode: ({ type, value }: Record) => {
      unsigned.check("a type", type, typeBytes)
      const bytes = new Uint8Array(typeBytes + value.length)
      unsigned.write(type, bytes, 0, typeBytes, big)
      bytes.set(value, typeBytes)
      return bytes
    }
  })
}

/**
 * A framer in the frames of another: what those carry, one after the other, is the stream that the inner one reads, so its frames may
 * begin and end anywhere in them. Each message is sent in a frame of the outer one, which is only a container: with a goodbye, timers or a
 * queue of its own, building the machine throws a `TypeError`. Those of the inner one work as ever.
 *
 * @category combinators
 */
export const nest = <In, Out>(outer: Framer<Uint8Array, Uint8Array>, inner: Framer<In, Out>): Framer<In, Out> => ({
  layer: inner.layer,
  machine: () => new NestedMachine(outer.machine(), inner.machine())
})

/** Which framers a stack speaks. */
export interface Choice {
  /** What a client speaks. */
  readonly client: Framer
  /** What the clients of a server speak whose first byte is this one; undefined refuses them. */
  readonly server: (first: number) => Framer | undefined
}

/**
 * Puts one of several framers on a stack of bytes. A client says which it speaks; a server sees it from the first byte of each
 * connection, and accepts it then, so a client has to speak first, and within the time of a handshake. One that nobody knows is a
 * `Violation`. Errors have the name of the framer that was chosen.
 *
 * @category constructors
 */
export const choose = ({ client, server }: Choice): Protocol.Over<"bytes", never, "messages", never> =>
  Protocol.make(Bytes, Messages, {
    layer: "choice",
    client: (lower) => fuse(lower, client.machine(), { layer: client.layer }),
    server: (lower) =>
      Effect.gen(function*() {
        const reader = new Reader(lower, "choice")
        const [first] = yield* reader.peek(1, "a choice of framers")
        const framer = server(first)
        if (framer === undefined) {
          return yield* new ConnectError({
            layer: "choice",
            reason: new Violation({ rule: `no framer begins with the byte ${first}` })
          })
        }
        return yield* fuse(lower, framer.machine(), { layer: framer.layer, leftover: reader.leftover })
      })
  })
