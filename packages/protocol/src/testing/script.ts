/**
 * A peer that follows a script: it says this, expects that, waits, ends or cuts, against either role of what is tested.
 *
 *     const greeting = [expect("HELO\r\n"), send("250 hello\r\n"), expectEnd]
 *     yield* server(Transport.Bytes)("memory:mail", greeting)      // plays the server for one connection
 *     yield* client(Transport.Bytes)(address, [...])               // plays the client
 *
 * The contract:
 *
 * - In bytes what is expected is compared however it was cut; messages are compared one by one. Text and its UTF-8 are the same.
 * - It fails with a `ScriptMismatch` at the first byte that differs, which says where, what was expected and what came; also if
 *   nothing comes, if the peer ends, and if there is more than expected when the script is over.
 * - When it has failed, the connection is closed by its scope, so that whoever is tested goes on.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "../ConnectError.ts"
import type { Connection } from "../Connection.ts"
import type { ConnectionError } from "../ConnectionError.ts"
import type * as Endpoint from "../Endpoint.ts"
import { bytesOf, shown } from "../internal/shown.ts"
import { runScoped } from "../Listener.ts"
import type { ListenError } from "../ListenError.ts"
import type { At, Connect, Listen, Message, Shape } from "../Transport.ts"
import * as Transport from "../Transport.ts"
import { concat } from "./machineSuite.ts"

/** What the peer does next. */
export type Step = Data.TaggedEnum<{
  /** Says something. */
  Send: { readonly message: Message }
  /** Expects just this. */
  Expect: { readonly message: Message }
  /** Expects so many bytes, or one message of that size, whatever they are. */
  ExpectAny: { readonly size: number }
  /** Expects that the other sends nothing more. */
  ExpectEnd: {}
  /** Lets time pass, by the clock of the test. */
  Wait: { readonly duration: Duration.Input }
  /** Ends its output while input goes on. */
  End: {}
  /** Cuts the connection, whatever has come: the script is over. */
  Cut: {}
}>

const { Cut, End, Expect, ExpectAny, ExpectEnd, Send, Wait } = Data.taggedEnum<Step>()

/** A step for each of these; see `Step`. */
export const send = (message: Message): Step => Send({ message })
export const expect = (message: Message): Step => Expect({ message })
export const expectAny = (size: number): Step => ExpectAny({ size })
export const wait = (duration: Duration.Input): Step => Wait({ duration })
export const expectEnd: Step = ExpectEnd()
export const end: Step = End()
export const cut: Step = Cut()

/** What came is not what the script expects. */
export class ScriptMismatch extends Data.TaggedError("ScriptMismatch")<{
  /** Which step, from 0. */
  readonly step: number
  /** The first byte of what the step expects that is not there, or differs. */
  readonly position: number
  readonly expected: string
  readonly received: string
}> {
  override get message(): string {
    return `step ${this.step}, byte ${this.position}:\n  expected ${this.expected}\n  received ${this.received}`
  }
}

/** How a script is played. */
export interface Options {
  /** How long to wait for what is expected; 5 seconds by default, of the clock of the test. */
  readonly within?: Duration.Input
  /** Whether messages keep their boundaries, and are compared one by one. */
  readonly boundaries: boolean
}

const theEnd = "the end"

/** Where what came differs from what is expected. */
interface Difference {
  readonly position: number
  readonly expected: string
  readonly received: string
}

/** What has come and was not compared yet. */
class Inbox {
  private readonly connection: Connection<Message, Message>
  private readonly boundaries: boolean
  private readonly limit: number
  private readonly messages: Array<Uint8Array> = []
  /** What there is instead of more. */
  private missing: string | undefined = undefined

  constructor(connection: Connection<Message, Message>, { boundaries, within = "5 seconds" }: Options) {
    this.connection = connection
    this.boundaries = boundaries
    this.limit = Duration.toMillis(within)
  }

  /** Takes a message, or so many bytes, that are as `wanted`, or anything. */
  expect(size: number, wanted?: Uint8Array): Effect.Effect<Difference | "taken"> {
    const expected = wanted === undefined ? `${size} bytes` : shown(wanted)
    return this.judge((missing) => {
      const came = this.next(size)
      if (came === undefined) {
        if (size === 0 && !this.boundaries) return "taken"
        return missing === undefined ? undefined : { position: 0, expected, received: missing }
      }
      const position = wanted === undefined ? -1 : came.findIndex((byte, at) => at < size && byte !== wanted[at])
      if (position >= 0) return { position, expected, received: shown(came, position) }
      if (came.length === size) return this.take(size)
      if (this.boundaries) return { position: Math.min(came.length, size), expected, received: shown(came) }
      return missing === undefined
        ? undefined
        : { position: came.length, expected, received: `${shown(came)}, then ${missing}` }
    })
  }

  /** Waits for the end. */
  readonly expectEnd: Effect.Effect<Difference | "taken"> = Effect.suspend(() =>
    this.judge((missing) => {
      const more = this.next(Infinity)
      if (more !== undefined) return { position: 0, expected: theEnd, received: shown(more) }
      if (missing === undefined || missing === theEnd) return missing && "taken"
      return { position: 0, expected: theEnd, received: missing }
    })
  )

  /** What has come by now and was not expected. */
  readonly rest: Effect.Effect<Difference | "taken"> = Effect.suspend(() => {
    const arrived = this.missing === undefined ? Effect.raceFirst(this.more, Effect.yieldNow) : Effect.void
    return Effect.map(arrived, () => {
      const more = this.next(Infinity)
      return more === undefined ? "taken" : { position: 0, expected: "nothing more", received: shown(more) }
    })
  })

  /** Reads on until it is clear what to make of what is there. */
  private judge<A>(look: (missing: string | undefined) => A | undefined): Effect.Effect<A> {
    return Effect.suspend(() => {
      const verdict = look(this.missing)
      return verdict === undefined ? Effect.flatMap(this.more, () => this.judge(look)) : Effect.succeed(verdict)
    })
  }

  private readonly more: Effect.Effect<void> = Effect.suspend(() =>
    Effect.timeoutOrElse(
      Effect.match(this.connection.pull, {
        onSuccess: (batch) => {
          for (const message of batch) {
            if (this.boundaries || message.length > 0) this.messages.push(bytesOf(message))
          }
        },
        onFailure: (error) => {
          this.missing = Cause.isDone(error) ? theEnd : `${theEnd}: ${error.message}`
        }
      }),
      {
        duration: this.limit,
        orElse: () =>
          Effect.sync(() => {
            this.missing = `nothing more within ${this.limit} ms`
          })
      }
    )
  )

  /** What is there of a message, or of so many bytes. */
  private next(size: number): Uint8Array | undefined {
    if (this.messages.length > 1 && !this.boundaries) this.messages.splice(0, Infinity, concat(this.messages))
    const first = this.messages[0]
    return this.boundaries ? first : first?.subarray(0, size)
  }

  private take(size: number): "taken" {
    const first = this.messages.shift()!
    if (!this.boundaries && first.length > size) this.messages.unshift(first.subarray(size))
    return "taken"
  }
}

const taken: Effect.Effect<"taken"> = Effect.succeed("taken")

/** Does what a step says. */
const follow = (
  todo: Step,
  connection: Connection<Message, Message>,
  inbox: Inbox,
  { boundaries }: Options
): Effect.Effect<Difference | "taken", ConnectionError> => {
  switch (todo._tag) {
    case "Send":
      return Effect.andThen(connection.send(boundaries ? todo.message : bytesOf(todo.message)), taken)
    case "Expect": {
      const wanted = bytesOf(todo.message)
      return inbox.expect(wanted.length, wanted)
    }
    case "ExpectAny":
      return inbox.expect(todo.size)
    case "ExpectEnd":
      return inbox.expectEnd
    case "Wait":
      return Effect.andThen(Effect.sleep(todo.duration), taken)
    case "End":
      return Effect.andThen(connection.end, taken)
    case "Cut":
      return Effect.andThen(connection.abort, taken)
  }
}

/** Plays a script on a connection, once. */
export const play = (
  connection: Connection<Message, Message>,
  steps: ReadonlyArray<Step>,
  options: Options
): Effect.Effect<void, ScriptMismatch | ConnectionError> =>
  Effect.gen(function*() {
    const inbox = new Inbox(connection, options)
    for (const [step, todo] of steps.entries()) {
      const outcome = yield* follow(todo, connection, inbox, options)
      if (outcome !== "taken") return yield* new ScriptMismatch({ step, ...outcome })
      if (todo._tag === "Cut") return
    }
    const rest = yield* inbox.rest
    if (rest !== "taken") return yield* new ScriptMismatch({ step: steps.length, ...rest })
  })

/** Whether messages of a shape keep their boundaries: those of bytes do not. */
const optionsOf = (shape: Shape<any, any, any>, options?: Omit<Options, "boundaries">): Options => ({
  ...options,
  boundaries: shape.key.key !== Transport.Bytes.key.key
})

/** A shape whose messages are text or bytes. */
type Spoken<S> = Shape<S, any, any>

/** Connects, and plays the client. */
export const client = <S>(shape: Spoken<S>) =>
(
  endpoint: Endpoint.Inputs,
  steps: ReadonlyArray<Step>,
  options?: Omit<Options, "boundaries">
): Effect.Effect<void, ScriptMismatch | ConnectionError | ConnectError, At<S, Connect>> =>
  Effect.scoped(
    Effect.flatMap(
      Transport.connect(shape)(endpoint),
      (connection) => play(connection, steps, optionsOf(shape, options))
    )
  )

/** What has become of a server with a script, and where it is. */
export interface Scripted {
  readonly address: Endpoint.Endpoint
  /** Succeeds when the script was played to its end; fails with the first mismatch of the first connection. */
  readonly played: Effect.Effect<void, ScriptMismatch | ConnectionError>
}

/** Listens, and plays the server for the first connection, for as long as the scope is open. */
export const server = <S>(shape: Spoken<S>) =>
(
  endpoint: Endpoint.Input,
  steps: ReadonlyArray<Step>,
  options?: Omit<Options, "boundaries">
): Effect.Effect<Scripted, ListenError, Scope.Scope | At<S, Listen>> =>
  Effect.gen(function*() {
    const listener = yield* Transport.listen(shape)(endpoint)
    const played = yield* Deferred.make<void, ScriptMismatch | ConnectionError>()
    yield* runScoped(
      listener.run((connection) => Deferred.into(play(connection, steps, optionsOf(shape, options)), played))
    )
    return { address: listener.address, played: Deferred.await(played) }
  })
