/** What each layer did, as lines for people. */
import type { Negotiated } from "@wirestack/protocol/Ask"
import { type Connection, detail } from "@wirestack/protocol/Connection"
import type { Outcome, Status } from "@wirestack/protocol/Outcome"
import { TcpInfo } from "@wirestack/transport-tcp/TcpInfo"
import { TlsInfo } from "@wirestack/transport-tls/TlsInfo"
import { WebSocket } from "@wirestack/websocket/WebSocket"
import * as Duration from "effect/Duration"

/** The details of the full stack. */
export type FullStack = TcpInfo | TlsInfo | WebSocket | Negotiated

const took = (duration: Duration.Duration): string => `${Duration.toMillis(duration).toFixed(1)} ms`

/** How the layers came about, from the bottom up. */
export const opened = <In, Out>(host: string, connection: Connection<In, Out, FullStack>): ReadonlyArray<string> => {
  const tcp = detail(connection, TcpInfo)
  const tls = detail(connection, TlsInfo)
  const websocket = detail(connection, WebSocket)
  return [
    `ip         ${host} is ${tcp.remote.host}, of ${tcp.course.attempts.length} tried`,
    `tcp        ${tcp.local.host}:${tcp.local.port} to ${tcp.remote.host}:${tcp.remote.port}, in ${
      took(tcp.connectTime)
    }`,
    `tls        ${tls.version}, ${tls.cipher}, ALPN ${tls.alpn ?? "none"}, ${tls.peer?.subject} ${
      tls.authorized ? "verified" : "NOT verified"
    }, in ${took(tls.handshakeTime)}`,
    `websocket  ${websocket.path}, subprotocol ${websocket.protocol ?? "none"}, in ${took(websocket.handshakeTime)}`
  ]
}

const said = (who: string, status: Status | undefined): string =>
  status === undefined ? "" : `, ${who} ${status.code}${status.reason === "" ? "" : ` ${status.reason}`}`

/** How the layers closed, from the top down. */
export const closed = (outcome: Outcome): ReadonlyArray<string> => {
  const layers = outcome.layers.filter(({ layer }) => layer !== "chat.v1")
  const onSocket = layers.at(-1)?.layer === "tls"
  return [
    ...layers.map(({ layer, settled, took }) => {
      const status = layer === "websocket" ? `${said("sent", outcome.sent)}${said("received", outcome.received)}` : ""
      const goodbye = layer === "tls"
        ? (onSocket ? ", close_notify and FIN" : ", close_notify")
        : layer === "tcp"
        ? ", FIN"
        : status
      return `${(layer === "tls" && onSocket ? "tls, tcp" : layer).padEnd(10)} closed${goodbye}, in ${
        took.toFixed(1)
      } ms${settled ? "" : ", without an answer"}`
    }),
    `${outcome.clean ? "clean" : "NOT clean"}: ${outcome.first} first, ${outcome.unsent.bytes} bytes unsent, ` +
    `${outcome.undelivered} messages undelivered`
  ]
}
