/** Both halves of the opening handshake, and what their headers say. */
import { HttpHead } from "@wirestack/http"
import { Endpoint } from "@wirestack/protocol"
import { equal, holds } from "@wirestack/protocol/testing/check"
import { ClientHandshake, Origin, PathPattern, Redirect, ServerHandshake } from "@wirestack/websocket"
import * as ExtensionHeader from "@wirestack/websocket/extensions/ExtensionHeader"
import { acceptFor } from "@wirestack/websocket/handshake/Handshake"
import { UpgradeRejected } from "@wirestack/websocket/handshake/HandshakeReason"
import * as Result from "effect/Result"
import { utf8 } from "../bytes.ts"
import { type Found, reading } from "../oracles/reading.ts"
import { ofText, type Target } from "../Target.ts"

const crlf = (...lines: ReadonlyArray<string>): Uint8Array => utf8(lines.map((line) => `${line}\r\n`).join(""))

const headers = [
  "Host: a\r\n",
  "Upgrade: websocket\r\n",
  "Connection: Upgrade\r\n",
  "Connection: keep-alive, Upgrade\r\n",
  "Sec-WebSocket-Version: 13\r\n",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
  "Sec-WebSocket-Protocol: chat\r\n",
  "Sec-WebSocket-Extensions: permessage-deflate\r\n",
  "Content-Length: 0\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Origin: https://a\r\n",
  "\r\n\r\n",
  " ",
  ", "
]

const request = [
  "GET /chat?x=y HTTP/1.1",
  "Host: server.example.com",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13"
]

/** What is answered is one head, with the status that was meant. */
const isAnswer = (bytes: Uint8Array, status: number): void => {
  const head = HttpHead.responseReader().receive(bytes)
  holds("the answer is HTTP", head !== undefined && Result.isSuccess(head), bytes)
  equal("the status of the answer", Result.getOrThrow(head!).head.status, status)
}

const server = reading<{ readonly status: number; readonly protocol?: string | undefined }>({
  name: "websocket-server-handshake",
  corpus: [
    crlf(...request, ""),
    crlf(...request, "Sec-WebSocket-Protocol: chat, superchat", "Origin: http://example.com", "", "x"),
    crlf(...request, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", ""),
    crlf("GET http://a:80/x HTTP/1.1", ...request.slice(1), "Content-Length: 0", "")
  ],
  dictionary: headers,
  make: () => {
    const read = ServerHandshake.read()
    return {
      receive: (chunk) => {
        const received = read(chunk)
        if (received === undefined) return undefined
        const answered = Result.flatMap(
          received,
          ({ head }) =>
            Result.flatMap(
              ServerHandshake.judge(head),
              (upgrade) =>
                Result.flatMap(ServerHandshake.admit(upgrade, Origin.any), () =>
                  Result.flatMap(ServerHandshake.choose(upgrade, ["superchat", "chat"]), (protocol) =>
                    Result.map(ServerHandshake.accept(upgrade, { protocol }), (bytes) => ({ bytes, protocol }))))
            )
        )
        const { leftover } = Result.getOrElse(received, () => ({ leftover: undefined }))
        if (Result.isSuccess(answered)) isAnswer(answered.success.bytes, 101)
        else isAnswer(answered.failure.response, answered.failure.status)
        return Result.mapBoth(answered, {
          onSuccess: (
            { protocol }
          ): readonly [{ status: number; protocol?: string | undefined }, Uint8Array | undefined] => [{
            status: 101,
            protocol
          }, leftover],
          onFailure: ({ reason }) => reason
        })
      }
    }
  },
  verify: ({ protocol, status }) => `${status} ${protocol}`
})

/** Stands for the proof, which is another one each time. */
const proof = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

const answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]

const options = { host: "a", protocols: ["chat"], extensions: ["permessage-deflate"] }

const keyIn = (request: Uint8Array): string => /Sec-WebSocket-Key: (\S+)/.exec(new TextDecoder().decode(request))![1]

/** Only in the head of an agreement: what else is said may be quoted in an error. */
const withProof = (bytes: Uint8Array, key: string): Uint8Array => {
  const text = Buffer.from(bytes).toString("latin1")
  const end = text.indexOf("\r\n\r\n")
  if (end < 0 || !text.startsWith("HTTP/1.1 101")) return bytes
  return new Uint8Array(Buffer.from(text.slice(0, end).replace(proof, acceptFor(key)) + text.slice(end), "latin1"))
}

type Agreed = Pick<ClientHandshake.Upgraded, "protocol" | "extensions">

const client = reading<Agreed>({
  name: "websocket-client-handshake",
  corpus: [
    crlf(...answer, `Sec-WebSocket-Accept: ${proof}`, ""),
    crlf(...answer, `Sec-WebSocket-Accept: ${proof}`, "Sec-WebSocket-Protocol: chat", "", "x"),
    crlf(...answer, `Sec-WebSocket-Accept: ${proof}`, "Sec-WebSocket-Extensions: permessage-deflate", ""),
    crlf("HTTP/1.1 404 Not Found", "Content-Length: 2", "", "no"),
    crlf("HTTP/1.1 302 Found", "Location: /x", "")
  ],
  dictionary: [...headers, `Sec-WebSocket-Accept: ${proof}\r\n`, "HTTP/1.1 100 Continue\r\n\r\n"],
  make: () => {
    const handshake = Result.getOrThrow(ClientHandshake.make(options))
    const key = keyIn(handshake.request)
    const told = (result: ReturnType<typeof handshake.ended>): Found<Agreed> =>
      Result.map(result, ({ extensions, leftover, protocol }) => [{ protocol, extensions }, leftover])
    return {
      answered: (input) => withProof(input, key),
      receive: (chunk) => {
        const result = handshake.receive(chunk)
        return result === undefined ? undefined : told(result)
      },
      ended: () => told(handshake.ended())
    }
  },
  verify: ({ extensions, protocol }) => `${protocol} ${extensions.length}`
})

const extensions = ofText({
  name: "websocket-extension-header",
  corpus: [
    "permessage-deflate; client_max_window_bits=15; server_no_context_takeover, x",
    "a; b=\"c\"; d = \"\\e\" , , b",
    "permessage-deflate"
  ],
  dictionary: [";", "=", ",", "\"", "\\\"", "; a", " \t", "\n"],
  show: (text) => {
    const parsed = ExtensionHeader.parse(text.split("\n"))
    if (Result.isFailure(parsed)) return { accepted: false, how: "malformed" }
    const written = parsed.success.map(ExtensionHeader.format)
    equal("what it writes", ExtensionHeader.parse(written), parsed)
    return { accepted: true, how: `${parsed.success.length}` }
  }
})

const asked: Redirect.Asked = { endpoint: Result.getOrThrow(Endpoint.make("wss://a.example/x/y?z")), path: "/x/y?z" }

const redirects = ofText({
  name: "websocket-redirect",
  corpus: ["/b", "../c?d", "wss://b.example:444/e", "https://a.example", "//c.example/f/../g", "?h", "ws://a.example/"],
  dictionary: ["//", "/../", "@", ":", "https://", "http:", "#", "%2f", "[::1]", "\\"],
  show: (location) => {
    const answer = new UpgradeRejected({ status: 302, headers: [["location", location]], body: "" })
    const next = Redirect.follow(asked, answer, 1)
    if (Result.isFailure(next)) return { accepted: false, how: next.failure._tag }
    const { endpoint, path } = next.success
    holds("it keeps TLS", endpoint.demands.includes("tls"), endpoint)
    holds("it leads to a path", /^\/[!-"$-~]*$/.test(path), path)
    return { accepted: true, how: endpoint.place._tag }
  }
})

const pattern = PathPattern.make("/rooms/:room/users/:user")

const paths = ofText({
  name: "websocket-path",
  corpus: ["/rooms/a/users/b", "/rooms/%C3%A9/users/%2F", "/rooms//users/"],
  dictionary: ["%", "%ff", "%2f", "/", "..", "//"],
  show: (path) => {
    const match = PathPattern.match(pattern, path)
    return { accepted: match !== undefined, how: JSON.stringify(match === undefined ? 0 : Object.keys(match)) }
  }
})

const policy = Origin.allow(["https://*.example.com", "https://example.com:8443"])

const origins = ofText({
  name: "websocket-origin",
  corpus: ["https://a.example.com", "https://example.com:8443", "null", "http://example.com"],
  dictionary: ["https://", ".example.com", ":443", "@", "/", "\0", "*"],
  show: (origin) => {
    const judged = Origin.judge(policy, origin)
    if (Result.isFailure(judged)) return { accepted: false, how: judged.failure._tag }
    holds(
      "it is of the site",
      /^https:\/\/(?:[^/@:]+\.example\.com(?::0*443)?|example\.com:0*8443)$/i.test(origin),
      origin
    )
    return { accepted: true, how: "of the site" }
  }
})

export const websocketHandshake: ReadonlyArray<Target> = [server, client, extensions, redirects, paths, origins]
