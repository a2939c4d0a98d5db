/**
 * A stack, and where it leads, written as a URL: the scheme names the layers, the rest is the endpoint.
 *
 *     wss://chat.example/room?id=1              TCP, TLS, WebSocket
 *     tls+lines://redis.example:6380            TCP, TLS, lines
 *     ws+unix:/run/app.sock:/room               a Unix socket, WebSocket
 *     wss+socks5://chat.example/#proxy=localhost:1080
 *
 *     stack      = scheme "://" authority [ path ] [ "#" parameters ]
 *                / scheme ":" [ "//" ] socket [ ":" path ]                  ; a Unix socket
 *                / host ":" port                                            ; the same as tcp://
 *     scheme     = layer *( "+" layer )
 *     parameters = "proxy=" host ":" port
 *
 * | layers                                             | what they are                                                        |
 * | -------------------------------------------------- | -------------------------------------------------------------------- |
 * | `tcp` (unless another is named), `unix`, `udp`     | the transport                                                        |
 * | `srv`                                              | the host is a service of DNS: `wss+srv://_chat._tcp.example.com/`    |
 * | `socks5`, `http-connect`                           | the proxy on the way, at the place that the parameter `proxy` names  |
 * | `tls`                                              | TLS                                                                  |
 * | `ws`, `wss`                                        | WebSocket, and WebSocket on TLS                                      |
 * | `lines`, `crlf`, `null`                            | messages that end in LF (or CRLF), in CRLF, in a zero                |
 * | `netstring`, `varint`, `content-length`, `cobs`    | messages with their length in front, and stuffed ones                |
 * | `length8`, `length16`, `length24`, `length32`, `length64`, and with `le` behind | lengths of so many bits, big-endian, or little-endian |
 * | `bytes`                                            | the messages of a WebSocket as one stream of bytes                   |
 *
 * The names may come in any order, one of a kind: each has its place on the wire, as in the table from the top down. A framer on a WebSocket
 * finds its messages in the bytes of all. Datagrams are messages, on which nothing stands.
 *
 * Paths and queries belong to WebSockets, which have no fragment (RFC 6455 section 3): so that is where parameters are. They are never
 * sent. What is between the scheme and the path is checked as any `Endpoint`. User name and password are in no error.
 */

import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Data from "effect/Data"
import * as Result from "effect/Result"

/** The transports at the bottom. */
export const grounds = ["tcp", "unix", "udp"] as const

/** The proxies on the way. */
export const proxies = ["socks5", "http-connect"] as const

/** The framers. */
export const framings = [
  "lines",
  "crlf",
  "null",
  "netstring",
  "varint",
  "content-length",
  "cobs",
  "length8",
  "length16",
  "length16le",
  "length24",
  "length24le",
  "length32",
  "length32le",
  "length64",
  "length64le",
  "bytes"
] as const

export type Ground = typeof grounds[number]
export type Framing = typeof framings[number]

/** A proxy, and where it is, if the URL says so. */
export interface Proxy {
  readonly protocol: typeof proxies[number]
  readonly endpoint: Endpoint.Endpoint | undefined
}

/** The layers, and the endpoint. */
export interface StackUrl {
  readonly ground: Ground
  readonly proxy: Proxy | undefined
  readonly tls: boolean
  readonly webSocket: boolean
  readonly framing: Framing | undefined
  readonly endpoint: Endpoint.Endpoint
}

/** It is no URL of a stack; `part` says where, and `known` what it could be there. */
export class StackUrlInvalid extends Data.TaggedError("StackUrlInvalid")<{
  readonly part: "scheme" | "endpoint" | "parameters" | "proxy"
  readonly detail: string
  readonly known?: ReadonlyArray<string>
}> {
  override get message(): string {
    const { detail, known, part } = this
    return `the ${part} of the URL: ${detail}${known === undefined ? "" : ` (known are ${known.join(", ")})`}`
  }
}

/** Whether messages stand at the top, or bytes. */
export const shapeOf = ({ framing, ground, webSocket }: StackUrl): "messages" | "bytes" =>
  framing === "bytes" || (framing === undefined && !webSocket && ground !== "udp") ? "bytes" : "messages"

const names: ReadonlyArray<string> = [...grounds, "srv", ...proxies, "tls", "ws", "wss", ...framings]

const invalid = (part: StackUrlInvalid["part"], detail: string, known?: ReadonlyArray<string>) =>
  Result.fail(new StackUrlInvalid({ part, detail, ...known === undefined ? undefined : { known } }))

type Parsed<A> = Result.Result<A, StackUrlInvalid>

/** What the scheme says. */
interface Layers extends Pick<StackUrl, "ground" | "tls" | "webSocket" | "framing"> {
  readonly proxy: Proxy["protocol"] | undefined
  readonly srv: boolean
}

/** The layers of which there is one, or none, and the names of each. */
const kinds = { transport: grounds, proxy: proxies, framer: framings } as const

const schemeOf = (scheme: string): Parsed<Layers> => {
  const said = scheme.toLowerCase().split("+")
  const other = said.find((name) => !names.includes(name))
  if (other === "http" || other === "https") {
    return invalid("scheme", `${other} is no stack; a WebSocket is ${other === "http" ? "ws" : "wss"}`)
  }
  if (other !== undefined) return invalid("scheme", `${JSON.stringify(other)} is no layer`, names)
  const twice = said.find((name, at) => said.indexOf(name) < at)
  if (twice !== undefined) return invalid("scheme", `${twice} is there twice`)
  const has = (name: string): boolean => said.includes(name)
  for (const [kind, all] of Object.entries(kinds)) {
    const several = all.filter(has)
    if (several.length > 1) return invalid("scheme", `${several.join(" and ")} are both a ${kind}`)
  }
  if (has("ws") && has("wss")) return invalid("scheme", "ws and wss are both a WebSocket")
  const ground = grounds.find(has) ?? "tcp"
  const framing = framings.find(has)
  const webSocket = has("ws") || has("wss")
  const only = said.find((name) => ground !== "tcp" && (name === "srv" || proxies.some((proxy) => proxy === name)))
  if (only !== undefined) return invalid("scheme", `${only} is for TCP only`)
  if (ground === "udp" && said.length > 1) return invalid("scheme", "datagrams are messages, on which nothing stands")
  if (framing === "bytes" && !webSocket) {
    return invalid("scheme", "bytes is for a WebSocket only: others have no messages")
  }
  const tls = has("tls") || has("wss")
  return Result.succeed({ ground, tls, webSocket, framing, srv: has("srv"), proxy: proxies.find(has) })
}

const schemeName = ({ srv, tls, webSocket }: Pick<Layers, "srv" | "tls" | "webSocket">): string =>
  `${webSocket ? tls ? "wss" : "ws" : tls ? "tls" : "tcp"}${srv ? "+srv" : ""}`

const endpointOf = (part: StackUrlInvalid["part"], text: string): Parsed<Endpoint.Endpoint> =>
  Result.mapError(Endpoint.make(text), ({ detail }) => new StackUrlInvalid({ part, detail }))

/** `proxy=host:port`, if there is anything. */
const parametersOf = (text: string | undefined, { proxy }: Layers): Parsed<Proxy | undefined> => {
  if (text === undefined) return Result.succeed(proxy && { protocol: proxy, endpoint: undefined })
  const value = /^proxy=(.*)$/s.exec(text)?.[1]
  if (value === undefined) return invalid("parameters", "expected proxy=host:port")
  if (proxy === undefined) return invalid("parameters", "the scheme names no proxy", proxies)
  return Result.map(endpointOf("parameters", `tcp://${value}`), (endpoint) => ({ protocol: proxy, endpoint }))
}

/** A Unix socket, and behind a colon the path of a WebSocket. */
const unixOf = ({ tls, webSocket }: Layers, text: string): Parsed<Endpoint.Endpoint> => {
  const socket = text.startsWith("///") ? text.slice(2) : text
  if (socket.startsWith("//")) return invalid("endpoint", "a Unix socket is on this machine: unix:/PATH")
  const colon = webSocket ? socket.indexOf(":/") : -1
  const path = colon < 0 ? "/" : socket.slice(colon + 1)
  if (/[^!-~]|#/.test(path)) return invalid("endpoint", "the path must be percent-encoded")
  return Result.map(endpointOf("endpoint", `unix:${colon < 0 ? socket : socket.slice(0, colon)}`), ({ place }) => ({
    place,
    demands: [...webSocket ? ["websocket" as const] : [], ...tls ? ["tls" as const] : []],
    ...webSocket ? { path } : undefined
  }))
}

const tcpOf = (layers: Layers, text: string): Parsed<Pick<StackUrl, "endpoint" | "proxy">> => {
  if (!text.startsWith("//")) return invalid("endpoint", "expected scheme://host:port")
  const [, authority, parameters] = /^([^#]*)(?:#(.*))?$/s.exec(text)!
  const endpoint = endpointOf("endpoint", `${schemeName(layers)}:${authority}`)
  if (Result.isFailure(endpoint)) return Result.fail(endpoint.failure)
  return Result.map(parametersOf(parameters, layers), (proxy) => ({ endpoint: endpoint.success, proxy }))
}

/**
 * Reads the URL of a stack.
 *
 * ```ts import.meta.vitest
 * import * as StackUrl from "@wirestack/cli/StackUrl"
 * import { Result } from "effect"
 *
 * const url = Result.getOrThrow(StackUrl.make("tls+lines://redis.example:6380"))
 *
 * url.tls // => true
 * url.framing // => "lines"
 * url.endpoint.place // => { _tag: "Tcp", host: "redis.example", port: 6380 }
 * StackUrl.shapeOf(url) // => "messages"
 * ```
 */
export const make = (input: string): Parsed<StackUrl> => {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(input) ?? []
  // `localhost:6379` is no URL, but what everybody writes.
  if (scheme === undefined || !(rest.startsWith("//") || /(^|\+)unix(\+|$)/i.test(scheme))) {
    if (input.includes("://")) return invalid("scheme", "it is made of names with + between them", names)
    return make(`tcp://${input}`)
  }
  const layers = schemeOf(scheme)
  if (Result.isFailure(layers)) return Result.fail(layers.failure)
  const { framing, ground, tls, webSocket } = layers.success
  const found: Parsed<Pick<StackUrl, "endpoint" | "proxy">> = ground === "unix"
    ? Result.map(unixOf(layers.success, rest), (endpoint) => ({ endpoint, proxy: undefined }))
    : tcpOf(layers.success, rest)
  return Result.map(found, (found) => ({ ground, tls, webSocket, framing, ...found }))
}

/** The proxies as others name them. */
const aliases: Readonly<Record<string, Proxy["protocol"]>> = {
  http: "http-connect",
  "http-connect": "http-connect",
  socks5: "socks5",
  socks5h: "socks5"
}

/**
 * The same by way of a proxy: `socks5://host:port`, `http://host:port`, or only `host:port` where the scheme of the URL names the proxy.
 */
export const by = (self: StackUrl, proxy: string): Parsed<StackUrl> => {
  const [, scheme, place] = /^(?:([a-z0-9-]+):\/\/)?(.*)$/is.exec(proxy)!
  const protocol = scheme === undefined ? self.proxy?.protocol : aliases[scheme.toLowerCase()]
  if (protocol === undefined) {
    return invalid("proxy", scheme === undefined ? "which one is it?" : `${scheme} is no proxy`, Object.keys(aliases))
  }
  if (self.ground !== "tcp") return invalid("proxy", `there is none on the way to ${self.ground}`)
  return Result.map(endpointOf("proxy", `tcp://${place}`), (endpoint) => ({ ...self, proxy: { protocol, endpoint } }))
}

/** The URL as people write it; user names and passwords are left out. */
export const format = ({ endpoint: { path, place }, framing, ground, proxy, tls, webSocket }: StackUrl): string => {
  const layers = webSocket ? [tls ? "wss" : "ws"] : tls ? ["tls"] : []
  const framed = framing === undefined ? [] : [framing]
  if (ground === "unix") {
    const scheme = [...layers, ...framed, "unix"].join("+")
    const socket = Endpoint.formatPlace(place).slice("unix:".length)
    return `${scheme}:${socket}${path === undefined ? "" : `:${path}`}`
  }
  const bottom = layers.length === 0 ? [ground] : []
  const service = place._tag === "Service"
  const way = proxy === undefined ? [] : [proxy.protocol]
  const scheme = [...bottom, ...layers, ...service ? ["srv"] : [], ...framed, ...way].join("+")
  const host = service ? Endpoint.serviceName(place) : Endpoint.formatPlace(place)
  const parameters = proxy?.endpoint === undefined ? "" : `#proxy=${Endpoint.formatPlace(proxy.endpoint.place)}`
  return `${scheme}://${host}${path ?? ""}${parameters}`
}
