/**
 * What was said in all rooms, in order: in memory, or in a file as well, from which the next server of the same chat goes on.
 *
 * The file has a line of JSON for everything that was said. A line is written before anybody is told of it, so a server that is killed
 * has told nothing that the next one does not know; what it was killed in the middle of writing was told to nobody, and is dropped. It is
 * the system that keeps what was written, so a loss of power may take the last of it. One server writes to a file at a time. A file that
 * has anything else in it is left as it is (`Unreadable`).
 *
 * Bounds: 100 rooms with what `History` keeps of each. A file that has become twice as large as what is kept, and 1 MiB more, is
 * written anew.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { Entry, Name } from "./Chat.ts"
import { History, Receipt } from "./History.ts"

const maxRooms = 100
const slack = 1_048_576

/** What was said could not be kept, and so was not said. */
export class Unkept extends Data.TaggedError("Unkept")<{ readonly cause: unknown }> {
  override get message(): string {
    return `what was said could not be kept: ${String(this.cause)}`
  }
}

/** The file is no log of a chat, or was changed by somebody else. */
export class Unreadable extends Data.TaggedError("Unreadable")<{ readonly name: string; readonly line: number }> {
  override get message(): string {
    return `${this.name} is no log of a chat: its line ${this.line} can't be read`
  }
}

export interface Log {
  /** What was said in a room. */
  readonly history: (room: string) => History
  /** Adds to a room what was said last. It is kept, or it fails and nothing was said. Uninterruptible. */
  readonly add: (room: string, entry: Entry) => Effect.Effect<void, Unkept>
}

/** What rooms remember, as long as there are not too many. */
class Histories {
  private readonly rooms = new Map<string, History>()

  readonly of = (room: string): History => this.rooms.get(room) ?? new History()

  readonly hasPlaceFor = (room: string): boolean => this.rooms.has(room) || this.rooms.size < maxRooms

  add({ room, ...said }: Line): void {
    const history = this.of(room)
    if ("text" in said) history.add(said)
    else history.remember(said)
    this.rooms.set(room, history)
  }

  /** All of it, as the lines of a file. */
  get text(): string {
    let text = ""
    for (const [room, history] of this.rooms) for (const said of history) text += line({ room, ...said })
    return text
  }
}

const Line = Schema.Union([
  Schema.Struct({ room: Name, ...Entry.fields }),
  Schema.Struct({ room: Name, ...Receipt.fields })
])
type Line = typeof Line.Type

const line = (said: Line): string => `${JSON.stringify(said)}\n`

/** With what each line begins. */
const beginning = "{\"room\":"

/** Whether it may be the first part of a line. */
const isBegun = (text: string): boolean => text.startsWith(beginning) || beginning.startsWith(text)

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Line))

/** A log of which `write` keeps the lines. */
const logged = (histories: Histories, write: (line: string) => Effect.Effect<void, unknown>): Log => ({
  history: histories.of,
  add: (room, entry) =>
    Effect.suspend(() => {
      if (!histories.hasPlaceFor(room)) return Effect.fail(new Unkept({ cause: "there are too many rooms" }))
      return Effect.matchEffect(write(line({ room, ...entry })), {
        onFailure: (cause) => Effect.fail(new Unkept({ cause })),
        onSuccess: () => Effect.sync(() => histories.add({ room, ...entry }))
      })
    }).pipe(Effect.uninterruptible)
})

/** A log in memory. */
export const memory = (): Log => logged(new Histories(), () => Effect.void)

/** A log in a file as well, which is made if it is not there. */
export const file = Effect.fnUntraced(function*(name: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const histories = new Histories()
  yield* fs.makeDirectory(path.dirname(name), { recursive: true })
  const lines = (yield* fs.exists(name)) ? (yield* fs.readFileString(name)).split("\n") : [""]
  for (let at = 0; at < lines.length - 1; at++) {
    const said = decode(lines[at])
    if (Result.isFailure(said)) return yield* new Unreadable({ name, line: at + 1 })
    histories.add(said.success)
  }
  if (!isBegun(lines.at(-1)!)) return yield* new Unreadable({ name, line: lines.length })

  /** Infinite as long as there may be half a line at the end, behind which nothing can be written. */
  let size = Infinity
  let limit = 0
  /** Writes all that is kept into another file, which takes the place of this one. */
  const renew = Effect.gen(function*() {
    const { text } = histories
    const next = `${name}.next`
    yield* fs.writeFileString(next, text, { mode: 0o600 })
    yield* fs.rename(next, name)
    size = text.length
    limit = 2 * size + slack
  })
  const write = (line: string) =>
    Effect.gen(function*() {
      if (size > limit) yield* renew
      const written = size + line.length
      size = Infinity
      yield* fs.writeFileString(name, line, { flag: "a", mode: 0o600 })
      size = written
    })
  const turns = yield* Semaphore.make(1)
  return logged(histories, (line) => Semaphore.withPermit(turns, write(line)))
})
