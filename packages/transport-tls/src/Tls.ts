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
 * - **Names.** What the layers above offer is what ALPN offers, unless `alpn` says otherwise; `Negotiated` tells the
 *   choice. A `wss://` or `tls://` endpoint counts on this layer.
 * - **End of input.** Over other layers an end without close_notify is told apart from one with it, and fails the
 *   connection with `Truncated` unless `truncation` is `"ignore"`. Directly on a socket Node gives the same events for
 *   both: the outcome says `"unknown"` there, and a protocol above needs an end of its own (WebSocket has one).
 * - **Close** sends close_notify and then lets the layer below close. That the peer does not answer it is in order.
 */
import { type Ask, met, type Negotiated } from "@wirestack/protocol/Ask"
import { ConnectError, type ConnectReason, InvalidEndpoint } from "@wirestack/protocol/ConnectError"
import type * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Protocol from "@wirestack/protocol/Protocol"
import { Other } from "@wirestack/protocol/Reason"
import * as Transport from "@wirestack/protocol/Transport"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as NodeTls from "node:tls"
import type { CredentialsError } from "./CredentialsError.ts"
import type { Authorities, Identity, Trust } from "./Identity.ts"
import { handshake } from "./internal/handshake.ts"
import { secureContext } from "./internal/secureContext.ts"
import { certificateInvalid } from "./internal/tlsReason.ts"
import type { TlsInfo } from "./TlsInfo.ts"
import { CertificateInvalid } from "./TlsReason.ts"

/** The versions of TLS that can be asked for. */
export type Version = "TLSv1.2" | "TLSv1.3"

/** What both roles can be told. */
export interface CommonOptions {
  /** The protocol names for ALPN, most wanted first; by default what the layers above offer. */
  readonly alpn?: ReadonlyArray<string>
  /** The oldest version that is accepted; `"TLSv1.2"` by default. */
  readonly minVersion?: Version
  /** The newest version that is accepted. */
  readonly maxVersion?: Version
  /**
   * What an input means that ends without close_notify, where that can be told: cut off, or just ended. `"detect"` by
   * default. Ignore it only if the protocol above says itself where it ends.
   */
  readonly truncation?: "detect" | "ignore"
}

/** How long a handshake may take. */
export interface Deadline {
  /** From the moment the layer below is ready; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}

/** How a client does TLS. */
export interface ClientOptions extends CommonOptions {
  /** Whom to trust; the public authorities (`"system"`) by default. */
  readonly trust?: Trust
  /** Our own certificate, for servers that ask for one. */
  readonly identity?: Identity
  /** The name the server must prove, and is told (SNI); by default the host of the endpoint, or the domain of a service. An IP is not told. */
  readonly serverName?: string
}

/** What a server asks of its clients. */
export interface ClientCertificates extends Authorities {
  /** Without a certificate a client is refused, or let in with `TlsInfo.authorized` false. A wrong one is refused. */
  readonly mode: "required" | "optional"
}

/** How a server does TLS. */
export interface ServerOptions extends CommonOptions {
  readonly identity: Identity
  /** Identities for other names the client may ask for (SNI); `*.example.com` stands for one label. */
  readonly identities?: Readonly<Record<string, Identity>>
  /** The authorities whose certificates clients present; by default none is asked for. */
  readonly clientCertificates?: ClientCertificates
  /** How many handshakes run at once; others wait within `handshakeWithin`. No limit of its own by default. */
  readonly maxHandshakes?: number
}

/** What TLS adds to the details of a connection. */
export type Adds = TlsInfo | Negotiated

/** The operator that puts TLS on a stack; `Drop` is the role it does not play. */
export type Over<Drop = never> = Protocol.Over<"bytes", never, "bytes", Adds, Drop, CredentialsError>

type Lower = Connection.Connection<Uint8Array, Uint8Array>
type Made = Effect.Effect<Connection.Connection<Uint8Array, Uint8Array, Adds>, ConnectError, Scope.Scope>
type Role = Effect.Effect<(lower: Lower, ask: Ask) => Made, CredentialsError>

const layerName = "tls"

/** The name to prove: without the root's dot or the zone of an IPv6 address. */
const nameOf = (ask: Ask, options: ClientOptions): string | undefined => {
  const name = options.serverName ?? Endpoint.hostOf(ask.endpoint.place)
  return name?.replace(/\.$|%.*$/, "")
}

const clientRole = (options: ClientOptions): Role => {
  const { identity, maxVersion, minVersion, trust = "system" } = options
  const authorities = typeof trust === "object" ? trust : undefined
  const context = secureContext("client", { identity, authorities, minVersion, maxVersion })
  return Effect.map(context, (secureContext) => (lower, ask) => {
    const name = nameOf(ask, options)
    if (name === undefined && trust !== "insecure") {
      const input = Endpoint.format(ask.endpoint)
      const reason = new InvalidEndpoint({ input, detail: "it has no host name, so TLS must be given a serverName" })
      return Effect.fail(new ConnectError({ layer: layerName, reason }))
    }
    const offered = options.alpn ?? ask.offers
    return handshake(lower, {
      start: (socket) =>
        NodeTls.connect({
          socket,
          secureContext,
          rejectUnauthorized: trust !== "insecure",
          // An IP is verified as such, and never sent as a name: RFC 6066 section 3.
          ...(name === undefined ? undefined : Net.isIP(name) === 0 ? { servername: name } : { host: name }),
          ...(offered.length === 0 ? undefined : { ALPNProtocols: [...offered] })
        }),
      done: "secureConnect",
      objection: () => undefined,
      certificates: true,
      offered,
      truncation: options.truncation ?? "detect"
    })
  })
}

/** The identity for a name: its own, or that of a wildcard for its last labels. */
const contextFor = (
  contexts: ReadonlyMap<string, NodeTls.SecureContext>,
  name: string
): NodeTls.SecureContext | undefined => {
  const key = name.toLowerCase()
  return contexts.get(key) ?? contexts.get(`*${key.slice(Math.max(0, key.indexOf(".")))}`)
}

/** What Node's TLS server looks at once a handshake is over, and a socket of our own must look at itself. */
interface ServerSocket {
  readonly _handle?: { readonly verifyError?: () => Error | null } | null
  readonly _releaseControl?: () => boolean
  authorized: boolean
}

/** Refuses a client whose certificate was not verified. */
const objectionTo = (
  socket: NodeTls.TLSSocket,
  certificates: ClientCertificates | undefined
): ConnectReason | undefined => {
  const inner = socket as unknown as ServerSocket
  // From now on errors are those of the connection.
  inner._releaseControl?.()
  if (certificates === undefined) return undefined
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) {
    return certificates.mode === "optional"
      ? undefined
      : new CertificateInvalid({ code: "missing", detail: "the client presented none", cause: undefined })
  }
  const { verifyError } = inner._handle ?? {}
  if (verifyError === undefined) {
    return new Other({ cause: new Error("this Node can't say whether a certificate is valid") })
  }
  const cause = verifyError.call(inner._handle)
  if (cause == null) {
    inner.authorized = true
    return undefined
  }
  return certificateInvalid(cause) ?? new CertificateInvalid({ code: "invalid", detail: cause.message, cause })
}

const serverRole = (options: ServerOptions): Role =>
  Effect.gen(function*() {
    const { clientCertificates: certificates, identities = {}, identity, maxVersion, minVersion } = options
    const common = { authorities: certificates, minVersion, maxVersion }
    const fallback = yield* secureContext("server", { ...common, identity })
    const contexts = new Map<string, NodeTls.SecureContext>()
    for (const [name, identity] of Object.entries(identities)) {
      contexts.set(name.toLowerCase(), yield* secureContext("server", { ...common, identity }))
    }
    const choose = (name: string, callback: (error: Error | null, context?: NodeTls.SecureContext) => void): void =>
      callback(null, contextFor(contexts, name) ?? fallback)
    return (lower, ask) => {
      const offered = options.alpn ?? ask.offers
      return handshake(lower, {
        start: (socket) =>
          new NodeTls.TLSSocket(socket, {
            isServer: true,
            secureContext: fallback,
            requestCert: certificates !== undefined,
            rejectUnauthorized: certificates?.mode === "required",
            ...(contexts.size === 0 ? undefined : { SNICallback: choose }),
            ...(offered.length === 0 ? undefined : { ALPNProtocols: [...offered] })
          }),
        done: "secure",
        objection: (socket) => objectionTo(socket, certificates),
        certificates: certificates !== undefined,
        offered,
        truncation: options.truncation ?? "detect"
      })
    }
  })

const layered = <Drop>(
  client: ClientOptions | undefined,
  server: ServerOptions | undefined,
  { handshakeWithin }: Deadline
): Over<Drop> => {
  const roles = Effect.all([
    client === undefined ? Effect.undefined : clientRole(client),
    server === undefined ? Effect.undefined : serverRole(server)
  ])
  const lift = (lower: Layer.Layer<Transport.ByteTransport<any>, unknown, unknown>) =>
    Layer.unwrap(Effect.map(roles, ([connects, listens]) =>
      Protocol.make(Transport.Bytes, Transport.Bytes, {
        layer: layerName,
        below: (ask) => ({ ...met(ask, "tls"), offers: [] }),
        client: connects,
        server: listens,
        handshakeWithin,
        maxHandshakes: server?.maxHandshakes
      })(lower)))
  return lift as unknown as Over<Drop>
}

/** TLS in both roles. The client trusts the public authorities by default. */
export const over = (
  options: Deadline & { readonly client?: ClientOptions; readonly server: ServerOptions }
): Over => layered(options.client ?? {}, options.server, options)

/** TLS for a stack that connects. */
export const client = (options: ClientOptions & Deadline = {}): Over<Transport.Listen> =>
  layered(options, undefined, options)

/** TLS for a stack that listens. */
export const server = (options: ServerOptions & Deadline): Over<Transport.Connect> =>
  layered(undefined, options, options)
