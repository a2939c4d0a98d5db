/**
 * A handshake as a dialogue on a connection: say, read, and then go on with what comes behind. On bytes one reads a line, or bytes by
 * number (`over`); on messages of any shape the next message (`within`).
 *
 *     const login = Dialogue.over({
 *       layer: "login",
 *       client: (dialogue) => Effect.andThen(dialogue.say("PASS secret\r\n"), dialogue.expect("+OK\r\n")),
 *       server: Effect.fnUntraced(function*(dialogue) {
 *         if ((yield* dialogue.line) !== "PASS secret") return yield* dialogue.deny("the password is wrong")
 *         yield* dialogue.say("+OK\r\n")
 *       })
 *     })
 *
 * The contract:
 *
 * - All of it is bounded: a line by its size, lines and messages by their number, bytes by what is asked for, the whole by `handshakeWithin`.
 * - Nothing above is there before the dialogue is over. What arrived behind it goes to whoever is above, and from then on the layer
 *   costs nothing: the connection goes on right on the wire below.
 * - What fails is a `ConnectError` of the layer: an end in the middle is `Truncated`, what breaks a rule a `Violation`, a no is `Denied`.
 *   The client's connection is then cut; the server's is closed, so that what was said before still arrives.
 * - Each step is safe to interrupt.
 */

import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Ask } from "../Ask.ts"
import { encode } from "../bytes/Utf8.ts"
import { ConnectError, type ConnectReason, Denied, fromConnectionError } from "../ConnectError.ts"
import * as Connection from "../Connection.ts"
import type { Machine } from "../Machine.ts"
import * as Protocol from "../Protocol.ts"
import { TooLarge, Truncated, Violation } from "../Reason.ts"
import { Bytes, type Shape } from "../Transport.ts"
import { Reader } from "./Reader.ts"

/** How a dialogue is bounded, and what it is called in errors. */
export interface Options {
  /** The name of the layer. */
  readonly layer: string
  /** What the dialogue is; "the handshake" by default. */
  readonly name?: string
  /** How many lines are read at most; 100 by default. */
  readonly maxLines?: number
  /** The longest line that is read, in bytes with its CRLF; 512 by default, as RFC 5321 has it (section 4.5.3.1.5). */
  readonly maxLineSize?: number
  /** How many messages are read at most, in a dialogue of messages; 100 by default. */
  readonly maxMessages?: number
}

/** What dialogues of bytes and of messages have in common. */
abstract class Talk<In, Out, D> {
  protected readonly connection: Connection.Connection<In, Out, D>
  protected readonly options: Options
  protected readonly name: string

  constructor(connection: Connection.Connection<In, Out, D>, options: Options) {
    this.connection = connection
    this.options = options
    this.name = options.name ?? "the handshake"
  }

  /** What was received and not read. */
  abstract get unread(): ReadonlyArray<In>

  /** Fails the handshake. */
  fail(reason: ConnectReason): Effect.Effect<never, ConnectError> {
    return Effect.fail(new ConnectError({ layer: this.options.layer, reason }))
  }

  /** Fails the handshake because one side says no. */
  deny(detail: string): Effect.Effect<never, ConnectError> {
    return this.fail(new Denied({ detail }))
  }

  /** Fails the handshake because the peer broke a rule of the protocol. */
  violation(rule: string): Effect.Effect<never, ConnectError> {
    return this.fail(new Violation({ rule }))
  }

  /** Goes on with the connection as it is; what was not read is pulled first. */
  resume<D2 = never>(
    options?: Connection.Options<D2>
  ): Effect.Effect<Connection.Connection<In, Out, D | D2>, never, Scope.Scope> {
    return Effect.suspend(() => Connection.resume(this.connection, { ...options, leftover: this.unread }))
  }

  protected send(message: Out): Effect.Effect<void, ConnectError> {
    return Effect.mapError(this.connection.send(message), fromConnectionError)
  }

  protected bounded(count: number, what: string, limit: number): Effect.Effect<void, ConnectError> {
    return count <= limit
      ? Effect.void
      : this.fail(new TooLarge({ what: `the number of ${what} of ${this.name}`, size: count, limit }))
  }
}

export class Dialogue<D = never> extends Talk<Uint8Array, Uint8Array, D> {
  private readonly reader: Reader
  private lines = 0

  constructor(connection: Connection.Connection<Uint8Array, Uint8Array, D>, options: Options) {
    super(connection, options)
    this.reader = new Reader(connection, options.layer)
  }

  get unread(): ReadonlyArray<Uint8Array> {
    return this.reader.leftover
  }

  /**
   * The next line of the peer, without its CRLF; a byte is a character. Fails with `TooLarge` beyond `maxLineSize` and `maxLines`.
   */
  get line(): Effect.Effect<string, ConnectError> {
    const { maxLines = 100, maxLineSize = 512 } = this.options
    return Effect.suspend(() =>
      Effect.andThen(this.bounded(++this.lines, "lines", maxLines), this.reader.line(maxLineSize, this.name))
    )
  }

  /** The next `size` bytes of the peer. */
  take(size: number): Effect.Effect<Uint8Array, ConnectError> {
    return this.reader.take(size, this.name)
  }

  /** Takes just these bytes, or this text as UTF-8; what begins otherwise is a `Violation` at the first byte that tells. */
  expect(message: Uint8Array | string): Effect.Effect<void, ConnectError> {
    const expected = bytesOf(message)
    const next = (at: number): Effect.Effect<void, ConnectError> =>
      at === expected.length ? Effect.void : Effect.flatMap(this.take(1), ([byte]) =>
        byte === expected[at]
          ? next(at + 1)
          : this.violation(`byte ${at} of ${JSON.stringify(String.fromCharCode(...expected))} in ${this.name}`))
    return next(0)
  }

  /** Sends bytes, or text as UTF-8. */
  say(message: Uint8Array | string): Effect.Effect<void, ConnectError> {
    return this.send(bytesOf(message))
  }

  /** Goes on with a machine, which is shown first what was not read. */
  fuse<In, Out, D2 = never>(
    machine: Machine<Uint8Array, Uint8Array, In, Out>,
    options?: Connection.Options<D2>
  ): Effect.Effect<Connection.Connection<In, Out, D | D2>, never, Scope.Scope> {
    const { layer } = this.options
    return Effect.suspend(() => Connection.fuse(this.connection, machine, { ...options, layer, leftover: this.unread }))
  }
}

/** A dialogue in messages of any shape. */
export class MessageDialogue<In, Out, D = never> extends Talk<In, Out, D> {
  private received: ReadonlyArray<In> = []
  private messages = 0

  get unread(): ReadonlyArray<In> {
    return this.received
  }

  /** The next message of the peer. Fails with `TooLarge` beyond `maxMessages`. */
  get next(): Effect.Effect<In, ConnectError> {
    return Effect.suspend(() =>
      Effect.andThen(
        this.bounded(++this.messages, "messages", this.options.maxMessages ?? 100),
        this.received.length > 0 ? this.first : this.pulled
      )
    )
  }

  /** Sends a message. */
  say(message: Out): Effect.Effect<void, ConnectError> {
    return this.send(message)
  }

  private get first(): Effect.Effect<In> {
    return Effect.sync(() => {
      const [first] = this.received
      this.received = this.received.slice(1)
      return first
    })
  }

  private get pulled(): Effect.Effect<In, ConnectError> {
    return Effect.matchEffect(this.connection.pull, {
      onSuccess: (messages) => {
        this.received = messages
        return this.first
      },
      onFailure: (error) =>
        Cause.isDone(error)
          ? this.fail(new Truncated({ inside: this.name }))
          : Effect.fail(fromConnectionError(error))
    })
  }
}

const bytesOf = (message: Uint8Array | string): Uint8Array => typeof message === "string" ? encode(message) : message

/** The connection behind a dialogue, with what was told. */
const resumed = <In, Out, Add, Need>(
  dialogue: Talk<In, Out, Need>,
  told: Effect.Effect<Context.Context<Add> | void, ConnectError, Scope.Scope>
) => Effect.flatMap(told, (told) => dialogue.resume<Add>(told === undefined ? undefined : { details: () => told }))

/** One side of a dialogue. It may tell something of the connection, as its details. */
export type Side<Add, Need> = (
  dialogue: Dialogue<Need>,
  ask: Ask
) => Effect.Effect<Context.Context<Add> | void, ConnectError, Scope.Scope>

/** A handshake before bytes. */
export interface Handshake<Add, Need> extends Options {
  readonly client: Side<Add, Need>
  readonly server: Side<Add, Need>
  /** What is asked of the layer below; by default the same. */
  readonly below?: (ask: Ask) => Ask
  /** How long it may take, from the moment the layer below is ready; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input | undefined
}

/**
 * Puts a dialogue on a stack of bytes, after which bytes go on as they are. The details `Add` it tells are said; those it reads of the layers
 * below are `Need`.
 *
 * @category layers
 */
export const over = <Add = never, Need = never>(
  handshake: Handshake<Add, Need>
): Protocol.Over<"bytes", Need, "bytes", Add> => {
  const { below, client, handshakeWithin, layer, server } = handshake
  const speak = (side: Side<Add, Need>) => (lower: Connection.Connection<Uint8Array, Uint8Array, Need>, ask: Ask) =>
    Effect.suspend(() => {
      const dialogue = new Dialogue(lower, handshake)
      return resumed(dialogue, side(dialogue, ask))
    })
  return Protocol.within(Bytes)<Add, never, Need>({
    layer,
    ...(below === undefined ? undefined : { below }),
    client: speak(client),
    server: speak(server),
    handshakeWithin
  })
}

/** One side of a dialogue in messages. It may tell something of the connection, as its details. */
export type MessageSide<In, Out, Add, Need> = (
  dialogue: MessageDialogue<In, Out, Need>,
  ask: Ask
) => Effect.Effect<Context.Context<Add> | void, ConnectError, Scope.Scope>

/** A handshake before messages. Who has no part in it can't connect, or listen. */
export interface MessageHandshake<CI, CO, SI, SO, Add, Need> extends Options {
  readonly client?: MessageSide<CI, CO, Add, Need>
  readonly server?: MessageSide<SI, SO, Add, Need>
  /** How long it may take, from the moment the layer below is ready; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input | undefined
}

/**
 * Puts a dialogue in messages on a stack of any shape, after which messages go on as they are:
 * `bytes.pipe(Framer.onto(Commands)(framer), Dialogue.within(Commands)<User, Listen>({ layer: "login", client }))`. The details it
 * `Add`s, the role it `Drop`s and the details it reads, `Need`, are said.
 *
 * @category layers
 */
export const within = <S, CI, CO, SI, SO>(shape: Shape<S, CI, CO, SI, SO>) =>
<Add = never, Drop = never, Need = never>(
  handshake: MessageHandshake<CI, CO, SI, SO, Add, Need>
): Protocol.Over<S, Need, S, Add, Drop> => {
  const { client, handshakeWithin, layer, server } = handshake
  const speak =
    <In, Out>(side: MessageSide<In, Out, Add, Need>) => (lower: Connection.Connection<In, Out, Need>, ask: Ask) =>
      Effect.suspend(() => {
        const dialogue = new MessageDialogue(lower, handshake)
        return resumed(dialogue, side(dialogue, ask))
      })
  return Protocol.within(shape)<Add, Drop, Need>({
    layer,
    ...client && { client: speak(client) },
    ...server && { server: speak(server) },
    handshakeWithin
  })
}
