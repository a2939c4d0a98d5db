/**
 * What outlives a server: a file that it appends to, a line a fact. What was written when the process is killed is there for the next
 * one; a last line without its end was not written.
 *
 *     S session secret
 *     M session message
 */
import * as fs from "node:fs"

/** What is known of one session. */
export interface Entry {
  readonly secret: string
  readonly messages: Array<string>
}

/** Reads a journal, which may not be there yet. */
export const read = (path: string): Map<string, Entry> => {
  const entries = new Map<string, Entry>()
  const text = fs.existsSync(path) ? fs.readFileSync(path, "utf8") : ""
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    const [kind, session, said] = line.split(" ")
    if (kind === "S") entries.set(session, { secret: said, messages: [] })
    else if (kind === "M") entries.get(session)!.messages.push(said)
  }
  return entries
}

export class Journal {
  readonly entries: Map<string, Entry>
  private readonly file: number

  constructor(path: string) {
    this.entries = read(path)
    this.file = fs.openSync(path, "a+")
    const { size } = fs.fstatSync(this.file)
    fs.ftruncateSync(this.file, size === 0 ? 0 : fs.readFileSync(path).lastIndexOf("\n") + 1)
  }

  opened(session: string, secret: string): void {
    fs.writeSync(this.file, `S ${session} ${secret}\n`)
    this.entries.set(session, { secret, messages: [] })
  }

  store(session: string, messages: ReadonlyArray<string>): void {
    fs.writeSync(this.file, messages.map((message) => `M ${session} ${message}\n`).join(""))
    this.entries.get(session)!.messages.push(...messages)
  }
}
