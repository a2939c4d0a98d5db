/**
 * The attributes of metrics and spans: those of OpenTelemetry's semantic conventions where there are any, and else names of our own.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/
 */
import type { Endpoint } from "../../Endpoint.ts"
import type { Outcome } from "../../Outcome.ts"
import type { LayerTransfer } from "../../reports/DataTransferReport.ts"
import type { Facts } from "../../reports/EstablishmentReport.ts"
import type { Attributes, Role } from "./Observer.ts"

export const error = "error.type"
export const transport = "network.transport"
export const protocol = "network.protocol.name"
export const direction = "network.io.direction"
export const directions = { received: "receive", sent: "transmit" } as const
export const role = "wirestack.role"
export const layer = "wirestack.layer"
export const queue = "wirestack.queue"
export const reason = "wirestack.reason"
export const attempt = "wirestack.attempt"
export const lostBy = "wirestack.lost"
export const topic = "wirestack.topic"
const closedBy = "wirestack.close.first"
const clean = "wirestack.close.clean"
const code = "wirestack.close.code"

/** The kind of a connection, as far as it is known from its beginning on. */
export const kindOf = (side: Role, bottom: string): Attributes => ({ [role]: side, [transport]: bottom })

export const keyOf = (attributes: Attributes): string => Object.values(attributes).join(" ")

export const ofCall = (service: string, method: string) => ({
  "rpc.system.name": "wirestack",
  "rpc.method": `${service}/${method}`
})

/** What a closing status says: that of who was first, or else of the other. */
const codeOf = ({ first, received, sent }: Outcome): number | undefined =>
  (first === "local" ? sent ?? received : received ?? sent)?.code

/** How a connection ended. */
export const ofOutcome = (outcome: Outcome): Attributes => ({
  [closedBy]: outcome.first,
  [clean]: String(outcome.clean),
  [code]: codeOf(outcome)?.toString(),
  [error]: outcome.error?.reason._tag
})

/** An address and its port, if it has one, as `host:port` or `[host]:port`. */
const addressOf = (text: string): readonly [address: string, port: number | undefined] => {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text)
  return match === null ? [text, undefined] : [match[1] ?? match[2], Number(match[3])]
}

/** Where one connects to. */
export const ofEndpoint = ({ place }: Endpoint): { readonly [name: string]: unknown } => {
  switch (place._tag) {
    case "Tcp":
      return { "server.address": place.host, "server.port": place.port }
    case "Unix":
      return { "server.address": place.path }
    case "Memory":
      return { "server.address": place.name }
    case "Service":
      return { "server.address": place.domain }
  }
}

/** Who is at the other end. */
export const ofPeer = (peer: string | undefined): { readonly [name: string]: unknown } => {
  if (peer === undefined) return {}
  const [address, port] = addressOf(peer)
  return { "network.peer.address": address, ...port === undefined ? {} : { "network.peer.port": port } }
}

/** What some layers tell has a name already. */
const conventional: { readonly [name: string]: (fact: string | number | boolean) => object } = {
  "tls.version": (version) => ({ "tls.protocol.version": String(version).replace(/^TLSv/, "") }),
  "tls.group": (group) => ({ "tls.curve": group }),
  "tls.alpn": (name) => ({ "tls.next_protocol": name }),
  "tcp.address": (address) => ofPeer(String(address)),
  "udp.address": (address) => ofPeer(String(address)),
  "websocket.path": (path) => ({ "url.path": path })
}

/** What a layer tells; lists are how often there was something. */
export const ofFacts = (layer: string, facts: Facts): { readonly [name: string]: unknown } => {
  const attributes: { [name: string]: unknown } = {}
  for (const [name, fact] of Object.entries(facts)) {
    if (fact === undefined) continue
    const full = `${layer}.${name}`
    if (typeof fact === "object") attributes[`${full}.count`] = fact.length
    else Object.assign(attributes, conventional[full]?.(fact) ?? { [full]: fact })
  }
  return attributes
}

/** What has passed each layer. */
export const ofTransfer = (layers: ReadonlyArray<LayerTransfer>): { readonly [name: string]: unknown } =>
  Object.fromEntries(layers.flatMap(({ layer, received, sent }) => [
    [`${layer}.received.messages`, received.messages],
    [`${layer}.received.bytes`, received.bytes],
    [`${layer}.sent.messages`, sent.messages],
    [`${layer}.sent.bytes`, sent.bytes]
  ]))
