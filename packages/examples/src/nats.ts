/**
 * NATS as a layer and a client: lines of text, some with a payload behind them, over whatever bytes there are.
 *
 *     PUB greetings 5 CRLF hello CRLF          to the server, which is verbose: it answers each with +OK, or with -ERR and why
 *     MSG greetings 1 5 CRLF hello CRLF        from the server, for subscription 1
 *
 *     npm run example -- nats ws://localhost:8080/ subscribe news    or publish news hello, answer time noon, request time when
 */
import { Dialogue, Dispatch, Framer, Heartbeat, Replies, Subscriptions, Transport } from "@wirestack/protocol"
import { ConnectionError, Unencodable } from "@wirestack/protocol/ConnectionError"
import { Other, Violation } from "@wirestack/protocol/Reason"
import { Console, Data, Effect, type Layer, Redacted, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { type Account, called } from "./stack.ts"

/** What the server says; the words of MSG are a subject, a subscription and, if an answer is expected, where. */
export interface Incoming {
  readonly verb: string
  readonly words: ReadonlyArray<string>
  readonly payload?: Uint8Array
  /** What it says in place of a message: 503 if nobody is there to answer. */
  readonly status?: string | undefined
  /** The operation that it answers. */
  readonly to?: Outgoing | undefined
}

/** An operation; the size of the payload is said by itself. */
export type Outgoing = { readonly words: ReadonlyArray<string>; readonly payload?: string | Uint8Array | undefined }

/** The server says no, such as for want of a permission, or since nobody is there to answer; the connection goes on. */
export class NatsError extends Data.TaggedError("NatsError")<{ readonly message: string }> {}

const layer = "nats"
const Operations: Transport.Shape<"nats", Incoming, Outgoing> = Transport.shape(layer)
const [ping, pong]: ReadonlyArray<Outgoing> = [{ words: ["PING"] }, { words: ["PONG"] }]
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** What is behind the line of MSG, which ends in a size, or of HMSG, which has that of the headers before it. */
function* message(words: ReadonlyArray<string>, sizes: ReadonlyArray<string>): Generator<Framer.Step, Incoming, any> {
  const [head, size] = [Number(sizes.at(-2) ?? 0), Number(sizes.at(-1))]
  const isWhole = /^\S+ \S+( \S+)? : \d{1,9}( \d{1,9})?$/.test(`${words.join(" ")} : ${sizes.join(" ")}`)
  if (!isWhole || head > size) throw new Violation({ rule: "MSG has a subject, a subscription and sizes" })
  const bytes: Uint8Array = yield* Framer.take(size)
  yield* Framer.expect("\r\n")
  const status = /^NATS\/1\.0 +(\d{3})/.exec(text(bytes.subarray(0, head)))?.[1]
  return { verb: "MSG", words, status, payload: bytes.subarray(head) }
}

/** Answers come in the order of the operations, and it is the framer that sees these leave. */
export const operations: Framer.Framer<Incoming, Outgoing> = Framer.program({
  layer,
  format: () => {
    const asked: Array<Outgoing> = []
    return {
      decode: function*() {
        const line = text(yield* Framer.takeUntil("\r\n", 65_536))
        const [verb, ...words] = line.trim().split(/\s+/)
        if (verb === "MSG" || verb === "HMSG") return yield* message(words, words.splice(verb === "MSG" ? -1 : -2))
        if (verb === "PING" || verb === "INFO") return { verb, words }
        if (["PONG", "+OK", "-ERR"].includes(verb)) return { verb, words, to: asked.shift() }
        throw new Violation({ rule: `${JSON.stringify(verb.slice(0, 20))} is no operation` })
      },
      encode: ({ payload, words }) => {
        if (!words.every((word) => /^[^\s\0]+$/.test(word))) throw new Unencodable({ detail: "a word has no blanks" })
        if (payload === undefined) return Buffer.from(`${words.join(" ")}\r\n`)
        const bytes = typeof payload === "string" ? Buffer.from(payload) : payload
        return [Buffer.from(`${words.join(" ")} ${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]
      },
      sent: (operation) => void (operation !== pong && asked.push(operation))
    }
  }
})

/** Puts NATS, as a client, on a stack of bytes. */
export const over =
  ({ password, username }: Account = {}) => <Can, E, R>(bytes: Layer.Layer<Transport.ByteTransport<Can>, E, R>) =>
    bytes.pipe(
      Framer.onto(Operations)(operations),
      Dialogue.within(Operations)<never, Transport.Listen>({
        layer,
        client: Effect.fnUntraced(function*(dialogue) {
          if ((yield* dialogue.next).verb !== "INFO") return yield* dialogue.violation("INFO comes first")
          const account = { user: username, pass: password && Redacted.value(password) }
          const json = JSON.stringify({ verbose: true, headers: true, no_responders: true, ...account })
          yield* dialogue.say({ words: ["CONNECT", json.replaceAll(" ", "\\u0020")] })
          const { verb, words } = yield* dialogue.next
          if (verb === "-ERR") return yield* dialogue.deny(words.join(" "))
        })
      }),
      Heartbeat.within(Operations)({
        ping,
        pong,
        kindOf: ({ to, verb }) => verb === "PING" ? "ping" : to === ping ? "pong" : "message",
        sizeOf: ({ payload, words }) => words.length + (payload?.length ?? 0)
      })
    )

export const connect = Effect.fnUntraced(function*(endpoint: string, options?: Transport.ConnectOptions) {
  const connection = yield* Transport.connect(Operations)(endpoint, options)
  const done = Replies.make<Outgoing, void, NatsError>({ keep: true })
  const answers = Replies.make<string, Incoming, NatsError>()
  const subscriptions = Subscriptions.make<string, Incoming>({ layer })
  const inbox = `_INBOX.${randomUUID()}`
  let last = 0
  const published = ([subject, sid]: ReadonlyArray<string>, message: Incoming) => {
    if (message.status === "503") answers.fail(subject, new NatsError({ message: "nobody is there to answer" }))
    else if (!answers.succeed(subject, message)) subscriptions.deliver(sid, message, message.payload!.length)
  }
  const handle = (message: Incoming): Effect.Effect<unknown, ConnectionError> => {
    if (message.verb === "MSG") return Effect.sync(() => published(message.words, message))
    if (message.verb === "+OK") return Effect.sync(() => done.succeed(message.to!, undefined))
    const error = new NatsError({ message: message.words.join(" ").replaceAll("'", "") })
    // What answers nothing is why the server ends the connection.
    if (message.verb !== "-ERR" || done.fail(message.to!, error)) return Effect.void
    return Effect.fail(new ConnectionError({ layer, reason: new Other({ cause: error }) }))
  }
  const say = (words: Outgoing["words"], payload?: Outgoing["payload"]) =>
    done.to(() => ({ words, payload }), (operation) => connection.send(operation))
  /** Publishes; succeeds when the server has taken it. */
  const publish = (subject: string, payload: string | Uint8Array) => say(["PUB", subject], payload)
  /** What is published, for as long as the scope is open; of all with the same queue, one gets each message. */
  const subscribe = (subject: string, queue: ReadonlyArray<string> = []) =>
    Effect.suspend(() => {
      const sid = `${++last}`
      const join = say(["SUB", subject, ...queue, sid])
      return subscriptions.subscribe(sid, { join, leave: say(["UNSUB", sid]) })
    })
  /** Asks, and waits for one answer. */
  const request = (subject: string, payload: string | Uint8Array) =>
    answers.to(() => `${inbox}.${++last}`, (reply) => say(["PUB", subject, reply], payload))
  yield* Dispatch.run(connection, { layer, handle, awaiting: [done, answers, subscriptions] })
  yield* say(["SUB", `${inbox}.*`, `${++last}`])
  return { connection, publish, subscribe, request }
})

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const { account, bytes, rest: [verb, subject, said = ""], url } = yield* called(args)
  const show = ({ payload = new Uint8Array() }: Incoming) => Console.log(`${subject} ${text(payload)}`)
  const program = Effect.gen(function*() {
    const client = yield* connect(url)
    if (verb === "publish") return yield* client.publish(subject, said)
    if (verb === "request") return yield* Effect.flatMap(client.request(subject, said), show)
    const messages = yield* client.subscribe(subject)
    yield* Console.log(`subscribed to ${subject}`)
    const answer = ({ words }: Incoming) => verb === "answer" ? client.publish(words[2], said) : Effect.void
    yield* Stream.runForEach(messages, (message) => Effect.andThen(show(message), answer(message)))
  })
  yield* Effect.provide(Effect.scoped(program), over(account)(bytes))
})
