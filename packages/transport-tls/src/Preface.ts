/**
 * How a protocol asks for TLS on a connection that began in plaintext, for both roles: SMTP, IMAP and PostgreSQL, and yours.
 *
 * None of them goes on without TLS: a server refuses every other command, and a client fails if TLS is not to be had.
 */
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import { Closed } from "@wirestack/protocol/ConnectionError"
import type { Dialogue } from "@wirestack/protocol/handshake/Dialogue"
import * as Effect from "effect/Effect"
import { StartTlsRefused } from "./StartTlsReason.ts"

/** What both ends say before TLS. */
export interface Preface {
  /** The name of the protocol, which is that of the layer in errors. */
  readonly layer: string
  /** Asks the server, and succeeds when it was the client's turn to begin TLS. */
  readonly client: (dialogue: Dialogue) => Effect.Effect<void, ConnectError>
  /** Talks until the client asks for TLS; the result is the answer, sent once it is sure that nothing is behind the question. */
  readonly server: (dialogue: Dialogue) => Effect.Effect<Uint8Array | string, ConnectError>
  /** Whether a client may begin TLS behind its question without waiting for the answer; false by default. */
  readonly eager?: boolean
}

const refuse = (dialogue: Dialogue, detail: string) => dialogue.fail(new StartTlsRefused({ detail }))

/** The peer takes its leave. */
const part = (dialogue: Dialogue, farewell: string) =>
  Effect.andThen(dialogue.say(farewell), dialogue.fail(new Closed()))

/** A reply of SMTP: its code, and the text of its lines (RFC 5321 section 4.2.1). */
const reply = (dialogue: Dialogue, said: ReadonlyArray<string> = []): Effect.Effect<SmtpReply, ConnectError> =>
  Effect.flatMap(dialogue.line, (line) => {
    const [, code, more, text] = /^(\d{3})(?:([ -])(.*))?$/.exec(line) ?? []
    if (code === undefined) return dialogue.violation("a reply begins with three digits: RFC 5321 section 4.2.1")
    const lines = [...said, text ?? ""]
    return more === "-" ? reply(dialogue, lines) : Effect.succeed({ code: Number(code), lines })
  })

interface SmtpReply {
  readonly code: number
  readonly lines: ReadonlyArray<string>
}

const expect = (dialogue: Dialogue, code: number): Effect.Effect<SmtpReply, ConnectError> =>
  Effect.filterOrElse(
    reply(dialogue),
    (reply) => reply.code === code,
    (reply) => refuse(dialogue, [reply.code, ...reply.lines].join(" "))
  )

const smtpServer = Effect.fnUntraced(function*(dialogue: Dialogue, name: string) {
  yield* dialogue.say(`220 ${name} ESMTP\r\n`)
  for (let greeted = false;;) {
    const [verb, ...rest] = (yield* dialogue.line).split(" ")
    switch (verb.toUpperCase()) {
      case "EHLO":
        greeted = true
        yield* dialogue.say(`250-${name}\r\n250 STARTTLS\r\n`)
        break
      case "STARTTLS":
        if (rest.length > 0) yield* dialogue.say("501 5.5.4 no parameters allowed\r\n")
        else if (greeted) return "220 2.0.0 ready to start TLS\r\n"
        else yield* dialogue.say("503 5.5.1 EHLO first\r\n")
        break
      case "NOOP":
        yield* dialogue.say("250 2.0.0 OK\r\n")
        break
      case "QUIT":
        return yield* part(dialogue, "221 2.0.0 bye\r\n")
      default:
        yield* dialogue.say("530 5.7.0 STARTTLS first\r\n")
    }
  }
})

/**
 * SMTP: RFC 3207. `name` is how an end calls itself, `localhost` by default. Behind TLS both forget what was said: the client begins
 * with EHLO again, and the server sends no greeting.
 */
export const smtp = ({ name = "localhost" }: { readonly name?: string } = {}): Preface => ({
  layer: "smtp",
  client: Effect.fnUntraced(function*(dialogue) {
    yield* expect(dialogue, 220)
    yield* dialogue.say(`EHLO ${name}\r\n`)
    const { lines } = yield* expect(dialogue, 250)
    if (!lines.some((line) => line.trim().toUpperCase() === "STARTTLS")) {
      return yield* refuse(dialogue, "STARTTLS is not among its extensions")
    }
    yield* dialogue.say("STARTTLS\r\n")
    yield* expect(dialogue, 220)
  }),
  server: (dialogue) => smtpServer(dialogue, name)
})

const imapServer = Effect.fnUntraced(function*(dialogue: Dialogue) {
  const capabilities = "CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED"
  yield* dialogue.say(`* OK [${capabilities}] ready\r\n`)
  for (;;) {
    const [tag, verb = "", ...rest] = (yield* dialogue.line).split(" ")
    if (!/^[^\s(){%*"\\\]+]+$/.test(tag)) {
      return yield* dialogue.violation("a command begins with a tag: RFC 9051 section 2.2.1")
    }
    switch (verb.toUpperCase()) {
      case "CAPABILITY":
        yield* dialogue.say(`* ${capabilities}\r\n${tag} OK done\r\n`)
        break
      case "STARTTLS":
        if (rest.length === 0) return `${tag} OK begin TLS now\r\n`
        yield* dialogue.say(`${tag} BAD no arguments allowed\r\n`)
        break
      case "NOOP":
        yield* dialogue.say(`${tag} OK done\r\n`)
        break
      case "LOGOUT":
        return yield* part(dialogue, `* BYE\r\n${tag} OK done\r\n`)
      default:
        yield* dialogue.say(`${tag} NO [PRIVACYREQUIRED] STARTTLS first\r\n`)
    }
  }
})

/**
 * IMAP: RFC 9051 section 6.2.1. A server that says it knows who we are already (PREAUTH) is refused, as there could be no TLS then. What
 * it says of its capabilities is not believed; ask again behind TLS.
 */
export const imap = (): Preface => ({
  layer: "imap",
  client: Effect.fnUntraced(function*(dialogue) {
    const greeting = yield* dialogue.line
    if (!/^\* OK\b/i.test(greeting)) return yield* refuse(dialogue, greeting)
    yield* dialogue.say("a STARTTLS\r\n")
    for (;;) {
      const line = yield* dialogue.line
      if (/^a OK\b/i.test(line)) return
      if (!line.startsWith("* ") || /^\* BYE\b/i.test(line)) return yield* refuse(dialogue, line)
    }
  }),
  server: imapServer
})

/** SSLRequest: its length, and the code 1234.5679. */
const sslRequest = Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f)

/** PostgreSQL: SSLRequest, and one byte as the answer. A client may begin TLS without waiting for it. */
export const postgres = (): Preface => ({
  layer: "postgres",
  eager: true,
  client: Effect.fnUntraced(function*(dialogue) {
    yield* dialogue.say(sslRequest)
    const answer = String.fromCharCode(...yield* dialogue.take(1))
    if (answer !== "S") return yield* refuse(dialogue, answer === "N" ? "it says no" : "it has an error to tell")
  }),
  server: Effect.fnUntraced(function*(dialogue) {
    const request = yield* dialogue.take(sslRequest.length)
    if (sslRequest.some((byte, at) => byte !== request[at])) {
      return yield* dialogue.violation("a connection begins with SSLRequest")
    }
    return "S"
  })
})
