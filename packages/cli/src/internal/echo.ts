/** `wirestack echo`. */
import { messages } from "@wirestack/protocol/Connection"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Stack from "../Stack.ts"
import * as asked from "./asked.ts"
import { limits, serving } from "./serving.ts"

export const echo = Effect.fnUntraced(function*(input: asked.Echo) {
  const { authority, options, url } = yield* asked.server(input)
  const listener = yield* Stack.listen(url, { ...options, ...limits(input) })
  yield* serving(url, listener, authority)
  return yield* listener.run((connection) => Stream.runForEachArray(messages(connection), connection.sendAll))
}, Effect.scoped)
