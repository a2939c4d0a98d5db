/**
 * TLS on a connection that is there already, at a moment of the program's choosing: for protocols in which it decides itself when TLS
 * begins. `StartTls` is a layer for those that begin with it.
 *
 *     const upgrade = yield* Upgrade.server(Tls.server({ identity }))
 *     ...
 *     const secure = yield* upgrade(connection, { unread, answer })
 *
 * The contract:
 *
 * - The result replaces the connection, in the same scope and with the same budget; the one it was can no longer be used. If TLS fails, or
 *   is interrupted, the connection is cut: it is neither plaintext nor TLS any more.
 * - `unread` is what was pulled and is not used. If there is anything of it, or more that was received, that is `PlaintextInjected`: whoever
 *   keeps it and uses it later takes plaintext for what TLS protects (CVE-2011-0411). A server whose clients don't wait for an answer
 *   (`eager`) has it go to TLS instead, which takes nothing that is not its own.
 */
import { ConnectError, fromConnectionError } from "@wirestack/protocol/ConnectError"
import { type Connection, resume } from "@wirestack/protocol/Connection"
import { Closing } from "@wirestack/protocol/ConnectionError"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Transport from "@wirestack/protocol/Transport"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { CredentialsError } from "./CredentialsError.ts"
import { Entrance } from "./internal/Entrance.ts"
import { astray, Below, ground } from "./internal/ground.ts"
import { nothingUnread } from "./internal/nothingUnread.ts"
import type * as Tls from "./Tls.ts"

type Bytes<D> = Connection<Uint8Array, Uint8Array, D>
type Upgraded<D> = Effect.Effect<Bytes<D | Tls.Adds>, ConnectError, Scope.Scope>

/** What both roles have to say. */
export interface Options {
  /** What was pulled and is not used. */
  readonly unread: ReadonlyArray<Uint8Array>
}

/** How a client goes on in TLS. */
export interface ClientOptions extends Options {
  /** Whom it is connected to: the host is what the server must prove, unless the TLS has a `serverName`. */
  readonly endpoint: Endpoint.Input
}

/** How a server goes on in TLS. */
export interface ServerOptions extends Options {
  /** The last word in plaintext, sent once it is sure that nothing is behind what the client has said; none by default. */
  readonly answer?: Uint8Array
  /** Whether clients may begin TLS behind their question, without waiting for the answer; by default if there is none. */
  readonly eager?: boolean
}

const layer = "tls"

const build = (tls: Tls.Over<any>) =>
  Effect.map(
    Layer.build(tls(ground())) as Effect.Effect<Context.Context<any>, CredentialsError, Scope.Scope>,
    (context): Transport.Transport<Uint8Array, Uint8Array> => Context.get(context, Transport.Bytes.key)
  )

/** Puts TLS on a connection, and cuts it if that fails. */
const upgrading = <D>(
  connection: Bytes<D>,
  bare: Effect.Effect<Bytes<D>, ConnectError, Scope.Scope>,
  handshake: (connection: Bytes<D>) => Effect.Effect<Connection<Uint8Array, Uint8Array>, ConnectError, Scope.Scope>
): Upgraded<D> =>
  Effect.onError(
    Effect.flatMap(bare, handshake),
    () => connection.abort
  ) as Upgraded<D>

/**
 * TLS as the client. The options of TLS are read once, for all connections.
 *
 * @category constructors
 */
export const client = (
  tls: Tls.Over | Tls.Over<Transport.Listen>
): Effect.Effect<<D>(connection: Bytes<D>, options: ClientOptions) => Upgraded<D>, CredentialsError, Scope.Scope> =>
  Effect.map(
    build(tls),
    ({ connect }) => (connection, options) =>
      upgrading(connection, nothingUnread(connection, options.unread, layer), (bare) => {
        const endpoint = Endpoint.make(options.endpoint)
        if (Result.isFailure(endpoint)) return Effect.fail(new ConnectError({ layer, reason: endpoint.failure }))
        const ask = { endpoint: endpoint.success, offers: [], demands: [] }
        return Effect.provideService(connect(ask), Below, { connect: () => Effect.succeed(bare), listen: astray })
      })
  )

/** What became of a handshake. */
interface Upshot {
  made?: Connection<Uint8Array, Uint8Array>
  error?: ConnectError
}

const Upshot = Context.Reference<Upshot>("@wirestack/transport-tls/Upgrade/Upshot", { defaultValue: () => ({}) })

/** What runs a handshake on a connection, and writes down what became of it. */
const handshakes = (listen: Transport.Transport<Uint8Array, Uint8Array>["listen"]) =>
  Effect.gen(function*() {
    const endpoint = Endpoint.memory("upgrade")
    const entrance = new Entrance(layer, { address: endpoint, drained: Effect.never })
    const ask = { endpoint, offers: [], demands: [] }
    const listener = yield* Effect.orDie(Effect.provideService(listen(ask), Below, entrance.below))
    const running = listener.run((made) => Effect.map(Upshot, (upshot) => void (upshot.made = made)), {
      onIncident: (incident) =>
        Effect.map(Upshot, (upshot) => {
          if (incident._tag === "HandshakeFailed") upshot.error = incident.error
        })
    })
    yield* Effect.forkScoped(running)
    return (connection: Connection<any, any>) => entrance.enter(connection)
  })

/**
 * TLS as the server. The options of TLS are read once, for all connections.
 *
 * @category constructors
 */
export const server = (
  tls: Tls.Over | Tls.Over<Transport.Connect>
): Effect.Effect<<D>(connection: Bytes<D>, options: ServerOptions) => Upgraded<D>, CredentialsError, Scope.Scope> =>
  Effect.gen(function*() {
    const { listen } = yield* build(tls)
    const shake = yield* handshakes(listen)
    return (connection, { answer, eager = answer === undefined, unread }) =>
      upgrading(
        connection,
        eager ? resume(connection, { leftover: unread }) : nothingUnread(connection, unread, layer),
        (bare) =>
          Effect.gen(function*() {
            if (answer !== undefined) yield* Effect.mapError(bare.send(answer), fromConnectionError)
            const upshot: Upshot = {}
            // A handshake that is late interrupts its fiber.
            const exit = yield* Fiber.await(yield* Effect.forkChild(Effect.provideService(shake(bare), Upshot, upshot)))
            const { error = new ConnectError({ layer, reason: new Closing() }), made } = upshot
            if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) return yield* Effect.failCause(exit.cause)
            return made ?? (yield* error)
          })
      )
  })
