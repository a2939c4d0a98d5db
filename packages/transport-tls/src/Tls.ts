/**
 * TLS over any transport of bytes.
 *
 *     Tcp.layer().pipe(Tls.over({ client: { trust }, server: { identity } }))     both roles
 *     Tcp.layer().pipe(Tls.client({ trust }))                                       connects only
 *     Tcp.layer().pipe(Tls.server({ identity }))                                    listens only
 *
 * Directly on a socket Node's TLS does the work natively. Over anything else (memory, another TLS, a proxy's tunnel) it
 * works on the bytes of the layer below; it behaves alike, for 1.3 to 1.8 times the cost.
 *
 * The contract:
 *
 * - **Verification** is on unless `trust` is `"insecure"`, whatever the environment says. The server's certificate is
 *   compared with the host of the endpoint, or with `serverName`.
 * - **What changes.** An identity may be a Stream (see `Changing`): handshakes use the latest, live connections keep theirs.
 * - **Refusal.** What is wrong with the peer's certificate fails our handshake. Node says no alert for it: the peer sees its connection
 *   cut, and over TLS 1.3 a client sees that, or the alert for a missing certificate, only after its own handshake went well.
 * - **Resumption.** A session is resumed only with the server, the trust and the identity it was begun with, and all checks but the
 *   built-in verification are made again.
 * - **Names.** What the layers above offer is what ALPN offers, unless `alpn` says otherwise; `Negotiated` tells the
 *   choice. A `wss://` or `tls://` endpoint counts on this layer.
 * - **End of input.** Over other layers an end without close_notify is told apart from one with it, and fails the
 *   connection with `Truncated` unless `truncation` is `"ignore"`. Directly on a socket Node gives the same events for
 *   both: the outcome says `"unknown"` there, and a protocol above needs an end of its own (WebSocket has one).
 * - **Close** sends close_notify and then lets the layer below close. That the peer does not answer it is in order.
 */
import { met, type Negotiated } from "@wirestack/protocol/Ask"
import * as Protocol from "@wirestack/protocol/Protocol"
import * as Transport from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ClientOptions } from "./ClientOptions.ts"
import type { CredentialsError } from "./CredentialsError.ts"
import { clientRole } from "./internal/clientRole.ts"
import { facts } from "./internal/info.ts"
import { serverRole } from "./internal/serverRole.ts"
import type { Deadline } from "./Options.ts"
import type { ServerOptions } from "./ServerOptions.ts"
import type { TlsInfo } from "./TlsInfo.ts"

export type { ClientKey, ClientOptions, Resumption } from "./ClientOptions.ts"
export type { Checks, CommonOptions, Deadline, SignatureAlgorithm, Version } from "./Options.ts"
export type { ClientCertificates, ServerKeys, ServerOptions, Tickets } from "./ServerOptions.ts"

/** What TLS adds to the details of a connection. */
export type Adds = TlsInfo | Negotiated

/** The operator that puts TLS on a stack; `Drop` is the role it does not play, `E` and `R` are of what changes or verifies. */
export type Over<Drop = never, E = never, R = never> = Protocol.Over<
  "bytes",
  never,
  "bytes",
  Adds,
  Drop,
  CredentialsError | E,
  Exclude<R, Scope.Scope>
>

const layered = <Drop, E, R>(
  client: ClientOptions<E, R> | undefined,
  server: ServerOptions<E, R> | undefined,
  { handshakeWithin }: Deadline
): Over<Drop, E, R> => {
  const roles = Effect.all([
    client === undefined ? Effect.undefined : clientRole(client),
    server === undefined ? Effect.undefined : serverRole(server)
  ])
  const lift = (lower: Layer.Layer<Transport.ByteTransport<any>, unknown, unknown>) =>
    Layer.unwrap(Effect.map(roles, ([connects, listens]) =>
      Protocol.make(Transport.Bytes, Transport.Bytes, {
        layer: "tls",
        below: (ask) => ({ ...met(ask, "tls"), offers: [] }),
        client: connects,
        server: listens,
        handshakeWithin,
        facts,
        maxHandshakes: server?.maxHandshakes
      })(lower)))
  return lift as unknown as Over<Drop, E, R>
}

/** TLS in both roles. The client trusts the public authorities by default. */
export const over = <CE = never, CR = never, SE = never, SR = never>(
  options: Deadline & { readonly client?: ClientOptions<CE, CR>; readonly server: ServerOptions<SE, SR> }
): Over<never, NoInfer<CE | SE>, NoInfer<CR | SR>> =>
  layered<never, CE | SE, CR | SR>(options.client ?? {}, options.server, options)

/** TLS for a stack that connects. */
export const client = <E = never, R = never>(
  options: ClientOptions<E, R> & Deadline = {}
): Over<Transport.Listen, NoInfer<E>, NoInfer<R>> => layered(options, undefined, options)

/** TLS for a stack that listens. */
export const server = <E = never, R = never>(
  options: ServerOptions<E, R> & Deadline
): Over<Transport.Connect, NoInfer<E>, NoInfer<R>> => layered(undefined, options, options)
