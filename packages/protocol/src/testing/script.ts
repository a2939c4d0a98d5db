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
import { runScoped } from "../Listener.ts"
import type { ListenError } from "../ListenError.ts"
import type { At, Connect, Listen, Message, Shape } from "../Transport.ts"
import * as Transport from "../Transport.ts"
import { concat } from "./machineSuite.ts"
import { bytesOf, shown } from "./shown.ts"

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
  /** Cuts the connection. */
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

/** What has come and was not compared yet, and what has become of the input. */
class Inbox {
  private readonly connection: Connection<Message, Message>
  private readonly boundaries: boolean
  private readonly messages: Array<Uint8Array> = []
  over: string | undefined = undefined

  constructor(connection: Connection<Message, Message>, boundaries: boolean) {
    this.connection = connection
    this.boundaries = boundaries
  }

  /** What is there of a message, or of so many bytes. */
  next(size: number): Uint8Array | undefined {
    if (this.messages.length > 1 && !this.boundaries) {
      this.messages.splice(0, Infinity, concat(this.messages))
    }
    const first = this.messages[0]
    return this.boundaries ? first : first?.subarray(0, size)
  }

  /** Takes that. */
  take(size: number): void {
    const first = this.messages.shift()
    if (!this.boundaries && first !== undefined && first.length > size) this.messages.unshift(first.subarray(size))
  }

  /** Waits for more. */
  readonly more: Effect.Effect<void> = Effect.suspend(() =>
    Effect.matchEager(this.connection.pull, {
      onSuccess: (batch) => {
        for (const message of batch) this.messages.push(bytesOf(message))
      },
      onFailure: (error) => {
        this.over = Cause.isDone(error) ? "the end" : `the end: ${error.message}`
      }
    })
  )
}

/** Where two differ; undefined if they don't as far as both go. */
const differ = (one: Uint8Array, other: Uint8Array): number | undefined => {
  const at = one.subarray(0, other.length).findIndex((byte, at) => byte !== other[at])
  return at < 0 ? undefined : at
}

/** Plays a script on a connection, once. */
export const play = (
  connection: Connection<Message, Message>,
  steps: ReadonlyArray<Step>,
  { boundaries, within = "5 seconds" }: Options
): Effect.Effect<void, ScriptMismatch | ConnectionError> =>
  Effect.gen(function*() {
    const inbox = new Inbox(connection, boundaries)
    const limit = Duration.toMillis(within)
    const nothing = `nothing more within ${limit} ms`

    /** Waits until there is something, an end, or nothing within the time, of which it tells. */
    const awaited = (missing: string) =>
      Effect.timeoutOrElse(Effect.as(inbox.more, undefined), {
        duration: limit,
        orElse: () => Effect.succeed(missing)
      })

    for (const [step, todo] of steps.entries()) {
      const mismatch = (position: number, expected: string, received: string) =>
        new ScriptMismatch({ step, position, expected, received })
      switch (todo._tag) {
        case "Send":
          yield* connection.send(boundaries ? todo.message : bytesOf(todo.message))
          break
        case "Wait":
          yield* Effect.sleep(todo.duration)
          break
        case "End":
          yield* connection.end
          break
        case "Cut":
          yield* connection.abort
          return
        case "ExpectEnd":
          while (inbox.over === undefined) {
            const late = yield* awaited(nothing)
            const more = inbox.next(Infinity)
            if (more !== undefined) return yield* mismatch(0, "the end", shown(more))
            if (late !== undefined) return yield* mismatch(0, "the end", late)
          }
          if (inbox.over !== "the end") return yield* mismatch(0, "the end", inbox.over)
          break
        case "Expect":
        case "ExpectAny": {
          const wanted = todo._tag === "Expect" ? bytesOf(todo.message) : undefined
          const size = wanted?.length ?? (todo as { readonly size: number }).size
          const expected = wanted === undefined ? `${size} bytes` : shown(wanted)
          for (;;) {
            const came = inbox.next(size)
            const at = came === undefined || wanted === undefined ? undefined : differ(came, wanted)
            if (came !== undefined && at !== undefined) return yield* mismatch(at, expected, shown(came, at))
            const have = came?.length ?? 0
            if (came !== undefined && boundaries && have !== size) {
              return yield* mismatch(Math.min(have, size), expected, shown(came))
            }
            if (have === size && (came !== undefined || !boundaries)) break
            const received = inbox.over ?? (yield* awaited(nothing))
            if (received !== undefined) {
              return yield* mismatch(have, expected, came === undefined ? received : `${shown(came)}, then ${received}`)
            }
          }
          inbox.take(size)
        }
      }
    }
    const rest = inbox.next(Infinity)
    if (rest !== undefined) {
      return yield* new ScriptMismatch({
        step: steps.length,
        position: 0,
        expected: "nothing more",
        received: shown(rest)
      })
    }
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
