/**
 * WebSocket (RFC 6455) as a layer: messages over any byte transport, for clients and servers.
 *
 *     client                                                server
 *       | -- GET /chat, Upgrade: websocket, Key ------------> |   the opening handshake, section 4
 *       | <- 101 Switching Protocols, Accept ---------------- |
 *       | <================ messages ======================> |   frames, section 5
 *       | -- Close 1000 ------------------------------------> |   the closing handshake, section 7
 *       | <------------------------------------ Close 1000 -- |
 *       | <-------------------- the layer below is ended ---- |   by the server first
 *
 * The contract, beyond the one of `Connection`:
 *
 * - Text is a string, binary is a `Uint8Array`. A message is bounded by `maxMessageSize` (1 MiB) and `maxFragments`.
 * - The head of the handshake is bounded by `maxHeadSize` (16 KiB), the handshake by `handshakeWithin` (10 seconds).
 * - The names offered by the layers above are negotiated as subprotocols; what was chosen is in the details. A server on
 *   which a layer offers names refuses a client that offers none of them.
 * - Pings are answered. What the peer does wrong is answered with the code that says so, and fails the connection.
 */
import { type Ask, met, Negotiated } from "@wirestack/protocol/Ask"
import { ConnectError, type ConnectReason, fromConnectionError } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import { Closed, ConnectionError, type ConnectionReason, Unencodable } from "@wirestack/protocol/ConnectionError"
import type { Endpoint } from "@wirestack/protocol/Endpoint"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Protocol from "@wirestack/protocol/Protocol"
import { TooLarge } from "@wirestack/protocol/Reason"
import { Bytes, type Connect, type Listen, Messages } from "@wirestack/protocol/Transport"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ClientHandshake from "./ClientHandshake.ts"
import { maxReasonSize } from "./CloseBody.ts"
import type { CloseCode } from "./CloseCode.ts"
import type { Headers } from "./Headers.ts"
import * as HttpHead from "./HttpHead.ts"
import * as ServerHandshake from "./ServerHandshake.ts"
import * as Utf8 from "./Utf8.ts"
import { defaultLimits, maxPings, type Message, WebSocketMachine } from "./WebSocketMachine.ts"

const layer = "websocket"

/** A WebSocket's own facts and operations, among the details of its connection. */
export class WebSocket extends Context.Service<WebSocket, {
  /** The subprotocol that was chosen, if one was. */
  readonly protocol: string | undefined
  /** The path that was asked for. */
  readonly path: string
  /** The query that was asked for, without its question mark. */
  readonly query: string
  /** The headers of the peer's half of the handshake; names are in lower case. */
  readonly headers: Headers
  readonly handshakeTime: Duration.Duration
  /** Sends a ping and gives the time until its pong. Safe to interrupt. Bounded only by the caller: use a timeout. */
  readonly ping: Effect.Effect<Duration.Duration, ConnectionError>
  /**
   * Closes with a code and a reason of at most 123 bytes in UTF-8 (section 7.1.6), and gives the outcome. The codes of
   * the type are those that may be sent. Safe to interrupt: the closing goes on.
   */
  readonly close: (code: CloseCode, reason?: string) => Effect.Effect<Outcome, ConnectionError>
}>()("@wirestack/websocket/WebSocket") {}

/** What client and server have in common. */
export interface Options {
  /** The largest message to receive, in bytes; 1 MiB by default. */
  readonly maxMessageSize?: number
  /** The most fragments of a message to receive; 131,072 by default. */
  readonly maxFragments?: number
  /** The largest head of the opening handshake, in bytes; 16 KiB by default. */
  readonly maxHeadSize?: number
}

/** How long a handshake may take. */
export interface Deadline {
  /** From the moment the layer below is ready; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}

export interface ClientOptions extends Options {
  /** The resource, path and query; by default what the endpoint's URL says, else `/`. */
  readonly path?: string
  /** The site on whose behalf a browser connects; none by default. */
  readonly origin?: string
  /** Further headers of the request, such as `Authorization`. */
  readonly headers?: Headers
}

export interface ServerOptions extends Options {
  /** The only path to accept; any by default. Another one is answered with 404. */
  readonly path?: string
  /** Judges the `Origin` a browser sends (section 10.2); a refused one is answered with 403. Any by default. */
  readonly allowsOrigin?: (origin: string) => boolean
  /** Further headers of the answer. */
  readonly headers?: Headers
  /** How many handshakes go on at once; others wait, within the deadline. No limit of its own by default. */
  readonly maxHandshakes?: number
}

const limitsOf = (options: Options) => ({
  maxMessageSize: options.maxMessageSize ?? defaultLimits.maxMessageSize,
  maxFragments: options.maxFragments ?? defaultLimits.maxFragments
})

const headLimitsOf = (options: Options): HttpHead.Limits => ({
  ...HttpHead.defaultLimits,
  ...options.maxHeadSize === undefined ? undefined : { maxHeadSize: options.maxHeadSize }
})

const fail = (reason: ConnectReason): Effect.Effect<never, ConnectError> =>
  Effect.fail(new ConnectError({ layer, reason }))

type Lower = Connection.Connection<Uint8Array, Uint8Array>

/** What reading found, and the chunks behind those it used. */
interface Found<A> {
  readonly found: A
  readonly rest: ReadonlyArray<Uint8Array>
}

/** Reads from below until `receive` has found what it looks for, or the input is over. */
const readUntil = <A>(
  lower: Lower,
  receive: (chunk: Uint8Array) => A | undefined,
  ended: () => A
): Effect.Effect<Found<A>, ConnectError> => {
  const next: Effect.Effect<Found<A>, ConnectError> = Effect.matchEffect(lower.pull, {
    onSuccess: (chunks) => {
      for (let i = 0; i < chunks.length; i++) {
        const found = receive(chunks[i])
        if (found !== undefined) return Effect.succeed({ found, rest: chunks.slice(i + 1) })
      }
      return next
    },
    onFailure: (error) =>
      Cause.isDone(error) ? Effect.succeed({ found: ended(), rest: [] }) : Effect.fail(fromConnectionError(error))
  })
  return next
}

const sending = (lower: Lower, bytes: Uint8Array): Effect.Effect<void, ConnectError> =>
  Effect.mapError(lower.send(bytes), fromConnectionError)

/**
 * The pings under way on one connection, by the number they carry. A pong answers the pings before its own too: of several
 * a peer may answer only the latest.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.3
 */
class Pings {
  private readonly machine: WebSocketMachine
  private readonly waiting = new Map<number, (effect: Effect.Effect<void>) => void>()
  private count = 0

  constructor(machine: WebSocketMachine) {
    this.machine = machine
    machine.onPong = (payload) => {
      const number = Number(Utf8.decode(payload, 0, payload.length))
      if (!(number <= this.count)) return
      for (const [earlier, resume] of this.waiting) {
        if (earlier > number) return
        this.waiting.delete(earlier)
        // We are inside the machine, and what follows may be anything.
        resume(Effect.yieldNow)
      }
    }
  }

  send(flush: () => void): Effect.Effect<void, ConnectionReason> {
    return Effect.callback((resume) => {
      const number = this.count + 1
      if (!this.machine.ping(Utf8.encode(String(number)))) {
        const reason = this.waiting.size < maxPings
          ? new Closed()
          : new TooLarge({ what: "the number of waiting pings", size: maxPings + 1, limit: maxPings })
        return resume(Effect.fail(reason))
      }
      this.count = number
      this.waiting.set(number, resume)
      flush()
      return Effect.sync(() => this.waiting.delete(number))
    })
  }
}

interface Upgraded {
  readonly protocol: string | undefined
  readonly path: string
  readonly query: string
  readonly headers: Headers
  readonly leftover: ReadonlyArray<Uint8Array>
}

/** Puts the machine on the connection, once the handshake is done. */
const upgraded = (
  lower: Lower,
  role: "client" | "server",
  options: Options,
  { leftover, ...facts }: Upgraded,
  started: bigint
) =>
  Effect.flatMap(Clock.currentTimeNanos, (now) => {
    const machine = new WebSocketMachine({ role, ...limitsOf(options) })
    const pings = new Pings(machine)
    const refused = (reason: ConnectionReason) => new ConnectionError({ layer, reason })
    const details = (control: Connection.Control) => {
      const ping = Effect.suspend(() =>
        Effect.raceFirst(pings.send(control.flush), Effect.andThen(lower.closed, Effect.fail(new Closed())))
      )
      const close = (code: CloseCode, reason = "") =>
        Effect.suspend(() => {
          const size = Utf8.encode(reason).length
          if (size > maxReasonSize) {
            const detail = `a close reason of ${size} bytes is longer than ${maxReasonSize}`
            return Effect.fail(refused(new Unencodable({ detail })))
          }
          machine.closeWith(code, reason)
          control.close("done")
          return lower.closed
        })
      return Context.make(WebSocket, {
        ...facts,
        handshakeTime: Duration.nanos(now - started),
        ping: Effect.mapError(Effect.map(Effect.timed(ping), ([took]) => took), refused),
        close
      }).pipe(Context.add(Negotiated, { protocol: facts.protocol }))
    }
    return Connection.fuse<Uint8Array, Uint8Array, never, Message, Message, WebSocket | Negotiated>(lower, machine, {
      layer,
      leftover,
      details
    })
  })

const hostOf = ({ demands, place }: Endpoint): string =>
  place._tag === "Tcp" ? ClientHandshake.hostHeader(place.host, place.port, demands.includes("tls")) : "localhost"

const client = (options: ClientOptions) => (lower: Lower, ask: Ask) =>
  Effect.gen(function*() {
    const started = yield* Clock.currentTimeNanos
    const path = options.path ?? ask.endpoint.path ?? "/"
    const made = ClientHandshake.make({
      host: hostOf(ask.endpoint),
      path,
      protocols: ask.offers,
      limits: headLimitsOf(options),
      ...options.origin === undefined ? undefined : { origin: options.origin },
      ...options.headers === undefined ? undefined : { headers: options.headers }
    })
    if (Result.isFailure(made)) return yield* fail(made.failure)
    const handshake = made.success
    yield* sending(lower, handshake.request)
    const { found, rest } = yield* readUntil(lower, (chunk) => handshake.receive(chunk), () => handshake.ended())
    if (Result.isFailure(found)) return yield* fail(found.failure)
    const { headers, leftover, protocol } = found.success
    const [, pathname, query = ""] = /^([^?]*)\??(.*)$/.exec(path)!
    const facts = { protocol, headers, path: pathname, query, leftover: [leftover, ...rest] }
    return yield* upgraded(lower, "client", options, facts, started)
  })

const server = (options: ServerOptions) => (lower: Lower, ask: Ask) =>
  Effect.gen(function*() {
    const started = yield* Clock.currentTimeNanos
    const refuse = ({ reason, response }: ServerHandshake.Refused) =>
      Effect.andThen(sending(lower, response), fail(reason))
    const { found, rest } = yield* readUntil(lower, ServerHandshake.read(headLimitsOf(options)), () => undefined)
    if (found === undefined) return yield* fail(new Closed())
    if (Result.isFailure(found)) return yield* refuse(found.failure)
    const { head, leftover } = found.success
    const judged = ServerHandshake.accept(head, {
      ...options,
      protocols: ask.offers,
      requireProtocol: ask.offers.length > 0
    })
    if (Result.isFailure(judged)) return yield* refuse(judged.failure)
    const { path, protocol, query, response } = judged.success
    yield* sending(lower, response)
    const facts = { protocol, headers: head.headers, path, query, leftover: [leftover, ...rest] }
    return yield* upgraded(lower, "server", options, facts, started)
  })

const below = (ask: Ask): Ask => ({ ...met(ask, "websocket"), offers: ["http/1.1"] })

type OverBytes<Drop = never> = Protocol.Over<"bytes", never, "messages", WebSocket | Negotiated, Drop>

/** WebSocket on a byte stack, in both roles. */
export const over = (
  options: Deadline & { readonly client?: ClientOptions; readonly server?: ServerOptions } = {}
): OverBytes =>
  Protocol.make(Bytes, Messages, {
    layer,
    below,
    client: client(options.client ?? {}),
    server: server(options.server ?? {}),
    handshakeWithin: options.handshakeWithin,
    maxHandshakes: options.server?.maxHandshakes
  })

const clientOver = (options: ClientOptions & Deadline = {}): OverBytes<Listen> =>
  Protocol.make(Bytes, Messages, {
    layer,
    below,
    client: client(options),
    handshakeWithin: options.handshakeWithin
  })

const serverOver = (options: ServerOptions & Deadline = {}): OverBytes<Connect> =>
  Protocol.make(Bytes, Messages, {
    layer,
    below,
    server: server(options),
    handshakeWithin: options.handshakeWithin,
    maxHandshakes: options.maxHandshakes
  })

export {
  /** WebSocket on a byte stack, as a client only: what results can't listen. */
  clientOver as client,
  /** WebSocket on a byte stack, as a server only: what results can't connect. */
  serverOver as server
}
