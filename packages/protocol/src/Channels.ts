/**
 * Channels: many connections of messages on one. Each has its own flow control, its own half-close and end, and its own scope, so that
 * whatever stands on messages stands on a channel.
 *
 *     Chat.over(codec)     Files.over(codec)        on channels
 *          |                    |
 *     channel 1            channel 3                connections of messages
 *          \____________________/
 *                    |
 *              Channels.over()                      frames, a message each
 *                    |
 *              one connection of messages           a WebSocket, or frames on TCP
 *
 * `over` makes a transport of it: `connect` opens a channel, on a connection that is shared by all channels to an endpoint and closes with
 * the last of them; `listen` accepts the channels of all connections. Who holds a connection makes a `Session` of it (`client`, `server`),
 * in which both sides may open channels. The contract:
 *
 * - Opening a channel offers the names of the protocols above, and a label; the peer chooses the first name that it knows too, and tells
 *   (`Negotiated`). Where nobody listens, or no name is common, it is refused.
 * - Each channel has a window: what may be sent and was not taken by the reader yet, 256 KiB by default; a message counts 16 bytes more than
 *   it has. Who does not read holds up this one channel. More than the window is a `Violation`, which ends the connection.
 * - Frames have at most 16 KiB, and the channels that have something to send take turns. So a large message holds up nobody.
 * - Closing a channel ends its output and waits for the end of the peer's, within the budget of the channel. `abort` resets it, which the
 *   peer sees as `Reset`.
 * - When the connection ends, its channels fail with the reason. A connection that is closed says goodbye and why, and cuts the channels
 *   that are left; one that ends without a goodbye while there are channels is `Truncated`.
 * - A listener that drains has its channels drain first, for half of the time at most, and then tells the connections that carry them.
 * - Bounded are the channels of a connection (256), a message (16 MiB; a larger one resets its channel), and what a channel holds: its
 *   window and one message.
 *
 * The frames are described in `internal/channels/Frame.ts`; the name that is negotiated below is `channels.v1`. The design follows RFC
 * 4254 section 5 (windows, END and close apart) and yamux (numbers, refusal by reset).
 */

import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { type Ask, Negotiated } from "./Ask.ts"
import { ConnectError, fromConnectionError, Refused } from "./ConnectError.ts"
import * as Connection from "./Connection.ts"
import { Closed, Closing, ConnectionError, lost } from "./ConnectionError.ts"
import * as Endpoint from "./Endpoint.ts"
import { type ChannelWire, maxCredit } from "./internal/channels/ChannelWire.ts"
import { Code } from "./internal/channels/Frame.ts"
import { type Decision, layer, Mux, type Opened, type Opening } from "./internal/channels/Mux.ts"
import { unsaid } from "./internal/drain.ts"
import { carriedBy, Handover } from "./internal/Handover.ts"
import { errorOf } from "./internal/Stage.ts"
import * as Listener from "./Listener.ts"
import { AddressInUse, ListenError } from "./ListenError.ts"
import type { Over } from "./Protocol.ts"
import { TimedOut } from "./Reason.ts"
import * as Transport from "./Transport.ts"
import type { Message } from "./Transport.ts"

/** The name of the protocol, as it is negotiated. */
export const protocol = "channels.v1"

/** Bounds. */
export interface Options {
  /** How much the peer may send on a channel before it is taken, in bytes; 262,144 by default, and 1,024 at least. */
  readonly window?: number
  /** How long a frame that we send may be, in bytes of its payload; 16,384 by default, and 256 at least. */
  readonly maxFrame?: number
  /** How long a message may be, sent or received, in bytes; 16,777,216 by default. */
  readonly maxMessage?: number
  /** How many channels a connection may have; those beyond are refused. 256 by default. */
  readonly maxChannels?: number
}

/** How channels are put on a stack. */
export interface OverOptions extends Options, Pick<OpenOptions, "openWithin"> {
  /** How long a connection without channels is kept for further ones; 0 by default. */
  readonly idleFor?: Duration.Input
}

/** What a channel tells about itself. */
export class Channel extends Context.Service<Channel, {
  /** Its number: odd if the client has opened it. */
  readonly id: number
  readonly openedBy: "us" | "peer"
  /** What was said when it was opened. */
  readonly label: string
}>()("@wirestack/protocol/Channels/Channel") {}

/** A channel: a connection of messages. */
export type ChannelConnection<D = never> = Connection.Connection<Message, Message, Channel | Negotiated | D>

/** How a channel is opened. */
export interface OpenOptions extends Pick<Transport.ConnectOptions, "closeWithin"> {
  /** Names of protocols, the most wanted first; at most 254, of up to 255 bytes each. */
  readonly offers?: ReadonlyArray<string>
  /** What the channel is for, in at most 1,024 bytes; empty by default. */
  readonly label?: string
  /** How long the peer may take to accept it; 10 seconds by default. */
  readonly openWithin?: Duration.Input
}

/** How channels are listened for. */
export interface ListenOptions extends Transport.ListenOptions<ChannelConnection> {
  /** Names of protocols that are spoken; by default every channel is accepted. */
  readonly offers?: ReadonlyArray<string>
}

/** One connection, on which both sides may open channels. */
export interface Session<D = never>
  extends Pick<Connection.Connection<never, never, D>, "abort" | "closed" | "details">
{
  /** Opens a channel, which the scope owns. Fails with `Refused` if the peer does not want it. Safe to interrupt. */
  readonly open: (options?: OpenOptions) => Effect.Effect<ChannelConnection<D>, ConnectError, Scope.Scope>
  /**
   * Listens for the channels that the peer opens; before, and after the scope has closed, they are refused. Who listens as soon as there is a
   * session also gets those that were opened before. The listener outlives the connection, as any other one does.
   */
  readonly listen: (
    options?: ListenOptions
  ) => Effect.Effect<Listener.Listener<Message, Message, Channel | Negotiated | D>, ListenError, Scope.Scope>
  /**
   * Listens, and handles the channels that the peer opens, each in a scope of its own, until the connection is over and they are handled.
   * Safe to interrupt: then they drain.
   */
  readonly serve: <E, R>(
    handler: (channel: ChannelConnection<D>) => Effect.Effect<void, E, R>,
    options?: ListenOptions & Listener.RunOptions
  ) => Effect.Effect<void, ListenError, Exclude<R, Scope.Scope>>
  /** How many channels there are. */
  readonly size: number
}

/** Where the channels of a session are listened for. */
const here: Endpoint.Endpoint = Result.getOrThrow(Endpoint.make("memory:channels"))

/** A connection with channels, for both roles and uses. */
class Trunk {
  readonly connection: Connection.Connection<never, never, any>
  readonly mux: Mux

  constructor(connection: Connection.Connection<never, never, any>, mux: Mux) {
    this.connection = connection
    this.mux = mux
  }

  static make<D>(
    lower: Connection.Connection<Message, Message, D>,
    role: "client" | "server",
    { maxChannels = 256, maxFrame = 16_384, maxMessage = 16_777_216, window = 262_144 }: Options = {}
  ): Effect.Effect<Trunk, never, Scope.Scope> {
    return Effect.suspend(() => {
      const mux = new Mux(role, {
        maxChannels,
        maxMessage,
        maxFrame: Math.max(256, maxFrame),
        window: Math.min(Math.max(1_024, window), maxCredit)
      })
      return Effect.map(
        Connection.fuse<Message, Message, D, never, never>(lower, mux, {
          layer,
          begun: (control) => {
            mux.flush = () => control.flush()
          }
        }),
        (connection) => new Trunk(connection, mux)
      )
    })
  }

  /** Waits until the connection is over, and tells the channels so. */
  get ended(): Effect.Effect<void> {
    return Effect.ignore(Effect.onExit(this.connection.pull, (exit) => Effect.sync(() => this.mux.lose(endOf(exit)))))
  }

  detailsOf(channel: ChannelWire, openedBy: "us" | "peer", label: string, name: string | undefined) {
    return () =>
      Context.merge(
        this.connection.details,
        Context.make(Negotiated, { protocol: name }).pipe(Context.add(Channel, { id: channel.id, openedBy, label }))
      )
  }

  open(
    { label = "", offers = [], openWithin = "10 seconds" }: OpenOptions,
    address: string,
    ask?: Connection.Options<never>["ask"]
  ): Effect.Effect<ChannelConnection<any>, ConnectError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) => {
      const { error } = this.mux
      if (error !== undefined) return Effect.fail(fromConnectionError(error))
      let opened: (opened: Opened) => void = () => {}
      let channel: ChannelWire
      try {
        channel = this.mux.open(offers, label, (result) => opened(result))
      } catch (thrown) {
        return Effect.fail(fromConnectionError(errorOf(thrown, layer)))
      }
      const answer = Effect.callback<string | undefined, ConnectError>((resume) => {
        opened = (opened) => resume(resultOf(opened, offers, address))
      })
      const after = Duration.toMillis(openWithin)
      return Effect.flatMap(
        Effect.onError(
          restore(Effect.timeoutOrElse(answer, { duration: after, orElse: () => Effect.fail(late(after)) })),
          () => Effect.sync(() => channel.abort())
        ),
        (name) => Connection.make(channel, { ask, details: this.detailsOf(channel, "us", label, name) })
      )
    })
  }
}

const late = (after: number): ConnectError =>
  new ConnectError({ layer, reason: new TimedOut({ phase: "opening a channel", after }) })

/** Why there are no channels any more. */
const endOf = (exit: Exit.Exit<unknown, unknown>): ConnectionError => {
  if (Exit.isFailure(exit)) {
    const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    if (failure instanceof ConnectionError) return failure
    if (Cause.hasInterruptsOnly(exit.cause)) return lost(layer, new Closing())
  }
  return lost(layer, new Closed())
}

const resultOf = (
  opened: Opened,
  offers: ReadonlyArray<string>,
  address: string
): Effect.Effect<string | undefined, ConnectError> => {
  switch (opened._tag) {
    case "Accepted":
      return Effect.succeed(opened.chosen === undefined ? undefined : offers[opened.chosen])
    case "Lost":
      return Effect.fail(fromConnectionError(opened.error))
    case "Refused": {
      const cause = opened.code === Code.TooMany ? "there are too many channels" : undefined
      return Effect.fail(new ConnectError({ layer, reason: new Refused({ address, ...(cause && { cause }) }) }))
    }
  }
}

const refused: Decision = { accepted: false, code: Code.Refused }

/** Takes no channel. */
const nobody = (): Decision => refused

/** Takes a channel of a protocol that is spoken here, or of any if none is named, and hands it over. */
const deciding =
  (handover: Handover, spoken: ReadonlyArray<string>, trunk: Trunk) =>
  ({ channel, label, offers }: Opening): Decision => {
    const at = offers.findIndex((name) => spoken.includes(name))
    if (!handover.open || (at < 0 && spoken.length > 0 && offers.length > 0)) return refused
    const chosen = at < 0 ? undefined : at
    const details = trunk.detailsOf(channel, "peer", label, chosen === undefined ? undefined : offers[chosen])
    return { accepted: true, chosen, begin: () => handover.hand(channel, details, Connection.peer(trunk.connection)) }
  }

const sessionOf = <D>(trunk: Trunk): Session<D> => {
  const { connection, mux } = trunk
  let listening = false
  const listen = ({ offers = [], ...options }: ListenOptions = {}) =>
    Effect.suspend(() => {
      if (listening) {
        return Effect.fail(new ListenError({ layer, reason: new AddressInUse({ address: "the channels" }) }))
      }
      listening = true
      const stopped = () => {
        listening = false
        mux.decideBy(nobody)
      }
      const handover = new Handover(layer, { address: here, stopped })
      return Effect.tap(
        Effect.map(Listener.make(handover, { endpoint: here, offers, demands: [], ...options }), Listener.handled),
        () => Effect.sync(() => mux.decideBy(deciding(handover, offers, trunk)))
      )
    })
  return {
    open: ({ closeWithin, ...options } = {}) =>
      trunk.open(options, "the peer", closeWithin === undefined ? undefined : { closeWithin }),
    listen,
    serve: (handler, options) =>
      Effect.scoped(
        Effect.flatMap(listen(options), (listener) =>
          Effect.asVoid(Effect.raceFirst(listener.run(handler as any, options), connection.closed)))
      ) as Effect.Effect<void, ListenError, any>,
    abort: connection.abort,
    closed: connection.closed,
    get details() {
      return connection.details
    },
    get size() {
      return mux.size
    }
  }
}

const session = (role: "client" | "server") =>
<D>(
  lower: Connection.Connection<Message, Message, D>,
  options?: Options
): Effect.Effect<Session<D>, never, Scope.Scope> =>
  Effect.flatMap(Trunk.make(lower, role, options), (trunk) => {
    const { mux } = trunk
    // It begins when the fiber that makes the session has had its turn, in which it may listen.
    const refusing = Effect.sync(() => {
      if (!mux.decides) mux.decideBy(nobody)
    })
    return Effect.as(Effect.forkScoped(Effect.andThen(refusing, trunk.ended)), sessionOf<D>(trunk))
  })

/**
 * Channels on a connection that was connected. The connection can no longer be used by itself.
 *
 * @category constructors
 */
export const client = session("client")

/**
 * The same on a connection that was accepted.
 *
 * @category constructors
 */
export const server = session("server")

/** What is asked of the layer below: the same for all channels to an endpoint. */
const below = ({ closeWithin, demands, drain, endpoint }: Ask): Ask => ({
  endpoint,
  offers: [protocol],
  demands,
  ...(closeWithin === undefined ? undefined : { closeWithin }),
  ...(drain === undefined ? undefined : { drain: unsaid(drain) })
})

/** Where a connection goes, and for whom, which is all that tells one from another. */
class Place implements Equal.Equal {
  readonly ask: Ask
  readonly address: string

  constructor(ask: Ask) {
    this.ask = ask
    this.address = Endpoint.format(ask.endpoint)
  }

  [Equal.symbol](that: unknown): boolean {
    return that instanceof Place && that.address === this.address &&
      Equal.equals(that.ask.endpoint.credentials, this.ask.endpoint.credentials)
  }

  [Hash.symbol](): number {
    return Hash.string(this.address)
  }
}

const overMessages = (lower: Transport.Transport<Message, Message>, options: OverOptions) =>
  Effect.gen(function*() {
    const trunks = yield* RcMap.make({
      lookup: ({ ask }: Place) =>
        Effect.gen(function*() {
          const trunk = yield* Trunk.make(yield* lower.connect(below(ask)), "client", options)
          trunk.mux.decideBy(nobody)
          yield* Effect.forkScoped(trunk.ended)
          return trunk
        }),
      idleTimeToLive: options.idleFor ?? 0
    })

    const kept = (place: Place): Effect.Effect<Trunk, ConnectError, Scope.Scope> =>
      Effect.tapError(RcMap.get(trunks, place), () => RcMap.invalidate(trunks, place))

    /** The connection that is there, if it is still good for channels, or another one; that one is as good as they get. */
    const shared = (place: Place): Effect.Effect<Trunk, ConnectError, Scope.Scope> =>
      Effect.filterOrElse(
        kept(place),
        (trunk) => trunk.mux.opens,
        () => Effect.andThen(RcMap.invalidate(trunks, place), kept(place))
      )

    const opening = options.openWithin === undefined ? {} : { openWithin: options.openWithin }
    const connect = (ask: Ask) =>
      Effect.suspend(() => {
        const place = new Place(ask)
        return Effect.flatMap(shared(place), (trunk) =>
          trunk.open({ ...opening, offers: ask.offers }, place.address, ask))
      })

    const listen = (ask: Ask) =>
      Effect.flatMap(lower.listen(below(ask)), (carriers) =>
        carriedBy(layer, Listener.handled(carriers), ask, (handover) =>
        (connection) =>
          Effect.flatMap(Trunk.make(connection, "server", options), (trunk) => {
            trunk.mux.decideBy(deciding(handover, ask.offers, trunk))
            return trunk.ended
          })))

    const transport: Transport.Transport<Message, Message> = { connect, listen }
    return transport
  })

/**
 * Puts channels on a stack of messages, as a transport of messages.
 *
 * @category layers
 */
export const over = (
  options: OverOptions = {}
): Over<"messages", never, "messages", Channel | Negotiated> =>
  ((stack: Layer.Layer<any, any, any>) =>
    Layer.provide(
      Transport.layer(
        Transport.Messages,
        Effect.flatMap(Transport.Messages.key, (lower) => overMessages(lower, options)) as any
      ),
      stack
    )) as any
