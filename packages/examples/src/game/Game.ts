/**
 * The game of Apple's sample of a custom protocol: two peers on one network, a passcode, and messages that are records of a type, a length
 * and a value.
 *
 *     host                                       guest
 *       | <=== TLS, with the key of the passcode ===> |
 *       | -- 1, Start, whom I play ----------------> |
 *       | <------------------------ 1, Start ------- |
 *       | -- 2, Move, row and column --------------> |
 *       | <------------------------- 2, Move ------- |   in turn, until somebody has a line
 */
import * as Codec from "@wirestack/protocol/Codec"
import * as Subprotocol from "@wirestack/protocol/Subprotocol"
import type { ByteTransport } from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as Tls from "@wirestack/transport-tls/Tls"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createHmac } from "node:crypto"
import * as Tlv from "./Tlv.ts"

const Coordinate = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))

/** A game begins: whom the sender plays, a letter or two. */
export const Start = Schema.TaggedStruct("Start", {
  character: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(16))
})
/** The sender takes a square. */
export const Move = Schema.TaggedStruct("Move", { row: Coordinate, column: Coordinate })
export const Message = Schema.Union([Start, Move])
export type Message = typeof Message.Type

export class Game extends Subprotocol.Service<Game>()("tic-tac-toe", { client: Message, server: Message }) {}

/** The types of the records. */
const codec = Codec.records({ Start: 1, Move: 2 }, Codec.json())

/** What both can make of the passcode. It is as good as that is, so a short one is for a room in which one sees who plays. */
const keyOf = (passcode: string): Redacted.Redacted<Uint8Array> =>
  Redacted.make(createHmac("sha256", passcode).update(Game.protocol).digest())

/** The largest record, in bytes without its head. */
const maxRecord = 1_024

/** The game on a stack of bytes. */
export const onBytes = () => <Can, E, R>(bytes: Layer.Layer<ByteTransport<Can>, E, R>) =>
  bytes.pipe(Tlv.over(maxRecord), Game.over(codec))

/** The stack of both peers. */
export const stack = (passcode: string) => {
  const key = keyOf(passcode)
  const identity = Game.protocol
  return Tcp.layer({ noDelay: true }).pipe(
    Tls.over({
      client: { psk: { identity, key }, resumption: false },
      server: { identity: "none", psk: { keyOf: (name) => name === identity ? key : undefined }, tickets: false }
    }),
    onBytes()
  )
}
