/**
 * What taps have seen, kept in memory or written down, and read again.
 *
 *     const recording = Recording.make({ maxSize: 1_048_576 })
 *     const stack = ...Tap.over(Transport.Bytes)({ to: [recording.sink] })
 *     ...
 *     const text = Recording.format(recording.events)           // to be kept in a file
 *     const events = yield* Recording.parse(text)
 *
 * In a file each event is a line of JSON, behind one that says what it is: `{"recording":1}`. Bytes are in Base64. To write while it is
 * recorded, there is `stream`, and `toLines` of it.
 *
 * The contract:
 *
 * - Of each message its beginning is kept, 4 KiB by default, with how large it was.
 * - It is bounded: 1 MiB by default, for all taps it is the sink of together. Beyond that the oldest events go, and are counted in a `Dropped`
 *   event at the beginning; that a connection was `Opened` is kept as long as it is open, for which there is half of the room.
 * - A slow reader of `stream` holds nothing up: what there is no room for is counted where it is missing; that
 *   a connection was `Opened` comes before what there is room for next.
 * - Throws a `RangeError` if a size is less than 0, or no number.
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { atLeast } from "../internal/atLeast.ts"
import { Backlog } from "../internal/tap/Backlog.ts"
import { Ring } from "../internal/tap/Ring.ts"
import { ending, Event, opened } from "./Event.ts"
import * as Payload from "./Payload.ts"
import type { Sink } from "./Tap.ts"

/** How much is kept. */
export interface Options {
  /** Bytes of all events together; 1 MiB by default. */
  readonly maxSize?: number
  /** Bytes, or characters of a text or value, of each message; 4,096 by default. */
  readonly keep?: number
}

/** What is kept in memory. */
export interface Recording {
  readonly sink: Sink
  /** Keeps one more event, wherever it comes from. */
  readonly add: (event: Event) => void
  /** What is there now, in the order in which it happened. */
  readonly events: ReadonlyArray<Event>
}

/** What is no recording. */
export class RecordingInvalid extends Data.TaggedError("RecordingInvalid")<{
  /** The line, from 1. */
  readonly line: number
  readonly detail: string
}> {
  override get message(): string {
    return `line ${this.line} is none of a recording: ${this.detail}`
  }
}

/** The sink that tells events. */
export const sinkOf = (tell: (event: Event) => void, keep = 4_096): Sink => {
  atLeast(0, "keep", keep)
  return (subject) => {
    const { kind, tap } = subject
    const offsets = { sent: 0, received: 0 }
    tell(opened(subject))
    return {
      passed: (way, message, at) => {
        const { payload, size } = Payload.of(kind, message, keep)
        tell({ _tag: "Passed", tap, at, way, payload, size, offset: offsets[way] })
        offsets[way] += size
      },
      ended: (way, how, at) => tell({ _tag: "Ended", tap, at, way, how }),
      closed: (outcome, at) => tell({ _tag: "Closed", tap, at, outcome: ending(outcome) })
    }
  }
}

/**
 * A recording in memory.
 *
 * @category constructors
 */
export const make = ({ keep, maxSize = 1_048_576 }: Options = {}): Recording => {
  const ring = new Ring(atLeast(0, "maxSize", maxSize))
  const add = (event: Event): void => ring.add(event)
  return {
    sink: sinkOf(add, keep),
    add,
    get events() {
      return ring.events
    }
  }
}

/** The events of one connection. */
export const connection = (events: ReadonlyArray<Event>, id: number): ReadonlyArray<Event> => {
  const taps = new Set(events.flatMap((event) => event._tag === "Opened" && event.id === id ? [event.tap] : []))
  return events.filter((event) => event._tag === "Dropped" || taps.has(event.tap))
}

/** What is recorded as it happens, for who reads on; the scope ends it. */
export interface Live {
  readonly sink: Sink
  readonly events: Stream.Stream<Event>
}

/**
 * Records into a stream, read once, for which 1 MiB waits at most: what comes beyond that is counted as `Dropped`, in its place.
 *
 * @category constructors
 */
export const stream = ({ keep, maxSize = 1_048_576 }: Options = {}): Effect.Effect<Live, never, Scope.Scope> =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<Event, Cause.Done>()
    const backlog = new Backlog(queue, atLeast(0, "maxSize", maxSize))
    yield* Effect.addFinalizer(() => Effect.sync(() => backlog.end()))
    return {
      sink: sinkOf((event) => backlog.add(event), keep),
      events: Stream.map(Stream.fromQueue(queue), (event) => backlog.taken(event))
    }
  })

/** The form of a file. */
const version = 1
const head = `{"recording":${version}}\n`

const json = Schema.fromJsonString(Event)
const encode = Schema.encodeSync(json)
const decode = Schema.decodeUnknownResult(json, { onExcessProperty: "error" })

const lineOf = (event: Event): string => `${encode(event)}\n`

/** Events as the text of a file. */
export const format = (events: ReadonlyArray<Event>): string => head + events.map(lineOf).join("")

/** Events as the lines of a file, as they come. */
export const toLines = <E, R>(events: Stream.Stream<Event, E, R>): Stream.Stream<string, E, R> =>
  Stream.concat(Stream.succeed(head), Stream.map(events, lineOf))

/** What a line says: nothing if it is empty, or the first. */
const read = (text: string, line: number): Result.Result<ReadonlyArray<Event>, RecordingInvalid> => {
  const invalid = (detail: string) => Result.fail(new RecordingInvalid({ line, detail }))
  if (line === 1) return text === head.trim() ? Result.succeed([]) : invalid(`it begins with ${head.trim()}`)
  if (text.trim() === "") return Result.succeed([])
  return Result.mapBoth(decode(text), {
    onSuccess: (event) => [event],
    onFailure: ({ message }) => new RecordingInvalid({ line, detail: message })
  })
}

/** The events of the text of a file. */
export const parse = (text: string): Effect.Effect<ReadonlyArray<Event>, RecordingInvalid> =>
  Effect.map(
    Effect.forEach(text.split("\n"), (line, at) => Effect.fromResult(read(line.replace(/\r$/, ""), at + 1))),
    (events) => events.flat()
  )

/** The same of its lines, as they come. */
export const fromLines = <E, R>(lines: Stream.Stream<string, E, R>): Stream.Stream<Event, E | RecordingInvalid, R> =>
  lines.pipe(
    Stream.zipWithIndex,
    Stream.mapEffect(([line, at]) => Effect.fromResult(read(line, at + 1))),
    Stream.flattenIterable
  )
