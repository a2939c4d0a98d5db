/**
 * The chat.
 *
 *     npm run example -- chat                serves, and says how to join
 *     npm run example -- chat --join ada     joins from another terminal
 *     npm run example -- chat --join ada --room sea
 *
 * The page is at port 8088, or where `--port` says; what was said is kept in a file, or in the one that `--log` names.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"
import { invitation } from "../development.ts"
import { options } from "../runProgram.ts"
import { Chat } from "./Chat.ts"
import { talk } from "./client.ts"
import { type FullStack, opened } from "./report.ts"
import { keepServing, open, pageFlags, pageOptions } from "./service.ts"
import { joining } from "./stack.ts"

const join = Effect.fnUntraced(function*(name: string, room: string) {
  const { ca, endpoint } = yield* invitation
  const talking = Effect.gen(function*() {
    const chat = yield* Chat.connect<FullStack>(endpoint)
    for (const line of opened("localhost", chat)) yield* Console.log(line)
    yield* talk(chat, room, name)
  })
  yield* Effect.provide(Effect.scoped(talking), joining({ ca }))
})

const parse = (args: ReadonlyArray<string>) =>
  parseArgs({
    args: [...args],
    options: {
      join: { type: "string" },
      room: { type: "string", default: "lobby" },
      ...pageFlags
    }
  }).values

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const values = yield* options(() => parse(args))
  return yield* values.join === undefined
    ? Effect.scoped(Effect.flatMap(open(yield* options(() => pageOptions(values))), keepServing))
    : join(values.join, values.room)
})
