/**
 * Which protocol is spoken, agreed on in band: for stacks without ALPN or subprotocols, such as plain TCP.
 *
 *     client                                  server
 *       | -- the names it offers --------------> |
 *       | <-- the first of its own among them -- |     or none, and it closes
 *
 * Both are a list of names. The server's has one, or none:
 *
 *     byte 0   4        6                           6 + length
 *     | magic  | length | length of a name | name ... |
 *
 *     magic             D7 57 53 31; other bytes are refused at the first that differs
 *     length            2 bytes, most significant first: of all that follows; 4,096 at most
 *     length of a name  1 byte: 1 to 255
 *     name              UTF-8
 *
 * What was agreed on is the detail `Negotiated`, so that a single protocol and a family of versions (`Subprotocol`) stand on it. The
 * most wanted of the server's is chosen. Without an agreement both sides fail with `NothingNegotiated`, and each knows what the client
 * offered. It costs a round trip, and nothing afterwards.
 */

import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Ask, Negotiated } from "../Ask.ts"
import { ConnectError, type ConnectReason, fromConnectionError, NothingNegotiated } from "../ConnectError.ts"
import * as Connection from "../Connection.ts"
import * as utf8 from "../internal/utf8.ts"
import * as Protocol from "../Protocol.ts"
import { TooLarge, Truncated, Violation } from "../Reason.ts"
import { type Message, Messages } from "../Transport.ts"
import * as Dialogue from "./Dialogue.ts"

/** How long the two may talk. */
export interface Options {
  /** From the moment the layer below is ready; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}

const layer = "negotiate"
const name = "the negotiation"
const magic = Uint8Array.of(0xd7, 0x57, 0x53, 0x31)
const headSize = magic.length + 2
const limit = 4_096

const fail = (reason: ConnectReason): Effect.Effect<never, ConnectError> =>
  Effect.fail(new ConnectError({ layer, reason }))

/** A list of names as it is sent; the reason if that can't be. */
const encode = (names: ReadonlyArray<string>): Uint8Array | TooLarge => {
  const bytes: Array<number> = []
  for (const name of names) {
    const encoded = utf8.encode(name)
    if (encoded.length > 255) return new TooLarge({ what: "the name of a protocol", size: encoded.length, limit: 255 })
    bytes.push(encoded.length, ...encoded)
  }
  const size = bytes.length
  return size > limit
    ? new TooLarge({ what: "the list of names", size, limit })
    : Uint8Array.of(...magic, size >> 8, size & 0xff, ...bytes)
}

const sizeOf = (head: Uint8Array): number => head[magic.length] * 256 + head[magic.length + 1]

/** The names in what comes behind the length; undefined if it is no such list. */
const decode = (bytes: Uint8Array): ReadonlyArray<string> | undefined => {
  const names: Array<string> = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + bytes[at]
    if (end > bytes.length || end === at + 1) return undefined
    try {
      names.push(utf8.decode(bytes.subarray(at + 1, end)))
    } catch {
      return undefined
    }
    at = end
  }
  return names
}

const notAList = new Violation({ rule: "a negotiation begins with a list of names" })

/** How the lists pass: in bytes or in messages. */
interface Talk {
  readonly say: (list: Uint8Array) => Effect.Effect<void, ConnectError>
  readonly hear: Effect.Effect<ReadonlyArray<string>, ConnectError>
}

const say = ({ say }: Talk, names: ReadonlyArray<string>): Effect.Effect<void, ConnectError> => {
  const list = encode(names)
  return list instanceof TooLarge ? fail(list) : say(list)
}

const agreedOn = (protocol: string) => Context.make(Negotiated, { protocol })

const client = Effect.fnUntraced(function*(talk: Talk, { offers: offered }: Ask) {
  if (offered.length === 0) return yield* fail(new NothingNegotiated({ offered }))
  yield* say(talk, offered)
  const [selected, ...others] = yield* talk.hear
  if (others.length > 0) return yield* fail(new Violation({ rule: "a server answers with one name, or none" }))
  if (selected === undefined) return yield* fail(new NothingNegotiated({ offered }))
  if (!offered.includes(selected)) return yield* fail(new NothingNegotiated({ offered, selected }))
  return agreedOn(selected)
})

const server = Effect.fnUntraced(function*(talk: Talk, { offers }: Ask) {
  const offered = yield* talk.hear
  const selected = offers.find((name) => offered.includes(name))
  yield* say(talk, selected === undefined ? [] : [selected])
  return selected === undefined ? yield* fail(new NothingNegotiated({ offered })) : agreedOn(selected)
})

/** What is above is agreed on here, so nothing is offered to the layers below. */
const below = (ask: Ask): Ask => ({ ...ask, offers: [] })

const inBytes = (dialogue: Dialogue.Dialogue): Talk => ({
  say: (list) => dialogue.say(list),
  hear: Effect.gen(function*() {
    yield* dialogue.expect(magic)
    const [high, low] = yield* dialogue.take(2)
    const size = high * 256 + low
    if (size > limit) return yield* fail(new TooLarge({ what: "the list of names", size, limit }))
    return decode(yield* dialogue.take(size)) ?? (yield* fail(notAList))
  })
})

/**
 * Puts the negotiation on a stack of bytes.
 *
 * @category layers
 */
export const over = ({ handshakeWithin }: Options = {}): Protocol.Over<"bytes", never, "bytes", Negotiated> =>
  Dialogue.over<Negotiated>({
    layer,
    name,
    below,
    client: (dialogue, ask) => client(inBytes(dialogue), ask),
    server: (dialogue, ask) => server(inBytes(dialogue), ask),
    handshakeWithin
  })

/** A message that has to be a list of names. */
const read = (message: Message): ReadonlyArray<string> | undefined =>
  typeof message !== "string" && message.length >= headSize && magic.every((byte, at) => message[at] === byte) &&
    sizeOf(message) === message.length - headSize && sizeOf(message) <= limit
    ? decode(message.subarray(headSize))
    : undefined

const onMessages = (side: typeof client) => (lower: Connection.Connection<Message, Message>, ask: Ask) =>
  Effect.suspend(() => {
    let leftover: ReadonlyArray<Message> = []
    const talk: Talk = {
      say: (list) => Effect.mapError(lower.send(list), fromConnectionError),
      hear: Effect.matchEffect(lower.pull, {
        onSuccess: ([first, ...rest]) => {
          leftover = rest
          const names = read(first)
          return names === undefined ? fail(notAList) : Effect.succeed(names)
        },
        onFailure: (error) =>
          Cause.isDone(error) ? fail(new Truncated({ inside: name })) : Effect.fail(fromConnectionError(error))
      })
    }
    return Effect.flatMap(
      side(talk, ask),
      (agreed) => Connection.resume(lower, { leftover, details: () => agreed })
    )
  })

/**
 * The same on a stack of messages: each list is one message of bytes.
 *
 * @category layers
 */
export const overMessages = (
  { handshakeWithin }: Options = {}
): Protocol.Over<"messages", never, "messages", Negotiated> =>
  Protocol.within(Messages)<Negotiated>({
    layer,
    below,
    client: onMessages(client),
    server: onMessages(server),
    handshakeWithin
  })
