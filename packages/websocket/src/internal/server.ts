/** A server's opening handshake on a connection that was accepted below. */
import { type Ask, met, type Negotiated } from "@wirestack/protocol/Ask"
import type { ConnectError, ConnectReason } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import { Closed } from "@wirestack/protocol/ConnectionError"
import type { Place } from "@wirestack/protocol/Endpoint"
import { Other } from "@wirestack/protocol/Reason"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Extension from "../Extension.ts"
import { InvalidHeader, UpgradeMalformed } from "../HandshakeReason.ts"
import * as Origin from "../Origin.ts"
import * as ServerHandshake from "../ServerHandshake.ts"
import type { ServerOptions } from "../WebSocket.ts"
import type { WebSocket } from "./details.ts"
import { fail, limits, readUntil, sending } from "./opening.ts"
import type { Role } from "./Role.ts"
import { type Lower, upgraded } from "./upgraded.ts"

/** What a server makes of a request. */
export interface Plan<In, Out, R> {
  readonly role: Role<In, Out>
  readonly options: ServerOptions<any, R>
  /** The subprotocols that are spoken; if there are any, a client must offer one. */
  readonly protocols: ReadonlyArray<string>
}

/** What came of it. */
export interface Answered<P, In, Out> {
  readonly plan: P
  readonly upgrade: ServerHandshake.Upgrade
  readonly connection: Connection<In, Out, WebSocket | Negotiated>
}

type Step<A> = Result.Result<A, ServerHandshake.Refused>

/** Runs the handshake; `find` says what to make of a request that keeps the rules. */
export const answer = <In, Out, R, P extends Plan<In, Out, R>>(
  lower: Lower,
  place: Place,
  maxHeadSize: number | undefined,
  find: (upgrade: ServerHandshake.Upgrade) => Step<P>
): Effect.Effect<Answered<P, In, Out>, ConnectError, R | Scope.Scope> =>
  Effect.gen(function*() {
    const started = yield* Clock.currentTimeNanos
    const checked = <A>(step: Step<A>): Effect.Effect<A, ConnectError> =>
      Result.isSuccess(step) ? Effect.succeed(step.success) : Effect.andThen(
        sending(lower, step.failure.response),
        fail(step.failure.reason)
      )
    const { found, rest } = yield* readUntil(lower, ServerHandshake.read(limits(maxHeadSize)), () => undefined)
    if (found === undefined) return yield* fail(new Closed())
    const { head, leftover } = yield* checked(found)
    const upgrade = yield* checked(ServerHandshake.judge(head))
    const plan = yield* checked(find(upgrade))
    const { options, protocols, role } = plan
    yield* checked(ServerHandshake.admit(upgrade, options.origins ?? ownOrigins(options, place)))
    const { accept } = options
    const decision = accept === undefined ? undefined : yield* Effect.catch(
      Effect.tapDefect(
        Effect.suspend(() => accept({ ...upgrade, details: lower.details })),
        (cause) => Effect.ignore(sending(lower, broken(new Other({ cause })).response))
      ),
      (refusal) => checked(Result.fail(ServerHandshake.decline(upgrade, refusal)))
    )
    const protocol = yield* checked(chosen(upgrade, protocols, decision?.protocol))
    const { agreed, header } = yield* checked(Result.mapError(
      Extension.answer(yield* Effect.all(options.extensions ?? []), upgrade.extensions),
      ({ rule, section = "" }) => ServerHandshake.refuse(400, new UpgradeMalformed({ rule, section }))
    ))
    const response = yield* checked(ServerHandshake.accept(upgrade, {
      protocol,
      extensions: header,
      headers: [...options.headers ?? [], ...decision?.headers ?? []]
    }))
    yield* sending(lower, response)
    const { headers, path, query } = upgrade
    const facts = { protocol, headers, path, query, extensions: agreed }
    const connection = yield* upgraded(lower, role, facts, [leftover, ...rest], started)
    return { plan, upgrade, connection }
  })

/** What went wrong on our side is not the client's business. */
const broken = (reason: ConnectReason): ServerHandshake.Refused =>
  ServerHandshake.refuse(500, reason, [], "Internal Server Error\n")

/** The subprotocol that was decided on, if it is spoken; without a decision, the one that suits both. */
const chosen = (
  upgrade: ServerHandshake.Upgrade,
  protocols: ReadonlyArray<string>,
  decided: string | undefined
): Step<string | undefined> => {
  if (decided === undefined) return ServerHandshake.choose(upgrade, protocols, protocols.length > 0)
  if (protocols.length === 0 || protocols.includes(decided)) return Result.succeed(decided)
  const detail = `${decided} is not spoken here`
  return Result.fail(broken(new InvalidHeader({ name: "Sec-WebSocket-Protocol", detail })))
}

const ownOrigins = ({ authorities }: ServerOptions<any, any>, place: Place): Origin.Policy =>
  Origin.sameOrigin({
    authorities: authorities ?? (place._tag === "Tcp" ? Origin.authoritiesOf(place.host, place.port) : [])
  })

export const below = (ask: Ask): Ask => ({ ...met(ask, "websocket"), offers: ["http/1.1"] })

/** The server of one resource, or of any. */
export const server = <In, Out, R>(role: Role<In, Out>, options: ServerOptions<any, R>) => ({
  below,
  server: (lower: Lower, ask: Ask) => {
    if (options.skipHandshake === true) {
      const facts = { protocol: ask.offers.at(0), headers: [], path: "/", query: "", extensions: [] }
      return Effect.flatMap(Clock.currentTimeNanos, (started) => upgraded(lower, role, facts, [], started))
    }
    const plan: Plan<In, Out, R> = { role, options, protocols: ask.offers }
    const find = (upgrade: ServerHandshake.Upgrade): Step<Plan<In, Out, R>> =>
      options.path === undefined || options.path === upgrade.path
        ? Result.succeed(plan)
        : Result.fail(ServerHandshake.missing(upgrade))
    return Effect.map(
      answer<In, Out, R, Plan<In, Out, R>>(lower, ask.endpoint.place, options.maxHeadSize, find),
      ({ connection }) => connection
    )
  }
})
