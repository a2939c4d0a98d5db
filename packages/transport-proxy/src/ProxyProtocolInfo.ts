/** What a proxy in front of a server tells about a connection it passes on. */
import * as Context from "effect/Context"

/** One end of the connection that the proxy has accepted; `host` is an IP literal. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** A further field of version 2, as type and value. */
export interface Field {
  readonly type: number
  readonly value: Uint8Array
}

/** The preface of a connection that a proxy has passed on. */
export class ProxyProtocolInfo extends Context.Service<ProxyProtocolInfo, {
  readonly version: 1 | 2
  /** Who has connected to the proxy; undefined for connections of its own, such as health checks, and where it does not know. */
  readonly source: Address | undefined
  /** Where they have connected to. */
  readonly destination: Address | undefined
  readonly fields: ReadonlyArray<Field>
}>()("@wirestack/transport-proxy/ProxyProtocolInfo") {}
