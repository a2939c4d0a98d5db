/** `wirestack listen`. */
import { type Batch, detailOption, messages } from "@wirestack/protocol/Connection"
import * as Policy from "@wirestack/protocol/fanout/Policy"
import { Topic } from "@wirestack/protocol/fanout/Topic"
import type { Message } from "@wirestack/protocol/Transport"
import { TcpInfo } from "@wirestack/transport-tcp/TcpInfo"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Misused } from "../Misused.ts"
import * as Stack from "../Stack.ts"
import * as asked from "./asked.ts"
import { complaint } from "./complaint.ts"
import { converse } from "./converse.ts"
import type { Operator, OutputUnusable } from "./Operator.ts"
import { operatorOf } from "./operatorOf.ts"
import { limits, serving } from "./serving.ts"

const nameOf = (connection: Stack.Top): string =>
  Option.match(detailOption(connection, TcpInfo), {
    onNone: () => "a peer",
    onSome: ({ remote: { host, port } }) => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
  })

/** Says who comes, and who goes, and why if that is not in order. */
const announced = <E extends Error, R>(
  { note }: Operator,
  name: string,
  conversation: Effect.Effect<void, E, R>
): Effect.Effect<void, E, R> =>
  note(`+ ${name}`).pipe(
    Effect.andThen(conversation),
    Effect.tapError(({ message }) => note(`- ${name}: ${message}`)),
    Effect.tap(note(`- ${name}`))
  )

/** What is sent goes to whoever is there, and waits until somebody is. */
class Audience {
  readonly topic = new Topic<Message>()
  private readonly somebody = Latch.makeUnsafe(false)
  private readonly operator: Operator
  private readonly policy: Policy.Policy<Message>
  private members = 0

  constructor(operator: Operator, policy: Policy.Policy<Message>) {
    this.operator = operator
    this.policy = policy
  }

  /** One of the audience, until the scope closes. */
  join(connection: Stack.Top) {
    const enter = Effect.sync(() => {
      this.members++
      this.somebody.openUnsafe()
    })
    const leave = Effect.sync(() => {
      if (--this.members === 0) this.somebody.closeUnsafe()
    })
    return Effect.andThen(this.topic.join(connection, this.policy), Effect.acquireRelease(enter, () => leave))
  }

  /** Sends all of the input; a person is told when there is nobody, and what can't be sent. */
  get addressed() {
    const { note, input, isPerson } = this.operator
    return Stream.runForEach(input, (message) => {
      if (isPerson && this.members === 0) return note("nobody is here")
      const published = this.somebody.whenOpen(this.topic.publish(message))
      return isPerson ? Effect.catch(published, (error) => note(error.message)) : published
    })
  }
}

/** One peer at a time while the others wait, or as many as there may be. */
const atOnce = (input: asked.Listen) =>
  input.broadcast ? limits(input) : { maxConnections: 1, whenFull: "wait" as const }

export const listen = Effect.fnUntraced(function*(input: asked.Listen) {
  const { broadcast, count, once } = input
  if (broadcast && once) return yield* new Misused({ detail: "--once is for one peer, and --broadcast for many" })
  if (count !== undefined && !once) return yield* new Misused({ detail: "--count is for --once" })
  const { authority, options, url } = yield* asked.server(input)
  const operator = yield* operatorOf(yield* Effect.fromResult(asked.format(input, url)))
  const listener = yield* Stack.listen(url, { ...options, ...atOnce(input) })
  yield* serving(url, listener, authority)

  if (once) {
    const first = yield* Deferred.make<Stack.Top>()
    const over = yield* Deferred.make<void, Effect.Error<ReturnType<typeof converse>>>()
    const run = listener.run((connection) =>
      Effect.flatMap(Deferred.succeed(first, connection), (isFirst) =>
        isFirst
          ? announced(operator, nameOf(connection), converse(connection, operator, asked.ending(input, url))).pipe(
            Effect.onExit((exit) => Deferred.done(over, exit))
          )
          : Effect.void)
    )
    const ended = Effect.flatMap(
      Deferred.await(first),
      ({ closed }) => Effect.flatMap(closed, (outcome) => Effect.andThen(Deferred.await(over), complaint(outcome)))
    )
    return yield* Effect.raceFirst(run, ended)
  }

  const audience = new Audience(operator, broadcast ? Policy.close() : Policy.suspend())
  const unread = yield* Deferred.make<void, OutputUnusable>()
  const run = listener.run((connection) => {
    const name = nameOf(connection)
    const show = (batch: Batch<Message>) =>
      Effect.tapError(
        operator.show(batch, broadcast ? name : undefined),
        (error) => error._tag === "OutputClosed" ? Deferred.succeed(unread, undefined) : Deferred.fail(unread, error)
      )
    const heard = Stream.runForEachArray(messages(connection), show)
    return announced(operator, name, Effect.andThen(audience.join(connection), heard))
  })
  const addressed = Effect.andThen(audience.addressed, Deferred.await(unread))
  return yield* Effect.raceFirst(run, Effect.raceFirst(addressed, Deferred.await(unread)))
}, Effect.scoped)
