/** What proxies say: SOCKS5 and HTTP CONNECT to a client, the PROXY protocol to a server. */
import { Connection } from "@wirestack/protocol"
import { collect } from "@wirestack/test-support"
import { HttpConnect, ProxyProtocol, Socks5 } from "@wirestack/transport-proxy"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { hex, hexOf, joined, utf8 } from "../bytes.ts"
import { accepting, connecting, peer } from "../oracles/peer.ts"
import type { Target } from "../Target.ts"

const credentials = { username: "user", password: Redacted.make("secret") }

const replies = [
  "0500 05000001 7f000001 1f90",
  "0500 05000004 00000000000000000000000000000001 1f90 68656c6c6f",
  "0500 05000003 0461626364 0050 1603",
  "0500 05050001 00000000 0000",
  "05ff"
].map(hex)

const answers = [
  "HTTP/1.1 200 Connection established\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x, basic\"\r\nContent-Length: 2\r\n\r\nno",
  "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
].map(utf8)

const signature = "0d0a0d0a000d0a515549540a"

const prefaces = [
  utf8("PROXY TCP4 192.0.2.1 198.51.100.7 49152 443\r\nhello"),
  utf8("PROXY TCP6 2001:db8::1 ::ffff:198.51.100.7 49152 443\r\n"),
  utf8("PROXY UNKNOWN and more\r\n"),
  hex(`${signature} 20 00 0000`),
  hex(`${signature} 21 11 000c c0000201 c6336407 c000 01bb 68656c6c6f`),
  hex(`${signature} 21 11 0013 c0000201 c6336407 c000 01bb 01 0002 6832 04 0000 0101`),
  joined(hex(`${signature} 21 21 0024`), new Uint8Array(32).fill(1), hex("0001 0002")),
  joined(hex(`${signature} 21 31 00d8`), new Uint8Array(216))
]

export const proxies: ReadonlyArray<Target> = [
  peer({
    name: "socks5",
    corpus: replies,
    see: connecting(Socks5.over({ proxy: "proxy.test:1080" }))
  }),
  peer({
    name: "socks5-credentials",
    corpus: [...replies, ...["0502 0100 05000001 7f000001 1f90 61", "0502 0101", "0502 01"].map(hex)],
    see: connecting(Socks5.over({ proxy: "proxy.test:1080", credentials }))
  }),
  peer({
    name: "http-connect",
    corpus: answers,
    dictionary: ["HTTP/1.1 100 Continue\r\n\r\n", "\r\n\r\n", "Content-Length: ", "0\r\n\r\n", "Basic "],
    see: connecting(HttpConnect.over({ proxy: "proxy.test:3128", credentials }))
  }),
  peer({
    name: "proxy-protocol",
    corpus: prefaces,
    dictionary: ["PROXY ", "TCP4", "TCP6", "UNKNOWN", "\r\n", " ", "::1", "65536", "00"],
    see: accepting(
      ProxyProtocol.server({ trusted: ["192.0.2.0/24"] }),
      (connection) => Effect.map(collect(connection), (bytes) => `${hexOf(bytes)}, from ${Connection.peer(connection)}`)
    )
  })
]
