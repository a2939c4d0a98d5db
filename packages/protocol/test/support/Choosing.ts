/**
 * A negotiating protocol for tests: over messages, the client says the names it offers, the server answers with the
 * first of them that it offers too, or with nothing; then messages pass unchanged.
 */
import { Ask, Connection, type Machine, Protocol, Transport } from "@wirestack/protocol"
import { ConnectError } from "@wirestack/protocol/ConnectError"
import { Closed } from "@wirestack/protocol/ConnectionError"
import type { Message } from "@wirestack/protocol/Transport"
import { Context, Effect } from "effect"

const passing = (): Machine.Machine<Message, Message, Message, Message> => ({
  receive: (input, io) => {
    for (const message of input) io.emit(message, message.length)
    return true
  },
  encode: (message, io) => io.write(message),
  ended: (endOfInput, io) => io.end(endOfInput),
  end: () => {}
})

const said = (connection: Connection.Connection<Message, Message>) =>
  Effect.mapError(
    connection.pull,
    () => new ConnectError({ layer: "choosing", reason: new Closed() })
  ) as Effect.Effect<
    Connection.Batch<Message>,
    ConnectError
  >

const say = (connection: Connection.Connection<Message, Message>, text: string) =>
  Effect.mapError(connection.send(text), () => new ConnectError({ layer: "choosing", reason: new Closed() }))

const agreed = (lower: Connection.Connection<Message, Message>, protocol: string, leftover: ReadonlyArray<Message>) =>
  Connection.fuse(lower, passing(), {
    layer: "choosing",
    leftover,
    details: () => Context.make(Ask.Negotiated, { protocol: protocol === "" ? undefined : protocol })
  })

/** `choose` answers the client instead of the usual choice. */
export const over = (choose?: (offered: ReadonlyArray<string>) => string) =>
  Protocol.make(Transport.Messages, Transport.Messages, {
    layer: "choosing",
    client: (lower, ask) =>
      Effect.gen(function*() {
        yield* say(lower, ask.offers.join(","))
        const [answer, ...rest] = yield* said(lower)
        return yield* agreed(lower, String(answer), rest)
      }),
    server: (lower, ask) =>
      Effect.gen(function*() {
        const [offer, ...rest] = yield* said(lower)
        const offered = String(offer).split(",")
        const answer = choose === undefined ? offered.find((name) => ask.offers.includes(name)) ?? "" : choose(offered)
        yield* say(lower, answer)
        return yield* agreed(lower, answer, rest)
      })
  })
