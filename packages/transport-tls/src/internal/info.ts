/** What a TLS socket tells once its handshake is over. */
import { Closed, ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Facts } from "@wirestack/protocol/reports/EstablishmentReport"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as NodeTls from "node:tls"
import * as Group from "../Group.ts"
import { type PeerCertificate, TlsInfo } from "../TlsInfo.ts"
import { chainOf, leafOf } from "./chain.ts"

/** What a handshake sees of the peer, and a resumed one doesn't see again. */
export interface Seen {
  /** In DER, as `presented` has them. */
  readonly certificates: ReadonlyArray<Uint8Array>
  readonly authorized: boolean
  readonly ocspResponse: Uint8Array | undefined
}

/** What each role finds in its own way. */
export interface Found {
  readonly seen: Seen
  readonly resumed: boolean
  readonly pskIdentity: string | undefined
}

interface Circumstances extends Found {
  readonly path: "direct" | "duplex"
  readonly handshakeTime: Duration.Duration
}

/** A getter whose value is made once. */
const once = <A>(make: () => A): () => A => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}

const exporter = (socket: NodeTls.TLSSocket): TlsInfo["Service"]["exportKeyingMaterial"] => (length, label, context) =>
  Effect.suspend(() =>
    socket.destroyed
      ? Effect.fail(new ConnectionError({ layer: "tls", reason: new Closed() }))
      : Effect.sync(() => socket.exportKeyingMaterial(length, label, context as Buffer))
  )

/** Reads what must be read while the socket lives; certificates are parsed on demand. */
export const infoOf = (socket: NodeTls.TLSSocket, circumstances: Circumstances): TlsInfo["Service"] => {
  const { handshakeTime, path, pskIdentity, resumed, seen } = circumstances
  // On the server it is what the client asked for; on the client, what we asked for.
  const { servername } = socket as { readonly servername?: string | false | null }
  const { name: group } = (socket.getEphemeralKeyInfo() ?? {}) as { readonly name?: string }
  const peer = once(() => leafOf(seen.certificates))
  const chain = once((): ReadonlyArray<PeerCertificate> => chainOf(seen.certificates))
  return {
    version: socket.getProtocol() ?? "",
    cipher: socket.getCipher().standardName,
    group: group === undefined ? undefined : Group.nameOf(group),
    serverName: typeof servername === "string" && servername !== "" ? servername : undefined,
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : undefined,
    authorized: seen.authorized,
    get peer() {
      return peer()
    },
    get chain() {
      return chain()
    },
    resumed,
    pskIdentity,
    ocspResponse: seen.ocspResponse,
    path,
    handshakeTime,
    exportKeyingMaterial: exporter(socket)
  }
}

/** What TLS tells in an `EstablishmentReport`. */
export const facts = (details: Context.Context<TlsInfo>): Facts => {
  const { alpn, cipher, group, path, resumed, version } = Context.get(details, TlsInfo)
  return { version, cipher, group, alpn, resumed, path }
}
