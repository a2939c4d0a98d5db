/**
 * A recorded peer: it says what it has said when it was recorded, and checks what the other says against what was said to it then.
 *
 *     const transcript = Transcript.ofRecording(yield* Recording.parse(text))
 *     yield* Replay.client(Transport.Bytes)(address, transcript)             // plays the client against a server
 *     const { address, played } = yield* Replay.server(Transport.Bytes)("memory:chat", transcript, { pace: "recorded" })
 *
 * The contract is that of a `Script`; with `pace: "recorded"` it says everything when it was said, by the clock of the test. What is not as it
 * was is a `ReplayMismatch`.
 */

import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "../ConnectError.ts"
import type { ConnectionError } from "../ConnectionError.ts"
import type * as Endpoint from "../Endpoint.ts"
import type { ListenError } from "../ListenError.ts"
import type { At, Connect, Listen, Shape } from "../Transport.ts"
import * as Script from "./script.ts"
import * as Transcript from "./transcript.ts"

/** What came is not what was recorded. */
export class ReplayMismatch extends Data.TaggedError("ReplayMismatch")<{
  /** Which entry of the transcript, from 0; their number if more came than was recorded. */
  readonly entry: number
  /** When it was recorded, in milliseconds since its connection began; undefined beyond the last. */
  readonly at: number | undefined
  /** The first byte of the entry that is not there, or differs. */
  readonly offset: number
  readonly expected: string
  readonly received: string
}> {
  override get message(): string {
    const when = this.at === undefined ? "" : ` (recorded at ${this.at} ms)`
    return `entry ${this.entry}${when}, byte ${this.offset}:\n  expected ${this.expected}\n  received ${this.received}`
  }
}

/** How a transcript is replayed. */
export interface Options extends Transcript.ReplayOptions, Omit<Script.Options, "boundaries"> {}

/** A mismatch of a script, as that of the entry that the step stands for. */
const located = (transcript: Transcript.Transcript, turns: ReadonlyArray<Transcript.Turn>) =>
<E>(
  error: Script.ScriptMismatch | E
): ReplayMismatch | E => {
  if (!(error instanceof Script.ScriptMismatch)) return error
  const { expected, position, received, step } = error
  const entry = turns[step]?.entry ?? transcript.entries.length
  return new ReplayMismatch({ entry, at: transcript.entries[entry]?.at, offset: position, expected, received })
}

/** Connects, and plays the recorded client. Throws a `RangeError` for a transcript that is not whole. */
export const client = <S>(shape: Shape<S, any, any>) =>
(
  endpoint: Endpoint.Inputs,
  transcript: Transcript.Transcript,
  options?: Options
): Effect.Effect<void, ReplayMismatch | ConnectionError | ConnectError, At<S, Connect>> => {
  const turns = Transcript.turns(transcript, "client", options)
  return Effect.mapError(
    Script.client(shape)(endpoint, turns.map(({ step }) => step), options),
    located(transcript, turns)
  )
}

/** What has become of a recorded server, and where it is. */
export interface Replayed {
  readonly address: Endpoint.Endpoint
  /** Succeeds when all of it was played; fails with the first mismatch of the first connection. */
  readonly played: Effect.Effect<void, ReplayMismatch | ConnectionError>
}

/** Listens, and plays the recorded server for the first connection, for as long as the scope is open; throws as `client` does. */
export const server = <S>(shape: Shape<S, any, any>) =>
(
  endpoint: Endpoint.Input,
  transcript: Transcript.Transcript,
  options?: Options
): Effect.Effect<Replayed, ListenError, Scope.Scope | At<S, Listen>> => {
  const turns = Transcript.turns(transcript, "server", options)
  return Effect.map(
    Script.server(shape)(endpoint, turns.map(({ step }) => step), options),
    ({ address, played }) => ({ address, played: Effect.mapError(played, located(transcript, turns)) })
  )
}
