/**
 * What is remembered of a room: the latest that was said, and of what came before it the keys, so that it is not said again.
 *
 * Bounds: 200 entries, or as many as there are to be, of 131,072 characters together, so that they fit into one message, and 1,000 keys.
 */
import * as Schema from "effect/Schema"
import { Entry } from "./Chat.ts"

/** How many entries are kept, if nothing else is said. */
export const maxEntries = 200
const maxCharacters = 131_072
const maxKeys = 1_000

/** That something was said: all but what it was. */
export const Receipt = Schema.Struct({
  n: Entry.fields.n,
  at: Entry.fields.at,
  name: Entry.fields.name,
  key: Entry.fields.key.schema
})
export type Receipt = typeof Receipt.Type

/** What comes after a number: all of it, or the last of it, and how many are missing before. */
export interface Rest {
  readonly history: ReadonlyArray<Entry>
  readonly missed: number
}

/** Keys are those of who said it. */
const named = (name: string, key: string): string => JSON.stringify([name, key])

export class History {
  /** The number of what was said last. */
  last = 0
  private readonly entries: Array<Entry> = []
  private characters = 0
  private readonly receipts = new Map<string, Receipt>()
  private readonly maxEntries: number

  constructor(bound = maxEntries) {
    this.maxEntries = bound
  }

  /** Adds what was said last. */
  add(entry: Entry): void {
    const { at, key, n, name, text } = entry
    this.last = n
    this.entries.push(entry)
    this.characters += text.length
    while (this.entries.length > this.maxEntries || this.characters > maxCharacters) {
      this.characters -= this.entries.shift()!.text.length
    }
    if (key !== undefined) this.remember({ n, at, name, key })
  }

  /** Adds that something was said before. */
  remember(receipt: Receipt): void {
    this.receipts.set(named(receipt.name, receipt.key), receipt)
    if (this.receipts.size > maxKeys) this.receipts.delete(this.receipts.keys().next().value!)
  }

  /** Whether it was said already, and when. */
  receipt(name: string, key: string): Receipt | undefined {
    return this.receipts.get(named(name, key))
  }

  /** What comes after a number; all there is if the number is none of this room's, or there is none. */
  after(n = 0): Rest {
    const from = n > this.last ? 0 : n
    const history = this.entries.filter((entry) => entry.n > from)
    return { history, missed: from === 0 ? 0 : this.last - from - history.length }
  }

  /** All of it, the oldest first. */
  *[Symbol.iterator](): Generator<Entry | Receipt> {
    const first = this.entries.length === 0 ? Infinity : this.entries[0].n
    for (const receipt of this.receipts.values()) if (receipt.n < first) yield receipt
    yield* this.entries
  }
}
