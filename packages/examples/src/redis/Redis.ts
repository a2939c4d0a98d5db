/**
 * Redis as a layer: commands and their answers over bytes.
 *
 *     client                                        server
 *       | -- HELLO 3 AUTH user password ------------> |
 *       | <- what it is, or why not ----------------- |
 *       | -- commands ------------------------------> |
 *       | <- answers, in their order, and pushes ---- |
 */
import { type Connection, fuse } from "@wirestack/protocol/Connection"
import * as Protocol from "@wirestack/protocol/Protocol"
import { Violation } from "@wirestack/protocol/Reason"
import { Bytes, type Listen, type Shape, shape } from "@wirestack/protocol/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Dialogue } from "../kit/Dialogue.ts"
import { Parsing } from "../kit/Parsing.ts"
import { RedisError, RedisRefused } from "./RedisError.ts"
import { type Argument, type Command, format, type Incoming } from "./Resp.ts"
import { text, type Value } from "./Value.ts"

const layer = "redis"

/** The shape of Redis. */
export const Commands: Shape<"redis", Incoming, Command> = shape("redis")

/** What the server says of itself, such as its `version`, among the details of a connection. */
export class RedisInfo extends Context.Service<RedisInfo, ReadonlyMap<string, Value>>()(
  "@wirestack/examples/RedisInfo"
) {}

export interface Options {
  /** Who we are; nobody by default. The user `default` has the password of servers that know no users. */
  readonly username?: string
  readonly password?: Redacted.Redacted<string>
  /** What the connection is called in lists of the server. */
  readonly name?: string
  /** The largest value, both ways, in bytes; 16 MiB by default. */
  readonly maxValueSize?: number
}

const hello = ({ name, password, username = "default" }: Options): Command => {
  const args: Array<Argument> = []
  if (password !== undefined) args.push("AUTH", username, Redacted.value(password))
  if (name !== undefined) args.push("SETNAME", name)
  return { args: ["HELLO", 3, ...args] }
}

const connect = (options: Options) =>
  Effect.fnUntraced(function*(lower: Connection<Uint8Array, Uint8Array>) {
    const machine = new Parsing(format(options.maxValueSize ?? 16_777_216))
    const dialogue = new Dialogue(layer, yield* fuse(lower, machine, { layer }))
    yield* dialogue.say(hello(options))
    const answer = yield* dialogue.next
    const value = answer._tag === "Answer" ? answer.value : undefined
    if (value instanceof RedisError) return yield* dialogue.fail(new RedisRefused(value))
    if (!(value instanceof Map)) return yield* dialogue.fail(new Violation({ rule: "the answer to HELLO is a map" }))
    const info = new Map(Array.from(value, ([key, value]) => [text(key), value]))
    return yield* dialogue.done({ details: () => Context.make(RedisInfo, info) })
  })

/** Puts Redis, as a client, on a stack of bytes. */
export const over = (options: Options = {}): Protocol.Over<"bytes", never, "redis", RedisInfo, Listen> =>
  Protocol.make(Bytes, Commands, { layer, client: connect(options) })
