/** A user agent of SIP: it asks, registers where it is, and answers those who ask it. */
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Inputs } from "@wirestack/protocol/Endpoint"
import type { ConnectOptions } from "@wirestack/protocol/Transport"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { Answers } from "../kit/Answers.ts"
import { reading } from "../kit/reading.ts"
import * as Digest from "./Digest.ts"
import { type Headers, type Request, type Response, Sip, values } from "./Sip.ts"
import { byDefault, random, repeated, transactionOf } from "./transaction.ts"

/** The other side says no. */
export class SipRefused extends Data.TaggedError("SipRefused")<{
  readonly method: string
  readonly status: number
  readonly reason: string
}> {
  override get message(): string {
    return `${this.method} was refused: ${this.status} ${this.reason}`
  }
}

export interface Options {
  /** Who we are, such as `sip:alice@example.com`. */
  readonly address: string
  /** By default the name in the address. */
  readonly username?: string
  readonly password?: Redacted.Redacted<string>
  /** How requests are answered; by default 200 to OPTIONS, and 501 to all others. */
  readonly answer?: (request: Request) => Effect.Effect<Pick<Response, "status" | "reason">>
  /** How long an answer may take; 32 seconds by default, 64 times T1 (section 17.1.2.2). */
  readonly within?: Duration.Input
}

/** What may be said with a request. */
export interface Saying {
  readonly headers?: Headers
  readonly body?: string
}

/** Connects. The scope owns the user agent. */
export const make = Effect.fnUntraced(function*(endpoint: Inputs, options: Options & ConnectOptions) {
  const { address, answer = byDefault, password, within = "32 seconds" } = options
  const [, user, domain] = /^sips?:([^@]+)@([^;?]+)$/.exec(address)!
  const connection = yield* Sip.connect(endpoint, options)
  const answers = new Answers<string, Response>()
  /** A browser knows no address of its own, and so we make one up (RFC 7118 section 5). */
  const host = `${random()}.invalid`
  const contact = `<sip:${user}@${host};transport=ws>`
  const tag = random()
  let sequence = 0

  const respond = (request: Request): Effect.Effect<void, ConnectionError> =>
    Effect.flatMap(
      answer(request),
      (response) => connection.send({ _tag: "Response", ...response, headers: repeated(request), body: "" })
    )

  yield* reading("sip", connection, (message): Effect.Effect<unknown, ConnectionError> => {
    if (message._tag === "Request") return message.method === "ACK" ? Effect.void : respond(message)
    // What is provisional says no more than that it takes some time.
    if (message.status >= 200) answers.settle(transactionOf(message), Effect.succeed(message))
    return Effect.void
  }, (error) => Effect.sync(() => answers.fail(error)))

  /** One transaction. */
  const once = (method: string, uri: string, callId: string, { body = "", headers = [] }: Saying) =>
    Effect.suspend(() => {
      const branch = `z9hG4bK${random()}`
      const request: Request = {
        _tag: "Request",
        method,
        uri,
        headers: [
          ["Via", `SIP/2.0/WS ${host};branch=${branch}`],
          ["Max-Forwards", "70"],
          ["From", `<${address}>;tag=${tag}`],
          ["To", `<${method === "REGISTER" ? address : uri}>`],
          ["Call-ID", callId],
          ["CSeq", `${++sequence} ${method}`],
          ...headers
        ],
        body
      }
      return Effect.timeout(answers.to(transactionOf(request), connection.send(request)), within)
    })

  /** The header that says who we are, if that is asked; it is of no use to repeat what was not believed. */
  const proofFor = (response: Response, method: string, uri: string, again: boolean): Headers[number] | undefined => {
    const [asks, says] = response.status === 407
      ? ["Proxy-Authenticate", "Proxy-Authorization"]
      : ["WWW-Authenticate", "Authorization"]
    const challenge = Digest.strongest(values(response, asks))
    const isAsked = response.status === 401 || response.status === 407
    if (!isAsked || password === undefined || challenge === undefined || (again && !challenge.stale)) return undefined
    const account = { username: options.username ?? user, password: Redacted.value(password) }
    return [says, Digest.answer(challenge, account, { method, uri, cnonce: random(), count: 1 })]
  }

  /** Asks, says who we are if that is wanted, and gives what is answered in the end, unless it is a no. */
  const request = Effect.fnUntraced(function*(method: string, uri: string, saying: Saying = {}) {
    const callId = random()
    let response = yield* once(method, uri, callId, saying)
    for (let tries = 0; tries < 2; tries++) {
      const proof = proofFor(response, method, uri, tries > 0)
      if (proof === undefined) break
      response = yield* once(method, uri, callId, { ...saying, headers: [...saying.headers ?? [], proof] })
    }
    const { reason, status } = response
    if (status >= 300) return yield* new SipRefused({ method, status, reason })
    return response
  })

  const registrar = `sip:${domain}`
  const registering = (seconds: number) =>
    request("REGISTER", registrar, { headers: [["Contact", contact], ["Expires", `${seconds}`]] })

  /** Registers where we are, for as long as the scope is open; tells where else we are as well. */
  const register = Effect.fnUntraced(function*(seconds = 600) {
    const response = yield* registering(seconds)
    yield* Effect.addFinalizer(() => Effect.ignore(registering(0)))
    yield* Effect.forkScoped(
      Effect.ignore(Effect.repeat(Effect.delay(registering(seconds), seconds * 500), Schedule.forever))
    )
    return values(response, "Contact")
  })

  return { connection, contact, request, register }
})
