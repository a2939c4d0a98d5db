/**
 * TLS on a connection that begins in plaintext, once both ends have agreed on it there.
 *
 *     client                                    server
 *       | <-- 220 mail.example ESMTP ------------- |
 *       | --- EHLO client.example ---------------> |   the preface, in plaintext
 *       | <-- 250 STARTTLS ----------------------- |
 *       | --- STARTTLS --------------------------> |
 *       | <-- 220 ready -------------------------- |
 *       | <============= TLS ====================> |
 *
 *     Tcp.layer().pipe(StartTls.over(Preface.smtp(), Tls.client({ trust })))
 *
 * The contract:
 *
 * - There is no way around TLS: what is above this layer sees nothing that was said before, and nothing goes on without it. Who does not begin
 *   TLS is `StartTlsRefused`.
 * - Plaintext behind the last word of the preface is refused with `PlaintextInjected`, on either side: it must never be taken for what TLS
 *   protects (CVE-2011-0411). What arrives later than that goes to TLS, which takes nothing that is not its own. A protocol whose clients may begin TLS
 *   before they have the answer (`eager`) has all of it go to TLS.
 * - The connection is the same one: TLS works right on its socket, and closes before it.
 */

import * as Connection from "@wirestack/protocol/Connection"
import { Dialogue } from "@wirestack/protocol/handshake/Dialogue"
import * as Protocol from "@wirestack/protocol/Protocol"
import { Bytes, type ByteTransport } from "@wirestack/protocol/Transport"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { nothingUnread } from "./internal/nothingUnread.ts"
import type { Preface } from "./Preface.ts"
import type * as Tls from "./Tls.ts"

/** How the preface is spoken. */
export interface Options {
  /** How long it may take, from the moment the layer below is ready; 10 seconds by default. TLS has a time of its own. */
  readonly handshakeWithin?: Duration.Input
}

type Lower = Connection.Connection<Uint8Array, Uint8Array>

const asking = (preface: Preface, { handshakeWithin }: Options) => {
  const { eager = false, layer } = preface
  const spoken = { layer, name: "the plaintext before TLS" }
  const client = Effect.fnUntraced(function*(lower: Lower) {
    const dialogue = new Dialogue(lower, spoken)
    yield* preface.client(dialogue)
    return yield* nothingUnread(lower, dialogue.unread, layer)
  })
  const server = Effect.fnUntraced(function*(lower: Lower) {
    const dialogue = new Dialogue(lower, spoken)
    const answer = yield* preface.server(dialogue)
    const ready = eager
      ? yield* Connection.resume(lower, { leftover: dialogue.unread })
      : yield* nothingUnread(lower, dialogue.unread, layer)
    yield* new Dialogue(ready, spoken).say(answer)
    return ready
  })
  return Protocol.within(Bytes)({ layer, client, server, handshakeWithin })
}

/**
 * Puts a preface and the TLS behind it on a stack of bytes.
 *
 * @category layers
 */
export const over = <Drop>(preface: Preface, tls: Tls.Over<Drop>, options: Options = {}): Tls.Over<Drop> =>
  ((lower: Layer.Layer<ByteTransport<any>, any, any>) => tls(asking(preface, options)(lower))) as Tls.Over<Drop>
