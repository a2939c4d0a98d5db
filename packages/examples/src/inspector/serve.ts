/** The inspector's server: a handler for one page. */
import { messages } from "@wirestack/protocol/Connection"
import type { ServerConnection } from "@wirestack/protocol/typed/Subprotocol"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Inspector } from "./Inspector.ts"
import type { Registry } from "./Registry.ts"

/** Tells a page of all connections, and of the one it has chosen, until it leaves. */
export const serve = (registry: Registry) => (page: ServerConnection<typeof Inspector>) =>
  Effect.gen(function*() {
    const all = yield* Effect.scope
    let following = yield* Scope.fork(all)
    yield* Effect.ignore(registry.show(page))
    yield* Stream.runForEach(messages(page), ({ id }) =>
      Effect.gen(function*() {
        yield* Scope.close(following, Exit.void)
        following = yield* Scope.fork(all)
        yield* Effect.ignore(Scope.provide(registry.follow(page, id), following))
      }))
  })
