/**
 * What passed between two layers, written down, and played again.
 *
 *     const recorder = makeRecorder(Transport.Bytes)
 *     const stack = MemoryTransport.layer().pipe(recorder.over, LengthPrefixed.over())
 *     ...
 *     const text = format(recorder.transcripts[0])      // to be kept in a file
 *     const steps = replay(parse(text), "server")       // says what the server said, and expects what the client said
 *
 * In a file each entry is a line of JSON: when it was, in milliseconds since the connection began, who said it, and what. Text is a
 * string, as are bytes of a stream that are text; other bytes are in hex.
 *
 *     {"transcript":1,"boundaries":false}
 *     {"at":0,"client":"HELO\r\n"}
 *     {"at":1.5,"server":{"hex":"00 ff 10"}}
 *     {"at":2,"client":{"hidden":16}}
 *     {"at":9,"client":{"end":true}}
 *     {"omitted":2}
 *
 * The contract:
 *
 * - Nothing is changed on the way, and chunks stay as they are. What is written down is a copy.
 * - It is bounded: 1 MiB by default, for all connections of a recorder together. What comes beyond that passes, and is `omitted`; so
 *   are whole connections.
 * - What must not be kept is hidden: only its size in bytes is known; a replay expects anything of that size, and says zeros.
 */

import * as Schema from "effect/Schema"
import * as Utf8 from "../bytes/Utf8.ts"
import { bytesOf, hexOf, textOf } from "../internal/shown.ts"
import { sizeOf } from "../internal/sizeOf.ts"
import type { Over } from "../Protocol.ts"
import type { Event } from "../tap/Event.ts"
import * as Payload from "../tap/Payload.ts"
import * as Tap from "../tap/Tap.ts"
import { Bytes, type Message, type Shape } from "../Transport.ts"
import * as Script from "./script.ts"

/** Who said something. */
export type Side = "client" | "server"

/** What was said: a message or chunk, one that is hidden, or nothing more. */
export type Said = Message | { readonly hidden: number } | { readonly end: true }

export interface Entry {
  /** Milliseconds since the connection began. */
  readonly at: number
  readonly by: Side
  readonly said: Said
}

/** What passed on one connection. */
export interface Transcript {
  /** Whether messages keep their boundaries; those of bytes do not. */
  readonly boundaries: boolean
  readonly entries: ReadonlyArray<Entry>
  /** How many entries there was no room for. */
  readonly omitted: number
}

export interface Options {
  /** How many bytes are kept, of all connections together; 1 MiB by default. */
  readonly maxSize?: number
  /** What must not be kept, such as a password. A stream of bytes has no boundaries to find it by: record above a framer for that. */
  readonly hide?: (message: Message, by: Side) => boolean
}

/** A layer that writes down, and what it has written. */
export interface Recorder<S> {
  /** Puts the recorder on a stack, between any two layers of the shape. */
  readonly over: Over<S, never, S, never>
  /** A transcript for each connection so far, in the order in which they began. */
  readonly transcripts: ReadonlyArray<Transcript>
  /** How many connections there was no room for. */
  readonly omitted: number
}

/** How much a connection counts, and an entry beside what was said. */
const entrySize = 64

interface Draft extends Transcript {
  readonly entries: Array<Entry>
  omitted: number
}

/** A recorder for a shape of bytes or messages. */
export const makeRecorder = <S, M extends Message>(shape: Shape<S, M, M>, options: Options = {}): Recorder<S> => {
  const { hide, maxSize = 1_048_576 } = options
  const boundaries = shape.key.key !== Bytes.key.key
  const transcripts: Array<Draft> = []
  let omitted = 0
  let size = 0
  /** Whether there is room for an entry, which is then taken. */
  const taken = (said: number): boolean => {
    const fits = size + entrySize + said <= maxSize
    if (fits) size += entrySize + said
    return fits
  }
  const begin = (): Write => {
    if (!taken(0)) {
      omitted++
      return () => {}
    }
    const draft: Draft = { boundaries, entries: [], omitted: 0 }
    transcripts.push(draft)
    return (at, by, said) => {
      const kept = isMessage(said) && hide?.(said, by) === true ? { hidden: bytesIn(said) } : said
      if (draft.omitted > 0 || !taken(isMessage(kept) ? sizeOf(kept) : 0)) draft.omitted++
      else draft.entries.push({ at, by, said: kept instanceof Uint8Array ? new Uint8Array(kept) : kept })
    }
  }
  const sink: Tap.Sink = ({ role }) => {
    const write = begin()
    const by = speaker(role)
    return {
      passed: (way, message, at) => write(at, by(way), message as Message),
      ended: (way, _, at) => write(at, by(way), { end: true }),
      closed: () => {}
    }
  }
  return {
    over: Tap.over(shape)({ to: [sink], secrets: "show" }),
    transcripts,
    get omitted() {
      return omitted
    }
  }
}

/** Who says what goes a way, as seen from one side. */
const speaker = (us: Side) => (way: Tap.Way): Side => (way === "sent") === (us === "client") ? "client" : "server"

const bytesIn = (message: Message): number => typeof message === "string" ? Utf8.encode(message).length : message.length

const isMessage = (said: Said): said is Message => typeof said === "string" || said instanceof Uint8Array

const isEnd = (said: Said): boolean => !isMessage(said) && "end" in said

type Write = (at: number, by: Side, said: Said) => void

const Written = Schema.Union([
  Schema.String,
  Schema.Struct({ hex: Schema.String.check(Schema.isPattern(/^([0-9a-f]{2}( [0-9a-f]{2})*)?$/)) }),
  Schema.Struct({ hidden: Schema.Natural }),
  Schema.Struct({ end: Schema.Literal(true) })
])
const Line = Schema.fromJsonString(Schema.Union([
  Schema.Struct({ transcript: Schema.Literal(1), boundaries: Schema.Boolean }),
  Schema.Struct({ at: Schema.Finite, client: Written }),
  Schema.Struct({ at: Schema.Finite, server: Written }),
  Schema.Struct({ omitted: Schema.Natural })
]))
const decodeLine = Schema.decodeUnknownSync(Line, { onExcessProperty: "error" })

/** A transcript as lines of JSON. */
export const format = ({ boundaries, entries, omitted }: Transcript): string => {
  const written = (said: Said): typeof Written.Type => {
    if (!(said instanceof Uint8Array)) return said
    const text = boundaries ? undefined : textOf(said)
    return text ?? { hex: hexOf(said) }
  }
  return [
    { transcript: 1, boundaries },
    ...entries.map(({ at, by, said }) => ({ at, [by]: written(said) })),
    ...(omitted > 0 ? [{ omitted }] : [])
  ].map((line) => `${JSON.stringify(line)}\n`).join("")
}

/** A transcript from lines of JSON. Throws a `SyntaxError` that says which line is none. */
export const parse = (text: string): Transcript => {
  const entries: Array<Entry> = []
  let boundaries: boolean | undefined
  let omitted = 0
  const read = (said: typeof Written.Type): Said =>
    typeof said === "string"
      ? boundaries === true ? said : bytesOf(said)
      : "hex" in said
      ? Uint8Array.from(said.hex.split(" ").filter((byte) => byte !== ""), (byte) => Number.parseInt(byte, 16))
      : said
  for (const [at, json] of text.split("\n").entries()) {
    if (json.trim() === "") continue
    try {
      const line = decodeLine(json)
      if ("transcript" in line !== (boundaries === undefined)) {
        throw new Error("a transcript says first, and once, whether there are boundaries")
      }
      if ("transcript" in line) boundaries = line.boundaries
      else if ("omitted" in line) omitted += line.omitted
      else if ("client" in line) entries.push({ at: line.at, by: "client", said: read(line.client) })
      else entries.push({ at: line.at, by: "server", said: read(line.server) })
    } catch (cause) {
      throw new SyntaxError(`line ${at + 1} is none of a transcript: ${(cause as Error).message}`, { cause })
    }
  }
  if (boundaries === undefined) throw new SyntaxError("a transcript has a line that says whether there are boundaries")
  return { boundaries, entries, omitted }
}

/**
 * What a tap of bytes or messages has recorded (see `Recording`), its first tap or that of a number. Throws a `RangeError` if there is none, or
 * if something of it is missing. What was masked is no longer what it was: record with `secrets: "show"` what is to be replayed.
 */
export const ofRecording = (events: ReadonlyArray<Event>, tap?: number): Transcript => {
  const opened = events.find((event) => event._tag === "Opened" && (tap === undefined || event.tap === tap))
  if (opened?._tag !== "Opened") throw new RangeError("there is no such tap in the recording")
  const { kind, role } = opened
  if (kind !== "bytes" && kind !== "messages" && kind !== "datagrams") {
    throw new RangeError(`what was recorded is ${kind}, and a transcript is of bytes or messages`)
  }
  const by = speaker(role)
  const entries: Array<Entry> = []
  const passed = { sent: 0, received: 0 }
  for (const event of events.slice(events.indexOf(opened))) {
    if (event._tag === "Dropped") throw new RangeError(`the recording lacks ${event.events} events, maybe of this tap`)
    if (event.tap !== opened.tap) continue
    if (event._tag === "Closed") break
    if (event._tag === "Passed") {
      const { at, offset, payload, size, way } = event
      if (offset !== passed[way] || Payload.sizeOf(payload) !== size) {
        throw new RangeError(`the recording lacks something that was ${way} before ${at} ms`)
      }
      passed[way] += size
      entries.push({ at, by: by(way), said: "bytes" in payload ? payload.bytes : (payload as { text: string }).text })
    } else if (event._tag === "Ended") entries.push({ at: event.at, by: by(event.way), said: { end: true } })
  }
  return { boundaries: kind !== "bytes", entries, omitted: 0 }
}

/** What one side does in a replay, and which entry that is. */
export interface Turn {
  readonly entry: number
  readonly step: Script.Step
}

/** How a transcript is replayed. */
export interface ReplayOptions {
  /** Whether what is said waits until its time, counted from the entry before it, or is said as soon as it may be, the default. */
  readonly pace?: "recorded" | "fast"
}

/** The steps of a replay, each with its entry; see `replay`. */
export const turns = (
  { entries, omitted }: Transcript,
  side: Side,
  { pace = "fast" }: ReplayOptions = {}
): ReadonlyArray<Turn> => {
  if (omitted > 0) throw new RangeError(`${omitted} entries are missing in the transcript`)
  const closes = !entries.some(({ by, said }) => by === side && isEnd(said))
  const last = entries.length - 1
  return entries.flatMap(({ at, by, said }, entry): ReadonlyArray<Turn> => {
    if (by !== side) return closes && entry === last && isEnd(said) ? [] : [{ entry, step: expected(said) }]
    const step = saying(said, entry === last)
    const pause = pace === "fast" ? 0 : at - (entries[entry - 1]?.at ?? 0)
    return [...pause > 0 ? [{ entry, step: Script.wait(pause) }] : [], ...step === undefined ? [] : [{ entry, step }]]
  })
}

/**
 * A script that says what one side has said, and expects what the other has, for `Script.play`: in this order, whatever the times and
 * the chunks, unless `pace` says otherwise of the times. Who has ended nothing by itself closed the connection, and so does the end of the
 * script: the other side's end, which came of that, is not waited for. Throws a `RangeError` for a transcript that is not whole.
 */
export const replay = (transcript: Transcript, side: Side, options?: ReplayOptions): ReadonlyArray<Script.Step> =>
  turns(transcript, side, options).map(({ step }) => step)

/** What is said, if anything: the last word needs no half-close, as the script is over then, and so is the connection. */
const saying = (said: Said, isLast: boolean): Script.Step | undefined => {
  if (isMessage(said)) return Script.send(said)
  if ("hidden" in said) return Script.send(new Uint8Array(said.hidden))
  return isLast ? undefined : Script.end
}

const expected = (said: Said): Script.Step =>
  isMessage(said) ? Script.expect(said) : "hidden" in said ? Script.expectAny(said.hidden) : Script.expectEnd
