/** A client's opening handshake on the connection below, its redirects, and who has to wait for it. */
import * as Answer from "@wirestack/http/Answer"
import { type Headers, values } from "@wirestack/http/Headers"
import type { Ask, Negotiated } from "@wirestack/protocol/Ask"
import { type Endpoint, formatPlace, hostOf } from "@wirestack/protocol/Endpoint"
import type { Attempt } from "@wirestack/protocol/Protocol"
import * as TraceContext from "@wirestack/protocol/telemetry/TraceContext"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Extension from "../extensions/Extension.ts"
import * as ClientHandshake from "../handshake/ClientHandshake.ts"
import { UpgradeMalformed } from "../handshake/HandshakeReason.ts"
import * as Redirect from "../handshake/Redirect.ts"
import type { ClientOptions } from "../WebSocket.ts"
import type { WebSocket } from "./details.ts"
import { fail, limits, sending } from "./opening.ts"
import type { Role } from "./Role.ts"
import { below } from "./server.ts"
import { type Lower, upgraded } from "./upgraded.ts"

const hostHeader = ({ demands, place }: Endpoint): string =>
  place._tag === "Tcp"
    ? ClientHandshake.hostHeader(place.host, place.port, demands.includes("tls"))
    : hostOf(place) ?? "localhost"

/** The headers of a request, and of which trace it is a part, unless they say so themselves. */
const withTrace = (headers: Headers | undefined, traceparent: string | undefined): { readonly headers?: Headers } => {
  if (traceparent === undefined || values(headers ?? [], TraceContext.name).length > 0) {
    return headers === undefined ? {} : { headers }
  }
  return { headers: [...headers ?? [], [TraceContext.name, traceparent]] }
}

/** The handshakes under way, of all clients: a place is the same whoever connects to it. */
const connecting = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()

export const client = <In, Out, R>(
  role: Role<In, Out>,
  options: ClientOptions<any, R>,
  within: Duration.Input = "10 seconds"
) => {
  const {
    cookies,
    headers,
    maxConnecting = 1,
    maxHeadSize,
    maxRedirects = 0,
    origin,
    skipHandshake = false,
    trace = false
  } = options

  const handshake = (asked: Redirect.Asked) => (lower: Lower, ask: Ask) =>
    Effect.gen(function*() {
      const started = yield* Clock.monotonicTimeNanos
      const deadline = (yield* Answer.now) + Duration.toMillis(Duration.fromInputUnsafe(within))
      const { endpoint, path } = asked
      const [, pathname, query = ""] = /^([^?]*)\??([^]*)$/.exec(path)!
      if (skipHandshake) {
        const facts = { protocol: ask.offers.at(0), fields: "", path: pathname, query, extensions: [] }
        return yield* upgraded(lower, role, facts, [], started)
      }
      const extensions = yield* Effect.all(options.extensions ?? [])
      const traceparent = trace ? yield* TraceContext.current : undefined
      const made = ClientHandshake.make({
        host: hostHeader(endpoint),
        path,
        protocols: ask.offers,
        extensions: Extension.offer(extensions),
        limits: limits(maxHeadSize),
        ...withTrace(asked.headers, traceparent),
        ...asked.cookies === undefined ? undefined : { cookies: asked.cookies },
        ...asked.credentials === undefined ? undefined : { credentials: asked.credentials },
        ...origin === undefined ? undefined : { origin }
      })
      if (Result.isFailure(made)) return yield* fail(made.failure)
      const half = made.success
      yield* sending(lower, half.request)
      const { found, rest } = yield* Answer.read(lower, half, deadline)
      if (Result.isFailure(found)) return yield* fail(found.failure)
      const agreed = Extension.agree(extensions, found.success.extensions)
      if (Result.isFailure(agreed)) {
        const { rule, section = "RFC 6455 section 9.1" } = agreed.failure
        return yield* fail(new UpgradeMalformed({ rule, section }))
      }
      const { fields, leftover, protocol } = found.success
      const facts = { protocol, fields, path: pathname, query, extensions: agreed.success }
      return yield* upgraded(lower, role, facts, [leftover, ...rest], started)
    })

  /** @see https://www.rfc-editor.org/rfc/rfc6455#section-4.1 */
  const inTurn = <A, E, R>(endpoint: Endpoint, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    if (hostOf(endpoint.place) === undefined || maxConnecting === Infinity) return effect
    const key = `${maxConnecting} ${formatPlace(endpoint.place)}`
    const enter = Effect.sync(() => {
      let entry = connecting.get(key)
      if (entry === undefined) connecting.set(key, entry = { semaphore: Semaphore.makeUnsafe(maxConnecting), users: 0 })
      entry.users++
      return entry
    })
    return Effect.acquireUseRelease(
      enter,
      ({ semaphore }) => Semaphore.withPermit(semaphore, effect),
      (entry) => Effect.sync(() => --entry.users === 0 && connecting.delete(key))
    )
  }

  const connect = (
    attempt: Attempt<Uint8Array, Uint8Array, In, Out, never, WebSocket | Negotiated, R | Scope.Scope>,
    ask: Ask
  ) => {
    const from = (asked: Redirect.Asked, left: number): ReturnType<typeof attempt> =>
      Effect.catch(
        inTurn(
          asked.endpoint,
          attempt({ ...ask, endpoint: asked.endpoint, demands: asked.endpoint.demands }, handshake(asked))
        ),
        (error) => {
          if (error.reason._tag !== "UpgradeRejected" || maxRedirects === 0) return Effect.fail(error)
          const next = Redirect.follow(asked, error.reason, left)
          return Result.isFailure(next) ? fail(next.failure) : from(next.success, left - 1)
        }
      )
    const { credentials, path = "/" } = ask.endpoint
    return from({
      endpoint: ask.endpoint,
      path: options.path ?? path,
      ...headers === undefined ? undefined : { headers },
      ...cookies === undefined ? undefined : { cookies },
      ...credentials === undefined ? undefined : { credentials }
    }, maxRedirects)
  }

  return { below, connect }
}
