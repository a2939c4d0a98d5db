/** What is sent: messages that differ from one to the next, so that a lost or reordered one shows. */

/** A message as its sender has it. */
export type Message = string | Uint8Array

/** What kind of messages a workload sends. */
export type Kind = "binary" | "text" | "json" | "events"

/** Bytes of every value. */
const binary = (n: number, size: number): Uint8Array => {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = (n * 37 + i * 11 + (i >> 7)) & 0xff
  return bytes
}

/** Printable ASCII. */
const text = (n: number, size: number): string =>
  String.fromCharCode(
    ...Array.from({ length: Math.min(size, 4_096) }, (_, i) => 32 + (n * 37 + i * 11 + (i >> 7)) % 95)
  )
    .repeat(Math.ceil(size / 4_096)).slice(0, size)

/** A list of records as an API returns it, at least `size` bytes long: it compresses well, and not absurdly so. */
const json = (n: number, size: number): string => {
  const records: Array<unknown> = []
  let length = 2
  for (let i = n * 1_000; length < size; i++) {
    const record = { id: i * 7_919, name: `sensor ${i % 17}`, value: Math.sin(i) * 100, ok: i % 3 === 0 }
    records.push(record)
    length += JSON.stringify(record).length + 1
  }
  return JSON.stringify(records)
}

const words = "the tide turns at noon and every boat in the harbour knows it ".repeat(40)

/** Values of `Event` in `size` bytes of JSON, each of another kind than the one before. */
const events = (n: number, size: number): string => {
  const common = {
    id: `0000-${n.toString().padStart(8, "0")}`,
    at: 1_790_000_000_000 + n * 977,
    user: { id: n * 31, name: `user ${n}`, admin: n % 2 === 0 }
  }
  const tags = ["sea", "harbour", `n${n}`]
  const kinds: ReadonlyArray<(text: string) => object> = [
    (text) => ({ _tag: "Posted", ...common, room: "harbour", text, tags }),
    (text) => ({ _tag: "Edited", ...common, room: "harbour", revision: n, text, tags }),
    (reason) => ({ _tag: "Deleted", ...common, room: "harbour", reason }),
    (note) => ({ _tag: "Reacted", ...common, emoji: ":wave:", count: n, note }),
    (greeting) => ({ _tag: "Joined", ...common, rooms: tags, greeting }),
    (farewell) => ({ _tag: "Left", ...common, rooms: tags, farewell }),
    (log) => ({ _tag: "Moved", ...common, from: { x: n, y: -n }, to: { x: n * 1.5, y: 0 }, log }),
    (preview) => ({ _tag: "Shared", ...common, file: { name: `${n}.txt`, size: n * 1_024, preview } })
  ]
  const kind = kinds[n % kinds.length]
  return JSON.stringify(kind(words.slice(0, size - JSON.stringify(kind("")).length)))
}

const makers: Record<Kind, (n: number, size: number) => Message> = { binary, text, json, events }

/** The nth message of a kind and size in bytes. */
export const make = (kind: Kind, n: number, size: number): Message => makers[kind](n, size)
