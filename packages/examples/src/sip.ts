/**
 * A user agent of SIP on WebSockets (RFC 3261, RFC 7118): it asks what a server can, registers there, and answers until interrupted.
 *
 *     npm run example -- sip ws://localhost:5080/ sip:alice@localhost --password secret
 */
import { Digest } from "@wirestack/http"
import { Codec, Dispatch, Replies, Subprotocol, type Transport } from "@wirestack/protocol"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Console, Data, Effect, Redacted, Schema } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { type Account, called } from "./stack.ts"

/** A request or a response, by its first line; headers have their long names, in small letters. */
export const Message = Schema.Struct({
  start: Schema.String.check(Schema.isPattern(/^(SIP\/2\.0 [1-6]\d\d .*|\S+ \S+ SIP\/2\.0)$/)),
  headers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])).check(Schema.isMaxLength(200)),
  body: Schema.String
})
export type Message = typeof Message.Type

export class Sip extends Subprotocol.Service<Sip>()("sip", { client: Message, server: Message }) {}

/** The other side says no. */
export class SipRefused extends Data.TaggedError("SipRefused")<{ readonly message: string }> {}

/** The values of a header. */
export const values = ({ headers }: Message, name: string) => headers.flatMap(([n, value]) => n === name ? [value] : [])

/** The short forms of names, section 7.3.3. */
const long: Readonly<Record<string, string>> = { f: "from", i: "call-id", m: "contact", t: "to", v: "via" }
const mandatory = ["via", "from", "to", "call-id", "cseq"]
const parse = (message: string | Uint8Array): unknown => {
  const [, head, body] = /^(.*?)\r\n\r\n(.*)$/s.exec(Buffer.from(message as Uint8Array).toString())!
  // A line that begins with a blank goes on with the one before it.
  const [start, ...lines] = head.replace(/\r\n[ \t]+/g, " ").split("\r\n")
  const headers = lines.map((line) => {
    const [, name, value] = /^([\w!%'*+.`~-]+)\s*:\s*(.*?)\s*$/.exec(line)!
    return [long[name.toLowerCase()] ?? name.toLowerCase(), value]
  })
  const has = (name: string) => headers.some(([other]) => other === name)
  if (!mandatory.every(has)) throw new Error("a header is missing")
  return { start, headers, body }
}

const print = (message: unknown): string => {
  const { body, headers, start } = message as Message
  const lines = headers.filter(([name]) => name !== "content-length").map(([name, value]) => `${name}: ${value}`)
  const head = [start, ...lines, `content-length: ${Buffer.byteLength(body)}`]
  if (head.some((line) => /[\r\n]/.test(line))) throw new Error("what is in a line has no line end")
  return [...head, "", body].join("\r\n")
}

export const codec = Codec.make({ format: "SIP", parse, print })

const random = () => randomBytes(12).toString("hex")
const hash = (algorithm: string, text: string) => createHash(algorithm).update(text).digest("hex")

/** The status of a response; undefined for a request. */
export const statusOf = ({ start }: Message) => start.startsWith("SIP/") ? Number(start.slice(8, 11)) : undefined

/** Which transaction a message belongs to, section 17.1.3. */
const transactionOf = (message: Message): string =>
  `${/;\s*branch=([^;,\s]+)/i.exec(values(message, "via")[0])?.[1]} ${values(message, "cseq")[0].split(/\s+/)[1]}`

/** What a response repeats of its request, section 8.2.6.2. */
const repeated = ({ headers }: Message): Message["headers"] =>
  headers.filter(([name]) => mandatory.includes(name))
    .map(([name, value]) => [name, name === "to" && !/;\s*tag=/i.test(value) ? `${value};tag=${random()}` : value])

export type Options = Account & Transport.ConnectOptions & {
  readonly answer?: (request: Message) => Effect.Effect<string>
}
const byDefault = ({ start }: Message) =>
  Effect.succeed(start.startsWith("OPTIONS ") ? "200 OK" : "501 Not Implemented")
const accepted = (method: string, response: Message) =>
  statusOf(response)! < 300 ? Effect.succeed(response) : new SipRefused({ message: `${method}: ${response.start}` })

/** Connects, as an address such as `sip:alice@localhost`. */
export const connect = Effect.fnUntraced(function*(endpoint: string, address: string, options: Options = {}) {
  const { answer = byDefault, password } = options
  const connection = yield* Sip.connect(endpoint, options)
  const [user, domain] = address.replace("sip:", "").split("@")
  // Who is in a browser has no address of its own, and makes one up (RFC 7118 section 5).
  const [host, tag] = [`${random()}.invalid`, random()]
  const replies = Replies.make<string, Message>()
  let sequence = 0
  const handle = (message: Message): Effect.Effect<unknown, ConnectionError> => {
    const status = statusOf(message)
    // What is provisional says no more than that it takes some time.
    if (status !== undefined) return Effect.sync(() => status < 200 || replies.succeed(transactionOf(message), message))
    if (message.start.startsWith("ACK ")) return Effect.void
    const response = { headers: repeated(message), body: "" }
    return Effect.flatMap(answer(message), (status) => connection.send({ start: `SIP/2.0 ${status}`, ...response }))
  }
  yield* Dispatch.run(connection, { layer: "sip", handle, awaiting: [replies] })

  const once = (method: string, uri: string, callId: string, headers: Message["headers"], body: string) =>
    replies.to(() => `z9hG4bK${random()} ${method}`, (key) => {
      const all: Message["headers"] = [
        ["via", `SIP/2.0/WS ${host};branch=${key.split(" ")[0]}`],
        ["max-forwards", "70"],
        ["from", `<${address}>;tag=${tag}`],
        ["to", `<${method === "REGISTER" ? address : uri}>`],
        ["call-id", callId],
        ["cseq", `${++sequence} ${method}`],
        ...headers
      ]
      return connection.send({ start: `${method} ${uri} SIP/2.0`, headers: all, body })
    }).pipe(Effect.timeout("32 seconds"))

  /** Asks, says who we are if that is wanted, and gives what is answered in the end, unless it is a no. */
  const request = Effect.fnUntraced(
    function*(method: string, uri: string, body = "", headers: Message["headers"] = []) {
      const callId = random()
      const response = yield* once(method, uri, callId, headers, body)
      const challenge = statusOf(response) === 401 ? Digest.strongest(values(response, "www-authenticate")) : undefined
      if (challenge === undefined || password === undefined) return yield* accepted(method, response)
      const account = { username: user, password: Redacted.value(password) }
      const proof = Digest.answer(challenge, account, { method, uri, cnonce: random(), count: 1, hash })
      return yield* accepted(method, yield* once(method, uri, callId, [...headers, ["authorization", proof]], body))
    }
  )
  const registering = (seconds: number) =>
    request("REGISTER", `sip:${domain}`, "", [["contact", `<sip:${user}@${host};transport=ws>`], [
      "expires",
      `${seconds}`
    ]])

  /** Registers where we are, for as long as the scope is open; tells where else we are as well. */
  const register = registering(600).pipe(
    Effect.tap(() => Effect.addFinalizer(() => Effect.ignore(registering(0)))),
    Effect.map((response) => values(response, "contact"))
  )
  return { connection, request, register }
})

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const { account, rest: [address], url } = yield* called(args)
  const answer = (request: Message) => Effect.as(Console.log(values(request, "from")[0], request.body), "200 OK")
  const program = Effect.gen(function*() {
    const agent = yield* connect(url, address, { ...account, answer })
    yield* Console.log(`OPTIONS ${(yield* agent.request("OPTIONS", address.replace(/^sip:.*@/, "sip:"))).start}`)
    for (const contact of yield* agent.register) yield* Console.log(`registered ${contact}`)
    yield* agent.connection.closed
  })
  yield* Effect.provide(Effect.scoped(program), Tcp.layer().pipe(WebSocket.client(), Sip.over(codec)))
})
