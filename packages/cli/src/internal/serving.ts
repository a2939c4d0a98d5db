/** What a server says of itself: where it listens, and what became of its connections. */
import type { Listener } from "@wirestack/protocol/Listener"
import type { ListenOptions, Message } from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { format, type StackUrl } from "../StackUrl.ts"
import { say } from "./Operator.ts"

/** How many connections the flags allow. */
export const limits = (
  { maxConnections }: { readonly maxConnections: number | undefined }
): Pick<ListenOptions, "maxConnections"> => maxConnections === undefined ? {} : { maxConnections }

/** Says where it listens, and drains when the scope closes. */
export const serving = (
  url: StackUrl,
  { address, drain }: Listener<Message, Message>,
  authority: string | undefined
): Effect.Effect<void, never, Scope.Scope> => {
  const listening = say(`listening ${format({ ...url, endpoint: { ...url.endpoint, place: address.place } })}`)
  const drained = Effect.flatMap(drain(), ({ clean, failed, forced, open, took }) =>
    open === 0
      ? Effect.void
      : say(`drained in ${Math.ceil(took)} ms: ${open} open, ${clean} clean, ${forced} forced, ${failed} failed`))
  const trust = authority === undefined ? Effect.void : say(`trust it with --ca ${authority}`)
  return Effect.andThen(Effect.andThen(listening, trust), Effect.addFinalizer(() => drained))
}
