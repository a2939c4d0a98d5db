/** Handshakes on bytes: which protocol is spoken, and how TLS is asked for. */
import {
  Codec,
  Connection,
  Dialogue,
  LengthPrefixed,
  Negotiate,
  Subprotocol,
  type Transport
} from "@wirestack/protocol"
import { Preface } from "@wirestack/transport-tls"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { hex, utf8 } from "../bytes.ts"
import { accepted, accepting, connecting, type Failure, peer, place } from "../oracles/peer.ts"
import type { Target } from "../Target.ts"

class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Schema.String, server: Schema.String }) {}

type Both = Layer.Layer<Transport.ByteTransport<Transport.Connect | Transport.Listen>>

const stack = (transport: Both) =>
  transport.pipe(Negotiate.over(), LengthPrefixed.over({ lengthBytes: 1 }), Chat.over(Codec.json()))

const all = (connection: Connection.Connection<string, string>): Effect.Effect<string, Failure> =>
  Effect.map(Stream.runCollect(Connection.messages(connection)), (messages) => JSON.stringify(messages))

const magic = "d7575331"
const chat = "07 636861742e7631"

const negotiations: ReadonlyArray<Target> = [
  peer({
    name: "negotiate-client",
    corpus: [`${magic} 0008 ${chat} 03 226122`, `${magic} 0000`, `${magic} 0002 0161`].map(hex),
    see: (transport) => Effect.flatMap(Chat.connect(place), all).pipe(Effect.provide(stack(transport)))
  }),
  peer({
    name: "negotiate-server",
    corpus: [`${magic} 0008 ${chat} 03 226122`, `${magic} 000a 0161 ${chat}`, `${magic} 0002 0161`].map(hex),
    see: (transport) => accepted(Chat.listen(place), all).pipe(Effect.provide(stack(transport)))
  })
]

const prefaces = [
  {
    preface: Preface.smtp(),
    dictionary: ["220 ", "250-", "250 ", "STARTTLS\r\n", "EHLO a\r\n", "NOOP\r\n", "QUIT\r\n", "\r\n"],
    toClient: [
      "220 a ESMTP\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n",
      "220-a\r\n220 b\r\n250 STARTTLS\r\n220 \r\nand more",
      "220 a\r\n250 a\r\n"
    ],
    toServer: ["EHLO a\r\nSTARTTLS\r\n", "NOOP\r\nEHLO a\r\nMAIL\r\nSTARTTLS\r\nx", "QUIT\r\n"]
  },
  {
    preface: Preface.imap(),
    dictionary: ["* OK", "* BYE", "a OK", "a NO", "STARTTLS", "CAPABILITY", "LOGOUT", "\r\n", " "],
    toClient: ["* OK ready\r\na OK go\r\n", "* OK\r\n* CAPABILITY\r\na OK\r\nx", "* PREAUTH\r\n"],
    toServer: ["a STARTTLS\r\n", "a CAPABILITY\r\nb STARTTLS\r\nx", "a LOGOUT\r\n"]
  },
  {
    preface: Preface.postgres(),
    dictionary: [],
    toClient: ["S", "N", "Sx"],
    toServer: ["\0\0\0\b\u0004\u00d2\u0016\u002f", "\0\0\0\b"]
  }
] as const

/** What is said by characters of a byte. */
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

const startTls = prefaces.flatMap(({ dictionary, preface, toClient, toServer }): ReadonlyArray<Target> => {
  const { client, layer, server } = preface
  const over = Dialogue.over({
    layer,
    client: (dialogue) => client(dialogue),
    server: (dialogue) => Effect.flatMap(server(dialogue), (answer) => dialogue.say(answer))
  })
  return [
    peer({ name: `${layer}-client`, dictionary, corpus: toClient.map(latin1), see: connecting(over) }),
    peer({ name: `${layer}-server`, dictionary, corpus: toServer.map(latin1), see: accepting(over) })
  ]
})

/** A login of one's own, in lines. */
const login = Dialogue.over({
  layer: "login",
  maxLines: 4,
  maxLineSize: 40,
  client: (dialogue) => Effect.andThen(dialogue.say("PASS secret\r\n"), dialogue.expect("+OK\r\n")),
  server: Effect.fnUntraced(function*(dialogue) {
    while ((yield* dialogue.line) !== "PASS secret") yield* dialogue.say("-ERR\r\n")
    yield* dialogue.say("+OK\r\n")
  })
})

const dialogues: ReadonlyArray<Target> = [
  peer({ name: "dialogue-client", corpus: ["+OK\r\n", "+OK\r\nhello"].map(utf8), see: connecting(login) }),
  peer({
    name: "dialogue-server",
    corpus: ["PASS secret\r\n", "NOOP\r\n\r\nPASS secret\r\nhello"].map(utf8),
    dictionary: ["\r\n", "PASS secret\r\n", "\n", "\r"],
    see: accepting(login)
  })
]

export const handshakes: ReadonlyArray<Target> = [...negotiations, ...startTls, ...dialogues]
