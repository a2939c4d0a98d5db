/** A server's opening handshake on a connection that was accepted below. */
import { type Headers, values } from "@wirestack/http/Headers"
import type { Limits } from "@wirestack/http/HttpHead"
import { InvalidHeader } from "@wirestack/http/InvalidHeader"
import { type Ask, met, type Negotiated } from "@wirestack/protocol/Ask"
import type { ConnectError, ConnectReason } from "@wirestack/protocol/ConnectError"
import { type Connection, letIn, turnedAway } from "@wirestack/protocol/Connection"
import { Closed, Closing } from "@wirestack/protocol/ConnectionError"
import type { Place } from "@wirestack/protocol/Endpoint"
import { Other } from "@wirestack/protocol/Reason"
import * as TraceContext from "@wirestack/protocol/telemetry/TraceContext"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Extension from "../extensions/Extension.ts"
import { UpgradeMalformed } from "../handshake/HandshakeReason.ts"
import * as Origin from "../handshake/Origin.ts"
import * as ServerHandshake from "../handshake/ServerHandshake.ts"
import type { ServerOptions } from "../WebSocket.ts"
import { type Desk, own } from "./Desk.ts"
import type { WebSocket } from "./details.ts"
import { fail, limits } from "./opening.ts"
import type { Role } from "./Role.ts"
import { type Lower, upgraded } from "./upgraded.ts"

/** What a server makes of a request. */
export interface Plan<In, Out, R> {
  readonly role: Role<In, Out>
  readonly options: ServerOptions<any, R>
  /** The subprotocols that are spoken; if there are any, a client must offer one. */
  readonly protocols: ReadonlyArray<string>
  /** From which origins browsers are let in, by where the server listens. */
  readonly origins: (place: Place) => Origin.Policy
}

export const plan = <In, Out, R>(
  role: Role<In, Out>,
  options: ServerOptions<any, R>,
  protocols: ReadonlyArray<string>
): Plan<In, Out, R> => ({ role, options, protocols, origins: policyOf(options) })

/** What came of it. */
export interface Answered<P, In, Out> {
  readonly plan: P
  readonly upgrade: ServerHandshake.Upgrade
  readonly connection: Connection<In, Out, WebSocket | Negotiated>
}

type Step<A> = Result.Result<A, ServerHandshake.Refused>

const refuse = (desk: Desk, refused: ServerHandshake.Refused): Effect.Effect<never, ConnectError> =>
  Effect.andThen(desk.refuse(refused), fail(refused.reason))

/**
 * Runs the handshake; `find` says what to make of a request that keeps the rules. Between reading the request and sending the answer it
 * waits for nothing but what the options ask for.
 */
export const answer = <In, Out, R, P extends Plan<In, Out, R>>(
  desk: Desk,
  limits: Limits,
  find: (upgrade: ServerHandshake.Upgrade) => Step<P>
): Effect.Effect<Answered<P, In, Out>, ConnectError, R | Scope.Scope> =>
  Effect.onInterrupt(
    Effect.flatMap(Clock.monotonicTimeNanos, (started) => answering(desk, limits, find, started)),
    () => {
      const away = turnedAway(desk.lower)
      return away === undefined ? Effect.void : Effect.ignore(refuse(desk, unavailable(away)))
    }
  )

const answering = <In, Out, R, P extends Plan<In, Out, R>>(
  desk: Desk,
  limits: Limits,
  find: (upgrade: ServerHandshake.Upgrade) => Step<P>,
  started: bigint
): Effect.Effect<Answered<P, In, Out>, ConnectError, R | Scope.Scope> =>
  Effect.flatMap(desk.read(limits), ({ found, rest }) => {
    if (found === undefined) return fail(new Closed())
    if (Result.isFailure(found)) return refuse(desk, found.failure)
    const away = turnedAway(desk.lower)
    if (away !== undefined) return refuse(desk, unavailable(away))
    const { fields, head, leftover } = found.success
    const judged = Result.flatMap(
      ServerHandshake.judge(head),
      (upgrade) =>
        Result.flatMap(
          find(upgrade),
          (plan) => Result.map(ServerHandshake.admit(upgrade, plan.origins(desk.place)), () => ({ plan, upgrade }))
        )
    )
    if (Result.isFailure(judged)) return refuse(desk, judged.failure)
    const { plan, upgrade } = judged.success
    const reply = (
      protocol: string | undefined,
      headers: Headers | undefined,
      offered: ReadonlyArray<Extension.Extension>
    ): Effect.Effect<Answered<P, In, Out>, ConnectError, Scope.Scope> => {
      const extensions = Extension.answer(offered, upgrade.extensions)
      if (Result.isFailure(extensions)) {
        const { rule, section = "" } = extensions.failure
        return refuse(desk, ServerHandshake.refuse(400, new UpgradeMalformed({ rule, section })))
      }
      const { agreed, header } = extensions.success
      const response = ServerHandshake.accept(upgrade, { protocol, extensions: header, headers })
      if (Result.isFailure(response)) return refuse(desk, response.failure)
      const away = turnedAway(desk.lower)
      if (away !== undefined) return refuse(desk, unavailable(away))
      letIn(desk.lower)
      const { path, query } = upgrade
      const facts = { protocol, fields, path, query, extensions: agreed }
      return Effect.flatMap(
        desk.accept(response.success),
        (accepted) => {
          if (plan.options.trace === true) continueTrace(accepted.lower, upgrade.headers)
          return Effect.map(
            upgraded(accepted.lower, plan.role, facts, [leftover, ...rest, ...accepted.rest], started),
            (connection) => ({ plan, upgrade, connection })
          )
        }
      )
    }

    const { accept, extensions = [], headers } = plan.options
    const decided = (
      decision: Pick<ServerHandshake.Decision, "protocol" | "headers"> | void
    ): Effect.Effect<Answered<P, In, Out>, ConnectError, R | Scope.Scope> => {
      const protocol = chosen(upgrade, plan.protocols, decision?.protocol)
      if (Result.isFailure(protocol)) return refuse(desk, protocol.failure)
      const further = decision?.headers === undefined ? headers : [...headers ?? [], ...decision.headers]
      return extensions.length === 0 || upgrade.extensions.length === 0
        ? reply(protocol.success, further, [])
        : Effect.flatMap(Effect.all(extensions), (offered) => reply(protocol.success, further, offered))
    }

    return accept === undefined ? decided(undefined) : Effect.flatMap(
      Effect.catch(
        Effect.tapDefect(
          Effect.suspend(() => accept({ ...upgrade, details: desk.lower.details })),
          (cause) => Effect.ignore(desk.refuse(broken(new Other({ cause }))))
        ),
        (refusal) => refuse(desk, ServerHandshake.decline(upgrade, refusal))
      ),
      decided
    )
  })

/** One that is said twice is as good as none. */
const continueTrace = (lower: Lower, headers: Headers): void => {
  const [traceparent, ...more] = values(headers, TraceContext.name)
  if (traceparent !== undefined && more.length === 0) TraceContext.continued(lower, traceparent)
}

/** Our listener drains: that is no incident, and its clients are to come again. */
const unavailable = (away: Duration.Duration): ServerHandshake.Refused => {
  const seconds = Math.max(1, Math.ceil(Duration.toSeconds(away)))
  const headers: Headers = Number.isFinite(seconds) ? [["Retry-After", String(seconds)]] : []
  return ServerHandshake.refuse(503, new Closing(), headers, "Service Unavailable\n")
}

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

/** The policy for origins, made once for each place. */
const policyOf = ({ authorities, origins }: ServerOptions<any, any>): Plan<any, any, any>["origins"] => {
  if (origins !== undefined) return () => origins
  const own = new WeakMap<Place, Origin.Policy>()
  return (place) => {
    let policy = own.get(place)
    if (policy === undefined) {
      const known = authorities ?? (place._tag === "Tcp" ? Origin.authoritiesOf(place.host, place.port) : [])
      own.set(place, policy = Origin.sameOrigin({ authorities: known }))
    }
    return policy
  }
}

export const below = (ask: Ask): Ask => ({ ...met(ask, "websocket"), offers: ["http/1.1"], turnsAway: true })

/** The server of one resource, or of any. */
export const server = <In, Out, R>(role: Role<In, Out>, options: ServerOptions<any, R>) => {
  const bounds = limits(options.maxHeadSize)
  const any = plan(role, options, [])
  return {
    below: (ask: Ask): Ask => ({ ...below(ask), turnsAway: options.skipHandshake !== true }),
    server: (lower: Lower, ask: Ask) => {
      if (options.skipHandshake === true) {
        const facts = { protocol: ask.offers.at(0), fields: "", path: "/", query: "", extensions: [] }
        return Effect.flatMap(Clock.monotonicTimeNanos, (started) => upgraded(lower, role, facts, [], started))
      }
      const plan = Result.succeed({ ...any, protocols: ask.offers })
      const find = (upgrade: ServerHandshake.Upgrade): Step<Plan<In, Out, R>> =>
        options.path === undefined || options.path === upgrade.path
          ? plan
          : Result.fail(ServerHandshake.missing(upgrade))
      return Effect.map(
        answer<In, Out, R, Plan<In, Out, R>>(own(lower, ask.endpoint.place), bounds, find),
        ({ connection }) => connection
      )
    }
  }
}
