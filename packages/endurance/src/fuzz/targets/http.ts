/**
 * Heads, answers with their bodies, and challenges of HTTP. A head that is accepted must be the same to Node's own parser: that may be
 * stricter about what our reader leaves to others, but never find another end, or other headers.
 */
import { Answer, Digest, HttpHead } from "@wirestack/http"
import { equal, holds } from "@wirestack/protocol/testing/check"
import * as Result from "effect/Result"
import { createHash } from "node:crypto"
import { createRequire } from "node:module"
import { utf8 } from "../bytes.ts"
import { type Found, reading } from "../oracles/reading.ts"
import { ofText, type Target } from "../Target.ts"

/** What there is of Node's parser. */
declare class Parser {
  static readonly REQUEST: number
  static readonly RESPONSE: number
  static readonly kOnHeadersComplete: number
  static readonly kOnBody: number
  static readonly kOnHeaders: number
  readonly [callback: number]: (...told: ReadonlyArray<any>) => void
  initialize(type: number, resource: object, maxHeaderSize: number, lenient: number): void
  execute(bytes: Uint8Array): number | Error
}

const { HTTPParser } = createRequire(import.meta.url)("node:_http_common") as { readonly HTTPParser: typeof Parser }

type Header = readonly [name: string, value: string]

interface Theirs {
  readonly start: ReadonlyArray<unknown>
  readonly headers: ReadonlyArray<Header>
}

const pairs = (flat: ReadonlyArray<string>): ReadonlyArray<Header> =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i].toLowerCase(), flat[2 * i + 1]])

/** What Node makes of a head; the code of its error if it refuses. */
const theirs = (bytes: Uint8Array, type: number): Theirs | string => {
  const parser = new HTTPParser() as { -readonly [K in keyof Parser]: Parser[K] }
  /** Of many headers Node tells the first ones ahead, and then the target too. */
  let early: { readonly headers: ReadonlyArray<Header>; readonly url: string } | undefined
  let head: Theirs | undefined
  let body = false
  parser.initialize(type, {}, 32_768, 0)
  parser[HTTPParser.kOnHeaders] = (flat: ReadonlyArray<string>, url: string) => {
    early = { headers: [...early?.headers ?? [], ...pairs(flat)], url: (early?.url ?? "") + url }
  }
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    _minor: number,
    flat: ReadonlyArray<string> | undefined,
    method: number | undefined,
    url: string | undefined,
    status: number | undefined
  ) => {
    if (head === undefined) {
      const start = type === HTTPParser.REQUEST ? [method !== undefined, early?.url ?? url] : [status]
      head = { start, headers: early?.headers ?? pairs(flat ?? []) }
    }
    return 0
  }
  parser[HTTPParser.kOnBody] = () => body = true
  const executed = parser.execute(Buffer.from(bytes))
  if (executed instanceof Error && head === undefined) return (executed as Error & { readonly code: string }).code
  holds("Node finds the same end", head !== undefined && !body)
  return head!
}

/** What Node judges of a head that is well formed: our readers leave that to those who ask for it. */
const judged = new Set([
  "HPE_INVALID_METHOD",
  "HPE_INVALID_VERSION",
  "HPE_INVALID_CONSTANT",
  "HPE_INVALID_URL",
  "HPE_INVALID_STATUS",
  "HPE_INVALID_CONTENT_LENGTH",
  "HPE_UNEXPECTED_CONTENT_LENGTH",
  "HPE_INVALID_TRANSFER_ENCODING",
  "HPE_PAUSED_H2_UPGRADE"
])

/** Compares a head with what Node makes of it, and says how that went. */
const besideNode = (
  bytes: Uint8Array,
  type: number,
  { headers }: HttpHead.Request | HttpHead.Response,
  start: ReadonlyArray<unknown>
): string => {
  const node = theirs(bytes, type)
  if (typeof node === "string") {
    holds("Node accepts it too", judged.has(node), node)
    return `${headers.length} headers, ${node} in Node`
  }
  equal("what Node reads in its first line", node.start, start)
  equal("which headers Node finds", JSON.stringify(node.headers), JSON.stringify(headers))
  return `${headers.length} headers`
}

const dictionary = [
  "\r\n",
  "\r\n\r\n",
  "\n\n",
  "\r\n ",
  " HTTP/1.1",
  "HTTP/1.0 200",
  "Content-Length: 5\r\n",
  "Content-Length: 1, 2\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding : x\r\n",
  "Upgrade: websocket\r\n",
  "X:\r\n",
  ": y\r\n",
  "\0",
  "\x7f",
  "é"
]

const requests = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /a?b=c HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\nX-Y:  z \t\r\nEmpty:\r\n\r\nabc",
  "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nCookie: a=b; c=d\r\n\r\n\x16\x03",
  "GET http://a/b HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
]

const responses = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x00",
  "HTTP/1.0 404 \r\nServer: é\r\n\r\n",
  "HTTP/1.1 204\r\n\r\n"
]

const received = <A>({ head, leftover }: HttpHead.Received<A>): readonly [A, Uint8Array] => [head, leftover]

const headReading = <A>(reader: HttpHead.HeadReader<A>) => ({
  receive: (chunk: Uint8Array) => {
    const result = reader.receive(chunk)
    return result === undefined ? undefined : Result.map(result, received)
  }
})

const request = reading<HttpHead.Request>({
  name: "http-request",
  corpus: requests.map(utf8),
  dictionary,
  make: () => headReading(HttpHead.requestReader()),
  verify: (head, bytes) => besideNode(bytes, HTTPParser.REQUEST, head, [true, head.target])
})

const response = reading<HttpHead.Response>({
  name: "http-response",
  corpus: responses.map(utf8),
  dictionary,
  make: () => headReading(HttpHead.responseReader()),
  verify: (head, bytes) => besideNode(bytes, HTTPParser.RESPONSE, head, [head.status])
})

const maxBody = 4_096

/** The answer to CONNECT: what is behind a tunnel that opens, and the body of a refusal. */
const answer = reading<readonly [status: number, body: string]>({
  name: "http-answer",
  corpus: [
    ...responses,
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nand more",
    "HTTP/1.1 407 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
    "HTTP/1.1 502 No\r\nContent-Length: 3\r\n\r\nabcdef",
    "HTTP/1.1 502 No\r\n\r\nuntil the end"
  ].map(utf8),
  dictionary: [...dictionary, "0\r\n\r\n", "ffffffff\r\n", "-1\r\n", "1e3\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  make: () => {
    const reader = new Answer.AnswerReader({ what: "CONNECT", agrees: (status) => status >= 200 && status < 300 })
    const told = (answer: Answer.Answer): Found<readonly [number, string]> =>
      Result.map(answer, (answer) =>
        answer._tag === "Agreed"
          ? [[answer.head.status, ""], answer.leftover]
          : [[answer.head.status, answer.body], undefined])
    return {
      receive: (chunk) => {
        const answer = reader.receive(chunk)
        return answer === undefined ? undefined : told(answer)
      },
      ended: () => told(reader.ended())
    }
  },
  verify: ([status, body]) => {
    holds("a body is bounded", body.length <= maxBody, body.length)
    return `${status} ${Math.min(body.length, 1)}`
  }
})

const hash = (algorithm: string, text: string): string => createHash(algorithm).update(text).digest("hex")

const challenges = ofText({
  name: "http-digest",
  corpus: [
    "Digest realm=\"a\", nonce=\"b\", qop=\"auth,auth-int\", algorithm=SHA-256, opaque=\"c\", stale=true",
    "Basic realm=\"x\", Digest realm=\"a \\\"b\\\"\", nonce=b, algorithm=MD5",
    "Digest realm=\"a\", nonce=\"b\", Negotiate, Digest realm=\"c\", nonce=\"d\", algorithm=sha-256"
  ],
  dictionary: [
    "\"",
    "\\\"",
    "Digest ",
    "realm=",
    "nonce=",
    "algorithm=SHA-512-256",
    "qop=\"auth\"",
    ", ",
    "=",
    "\r\n",
    "\\"
  ],
  show: (text) => {
    const challenge = Digest.strongest(text.split("\n"))
    if (challenge === undefined) return { accepted: false, how: "none" }
    const asking = { method: "GET", uri: "/", cnonce: "x", count: 1, hash }
    try {
      const header = Digest.answer(challenge, { username: "u", password: "p" }, asking)
      holds("the answer is one header", !/[\0-\x08\x0a-\x1f\x7f]/.test(header), header)
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown
      return { accepted: false, how: thrown.message }
    }
    return { accepted: true, how: JSON.stringify([challenge.algorithm, challenge.qop, challenge.stale]) }
  }
})

export const http: ReadonlyArray<Target> = [request, response, answer, challenges]
