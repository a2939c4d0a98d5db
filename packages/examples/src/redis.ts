/**
 * Redis as a layer and a client: RESP3, values with a byte in front that says their type, over whatever bytes there are.
 *
 *     *2 CRLF $3 CRLF GET CRLF $3 CRLF key CRLF           a command
 *     >3 CRLF +message CRLF +news CRLF $2 CRLF hi CRLF    a push, which is nobody's reply
 *
 *     npm run example -- redis tls://localhost:6380 --ca ca.pem --password secret set greeting hello
 *     npm run example -- redis unix:/run/redis/redis.sock subscribe news
 */
import { Dialogue, Dispatch, Framer, Replies, Subscriptions, Transport } from "@wirestack/protocol"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import { Console, Data, Effect, type Layer, Redacted, Stream } from "effect"
import { inspect } from "node:util"
import { type Account, called } from "./stack.ts"

/** A value. Bulk strings are bytes, as they may hold any; other strings are text. */
export type Value = null | boolean | number | bigint | string | Uint8Array | RedisError | Values
type Values = ReadonlyArray<Value> | ReadonlySet<Value> | ReadonlyMap<Value, Value>
export type Command = readonly [name: string, ...args: ReadonlyArray<string | number | Uint8Array>]

/** A value, and the command that it is the reply to; a push is to none. */
export type Incoming = { readonly to: Command | undefined; readonly value: Value }

/** The answer to a command is an error, such as `WRONGTYPE`; the connection goes on. */
export class RedisError extends Data.TaggedError("RedisError")<{ readonly code: string; readonly message: string }> {}

const layer = "redis"
const Commands: Transport.Shape<"redis", Incoming, Command> = Transport.shape(layer)

export const text = (value: Value): string =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length).toString() : String(value)

const violation = (rule: string) => new Violation({ rule, section: "RESP3" })

const checked = (line: string, form: RegExp): string => {
  if (form.test(line)) return line
  throw violation(`${JSON.stringify(line.slice(0, 40))} is no number`)
}

const errorOf = (message: string) => new RedisError({ code: message.split(" ", 1)[0], message })

/** Reads a value, and those that lie in it. */
function* read(depth = 0): Generator<Framer.Step, Value, any> {
  if (depth > 32) throw new TooLarge({ what: "the depth of a value", size: depth, limit: 32 })
  const head = text(yield* Framer.takeUntil("\r\n", 65_536))
  const [type, line] = [head.charAt(0), head.slice(1)]
  if (type === "+" || type === "-") return type === "+" ? line : errorOf(line)
  if (type === "#") return line === "t"
  if (type === "_" || head === "$-1" || head === "*-1") return null
  if (type === ",") return Number(checked(line, /^-?(\d+(\.\d*)?(e[+-]?\d+)?|inf|nan)$/i).replace("inf", "Infinity"))
  if (type === ":" || type === "(") {
    const integer = BigInt(checked(line, /^[+-]?\d+$/))
    return type === ":" && Number.isSafeInteger(Number(integer)) ? Number(integer) : integer
  }
  const count = Number(checked(line, /^\d{1,9}$/))
  if ("$!=".includes(type)) {
    const bytes: Uint8Array = yield* Framer.take(count)
    yield* Framer.expect("\r\n")
    return type === "$" ? bytes : type === "!" ? errorOf(text(bytes)) : text(bytes).slice(4)
  }
  if (!"*~>%|".includes(type)) throw violation(`${JSON.stringify(type)} is no type`)
  const values: Array<Value> = []
  for (let n = "%|".includes(type) ? 2 * count : count; n > 0; n--) values.push(yield* read(depth + 1))
  // An attribute says something of the value behind it, which nobody has asked for.
  if (type === "|") return yield* read(depth)
  if (type === "~") return new Set(values)
  return type === "%" ? new Map(values.flatMap((key, n) => n % 2 === 0 ? [[key, values[n + 1]]] : [])) : values
}

const print = (argument: Command[number]): ReadonlyArray<Uint8Array> => {
  const bytes = argument instanceof Uint8Array ? argument : Buffer.from(String(argument))
  return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]
}

/** Replies come in the order of the commands, and it is the framer that sees these leave. */
export const resp = (maxFrameSize: number): Framer.Framer<Incoming, Command> =>
  Framer.program({
    layer,
    format: () => {
      const asked: Array<Command> = []
      return {
        maxFrameSize,
        decode: function*() {
          const [type]: Uint8Array = yield* Framer.peek(1)
          const value = yield* read()
          // A push may be a reply too, such as that to SUBSCRIBE.
          const isPush = type === ">".charCodeAt(0) && text((value as [Value])[0]) !== asked[0]?.[0].toLowerCase()
          if (!isPush && asked.length === 0) throw violation("a reply has a command")
          return { to: isPush ? undefined : asked.shift(), value }
        },
        encode: (command) => [Buffer.from(`*${command.length}\r\n`), ...command.flatMap(print)],
        sent: (command) => void asked.push(command)
      }
    }
  })

/** Puts Redis, as a client, on a stack of bytes. */
export const over =
  ({ password, username = "default" }: Account = {}) =>
  <Can, E, R>(bytes: Layer.Layer<Transport.ByteTransport<Can>, E, R>) =>
    bytes.pipe(
      Framer.onto(Commands)(resp(16_777_216)),
      Dialogue.within(Commands)<never, Transport.Listen>({
        layer,
        client: Effect.fnUntraced(function*(dialogue) {
          const proof = password === undefined ? [] : ["AUTH", username, Redacted.value(password)]
          yield* dialogue.say(["HELLO", 3, ...proof])
          const { value } = yield* dialogue.next
          if (value instanceof RedisError) return yield* dialogue.deny(value.message)
        })
      })
    )

/** Connects. Commands that are run at once, such as by `Effect.all` with `concurrency: "unbounded"`, are pipelined. */
export const connect = Effect.fnUntraced(function*(endpoint: string, options?: Transport.ConnectOptions) {
  const connection = yield* Transport.connect(Commands)(endpoint, options)
  const replies = Replies.make<Command, Value, RedisError>({ keep: true })
  const subscriptions = Subscriptions.make<string, Uint8Array>({ layer })
  const published = ([kind, channel, payload]: ReadonlyArray<any>) => {
    if (text(kind) === "message") subscriptions.deliver(text(channel), payload, payload.length)
  }
  yield* Dispatch.run(connection, {
    layer,
    awaiting: [replies, subscriptions],
    handle: ({ to, value }) =>
      Effect.sync(() => {
        if (to === undefined) return published(value as ReadonlyArray<Value>)
        return value instanceof RedisError ? replies.fail(to, value) : replies.succeed(to, value)
      })
  })
  /** Runs a command. An interruption takes nothing back. */
  const run = (...command: Command) => replies.to(() => [...command], (command) => connection.send(command))
  /** What is published on a channel, for as long as the scope is open. */
  const subscribe = (channel: string) =>
    subscriptions.subscribe(channel, { join: run("subscribe", channel), leave: run("unsubscribe", channel) })
  return { connection, run, subscribe }
})

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const { account, bytes, rest: [name, ...more], url } = yield* called(args)
  const program = Effect.gen(function*() {
    const client = yield* connect(url)
    if (name !== "subscribe") return yield* Console.log(inspect(yield* client.run(name, ...more)))
    const messages = yield* client.subscribe(more[0])
    yield* Console.log(`subscribed to ${more[0]}`)
    yield* Stream.runForEach(messages, (payload) => Console.log(text(payload)))
  })
  yield* Effect.provide(Effect.scoped(program), over(account)(bytes))
})
