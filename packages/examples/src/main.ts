/**
 * The main job: the full stack on one machine. A chat server and two typed clients, who talk, and close layer by layer.
 *
 *     npm start              goes on serving afterwards, a page for browsers too
 *     npm start -- --once    ends with the conversation
 */
import { messages } from "@wirestack/protocol/Connection"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { parseArgs } from "node:util"
import { Chat, type ServerMessage } from "./chat/Chat.ts"
import { line } from "./chat/client.ts"
import { closed, type FullStack, opened } from "./chat/report.ts"
import { keepServing, open, pageFlags, pageOptions, type Service } from "./chat/service.ts"
import { joining } from "./chat/stack.ts"
import { options, runProgram } from "./runProgram.ts"

/** Where they talk. */
const room = "tour"

/** Without what was said when this was started before. */
const anew = (message: ServerMessage): ServerMessage =>
  message._tag === "Joined" ? { ...message, history: [] } : message

const tell = (who: string, lines: ReadonlyArray<string>) =>
  Console.log(lines.map((text) => `${who.padEnd(6)} ${text}`).join("\n"))

/** Connects, joins, and then does as `part` says; tells what every layer did. */
const visit = Effect.fnUntraced(function*(
  name: string,
  { endpoint }: Service,
  part: (
    chat: { readonly say: (text: string) => Effect.Effect<void, unknown>; readonly until: Until }
  ) => Effect.Effect<unknown, unknown>
) {
  const connection = yield* Effect.scoped(Effect.gen(function*() {
    const chat = yield* Chat.connect<FullStack>(endpoint)
    yield* tell(name, opened("localhost", chat))
    const until: Until = (last) =>
      messages(chat).pipe(
        Stream.tap((message) => tell(name, [`< ${line(anew(message))}`])),
        Stream.takeUntil(last),
        Stream.runDrain
      )
    yield* chat.send({ _tag: "Join", room, name })
    yield* part({ say: (text) => chat.send({ _tag: "Say", room, text }), until })
    return chat
  }))
  const outcome = yield* connection.closed
  yield* tell(name, closed(outcome))
  return outcome
}, (visit, _, { ca }) => Effect.provide(visit, joining({ ca })))

type Until = (last: (message: ServerMessage) => boolean) => Effect.Effect<void, unknown>

const says = (text: string) => (message: ServerMessage) => message._tag === "Said" && message.text === text

const conversation = Effect.fnUntraced(function*(service: Service) {
  const joined = yield* Deferred.make<void>()
  const ada = visit("ada", service, ({ say, until }) =>
    Effect.gen(function*() {
      yield* until((message) => message._tag === "Joined")
      yield* Deferred.succeed(joined, undefined)
      yield* until((message) => message._tag === "Presence" && message.here)
      yield* say("Hello, is anybody on the wire?")
      yield* until(says("I am, encrypted and typed."))
      yield* until((message) => message._tag === "Presence" && !message.here)
    }))
  const grace = visit("grace", service, ({ say, until }) =>
    Effect.gen(function*() {
      yield* until(says("Hello, is anybody on the wire?"))
      yield* say("I am, encrypted and typed.")
      yield* until(says("I am, encrypted and typed."))
    }))
  return yield* Effect.all([ada, Effect.andThen(Deferred.await(joined), grace)], { concurrency: "unbounded" })
})

const parse = () => {
  const { values: { once = false, ...page } } = parseArgs({ options: { once: { type: "boolean" }, ...pageFlags } })
  return { once, page: once ? undefined : pageOptions(page) }
}

const program = Effect.scoped(Effect.gen(function*() {
  const { once, page } = yield* options(parse)
  const service = yield* open(page)
  yield* Console.log(`server chat.v1 on ${service.endpoint}`)
  const outcomes = yield* conversation(service)
  if (!outcomes.every(({ clean }) => clean)) return yield* Effect.die("a connection did not close cleanly")
  if (!once) return yield* keepServing(service)
}))

runProgram(program)
