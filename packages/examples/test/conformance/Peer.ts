/**
 * The suite's end of a connection: says what a case wants said, and expects what must come back.
 *
 * Everything that is not as expected is thrown as a `Mismatch`, including what a case doesn't ask for: whatever the
 * tested peer says or does is an event, and a case takes one event after the other until the connection is over.
 */
import type * as Net from "node:net"
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises"
import type { ZlibOptions } from "node:zlib"
import { Deflater, Inflater, type Parameters } from "./Deflate.ts"
import { close, closeWith, cut, encode, fragmented, type Frame, isClose, Reader, type Said } from "./Frame.ts"

type Event =
  | Said
  | { readonly what: "end" | "reset" }
  | { readonly what: "broken"; readonly rule: string }
  | { readonly what: "silence"; readonly ms: number }

const short = (bytes: Buffer): string =>
  bytes.length > 24 ? `${bytes.toString("hex", 0, 24)}... (${bytes.length} bytes)` : `<${bytes.toString("hex")}>`

const shown = (event: Event): string => {
  switch (event.what) {
    case "close":
      return `Close ${event.code ?? "without a code"}${event.reason === "" ? "" : ` "${event.reason}"`}`
    case "end":
      return "the end of the connection"
    case "reset":
      return "a reset of the connection"
    case "broken":
      return `a broken rule: ${event.rule}`
    case "silence":
      return `silence for ${event.ms} ms`
    default:
      return `a ${event.what} ${short(event.payload)}`
  }
}

/** The tested peer did something else. */
export class Mismatch extends Error {
  constructor(expected: string, seen: string) {
    super(`expected ${expected}, saw ${seen}`)
  }
}

const kinds: Record<number, string> = { 1: "text", 2: "binary", 9: "ping", 10: "pong" }

export interface Options {
  readonly role: "client" | "server"
  /** How permessage-deflate was negotiated, if it was. */
  readonly agreed?: Parameters | undefined
  /** How long to wait for an event. */
  readonly patience: number
}

/** How much may wait to be written before a peer that writes in pieces waits, too. */
const enough = 1 << 20

/** How long a peer may take to end the connection once the closing handshake is over. */
const endsWithin = 3000

/** How long a peer may take to fail a connection whose frame it has only in part. */
const failsWithin = 3000

export class Peer {
  readonly role: "client" | "server"
  readonly agreed: Parameters | undefined
  private readonly socket: Net.Socket
  private readonly patience: number
  private readonly deflater: Deflater
  private readonly events: Array<Event> = []
  private wake: () => void = () => {}
  /** The payload of the frame that is sent in part, and how much of it was. */
  private begun: Buffer = Buffer.alloc(0)
  private at = 0
  private closeSent = false
  private over = false

  constructor(socket: Net.Socket, leftover: Buffer, { agreed, patience, role }: Options) {
    this.role = role
    this.agreed = agreed
    this.socket = socket
    this.patience = patience
    const bits = (bits: number | true | undefined) => typeof bits === "number" ? bits : 15
    const server = [bits(agreed?.serverMaxWindowBits), agreed?.serverNoContextTakeover !== true] as const
    const client = [bits(agreed?.clientMaxWindowBits), agreed?.clientNoContextTakeover !== true] as const
    this.deflater = role === "client" ? new Deflater(...client) : new Deflater(...server)
    const inflater = role === "client" ? new Inflater(...server) : new Inflater(...client)
    const inflate = agreed === undefined ? undefined : (bytes: Buffer) => inflater.inflate(bytes)
    const reader = new Reader(role === "server", inflate, (said) => this.happened(said))
    const feed = (chunk: Buffer) => {
      if (this.over) return
      try {
        reader.feed(chunk)
      } catch (error) {
        this.happened({ what: "broken", rule: (error as Error).message })
      }
    }
    feed(leftover)
    socket.on("data", feed).on("end", () => this.happened({ what: "end" }))
    socket.on("error", () => this.happened({ what: "reset" })).on("close", () => this.happened({ what: "reset" }))
    socket.resume()
  }

  private happened(event: Event): void {
    if (this.over) return
    if (event.what === "end" || event.what === "reset" || event.what === "broken") this.over = true
    this.events.push(event)
    this.wake()
  }

  /** Whether what we compress may refer to what we have sent before. */
  get takesOver(): boolean {
    const { agreed, role } = this
    return (role === "client" ? agreed?.clientNoContextTakeover : agreed?.serverNoContextTakeover) !== true
  }

  // Saying.

  /** Writes frames at once. */
  send(...frames: ReadonlyArray<Frame>): void {
    this.socket.cork()
    for (const frame of frames) {
      for (const bytes of this.encode(frame)) this.socket.write(bytes)
    }
    this.socket.uncork()
  }

  private encode(frame: Frame): readonly [head: Buffer, payload: Buffer] {
    if (isClose(frame)) this.closeSent = true
    return encode(frame, this.role === "client")
  }

  /** Writes frames in pieces of some bytes, each by itself. */
  async pieces(size: number, ...frames: ReadonlyArray<Frame>): Promise<void> {
    for (const piece of cut(Buffer.concat(frames.flatMap((frame) => this.encode(frame))), size)) {
      await this.written(piece)
    }
  }

  /** Writes frames one by one. */
  async apart(...frames: ReadonlyArray<Frame>): Promise<void> {
    for (const frame of frames) await this.written(Buffer.concat(this.encode(frame)))
  }

  /** Writes the beginning of a frame: its head, and of its payload the pieces with these ends. */
  async begin(frame: Frame, ...ends: ReadonlyArray<number>): Promise<void> {
    const [head, payload] = this.encode(frame)
    await this.written(head)
    this.begun = payload
    this.at = 0
    for (const end of ends) await this.goOn(end)
  }

  /** Writes more of the payload of the frame that was begun. */
  async goOn(end: number): Promise<void> {
    await this.written(this.begun.subarray(this.at, end))
    this.at = end
  }

  private async written(bytes: Buffer): Promise<void> {
    if (this.over) return
    this.socket.write(bytes)
    await turn()
    while (this.socket.writableLength > enough && !this.over) await sleep(1)
  }

  /** The frames of a message, compressed if that was negotiated, in fragments of at most some bytes. */
  message(
    kind: "text" | "binary",
    message: string | Buffer,
    fragment = Number.MAX_SAFE_INTEGER,
    options: ZlibOptions = {}
  ): ReadonlyArray<Frame> {
    const bytes = Buffer.from(message as string)
    const wire = this.agreed === undefined ? bytes : this.deflater.deflate(bytes, options)
    return fragmented(kind, cut(wire, fragment), this.agreed === undefined ? 0 : 4)
  }

  // Expecting.

  private async next(within = this.patience): Promise<Event> {
    if (this.events.length === 0) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.wake = resolve
        timer = setTimeout(resolve, within)
      })
      clearTimeout(timer)
    }
    return this.events.shift() ?? { what: "silence", ms: within }
  }

  /** Expects these messages and control frames, whole, and in this order. */
  async gets(...frames: ReadonlyArray<Frame>): Promise<void> {
    for (const { opcode, payload } of frames) {
      const event = await this.next()
      const what = kinds[opcode]
      if (event.what !== what || !("payload" in event) || !event.payload.equals(payload)) {
        throw new Mismatch(`a ${what} ${short(payload)}`, shown(event))
      }
    }
  }

  /** Sends messages at once and expects them back. */
  async echoes(...frames: ReadonlyArray<Frame>): Promise<void> {
    this.send(...frames)
    await this.gets(...frames)
  }

  /** Expects nothing for a while. */
  async quiet(ms: number): Promise<void> {
    const event = await this.next(ms)
    if (event.what !== "silence") throw new Mismatch("nothing yet", shown(event))
  }

  /** Closes, and expects the same code in answer, then the end. */
  async closes(code = 1000, reason = ""): Promise<void> {
    this.send(close(code, reason))
    await this.answers(code)
  }

  /** Expects a Close frame with one of these codes, answers it if it is no answer itself, and expects the end. */
  answers(...codes: ReadonlyArray<number | undefined>): Promise<void> {
    return this.getsClose(codes, this.patience)
  }

  /** Expects to be told by this code what was wrong, and then the end. */
  fails(code: number): Promise<void> {
    return this.getsClose([code], this.patience)
  }

  /** The same, while the rest of what is wrong is not even sent. */
  failsEarly(code: number): Promise<void> {
    return this.getsClose([code], failsWithin)
  }

  private async getsClose(codes: ReadonlyArray<number | undefined>, within: number): Promise<void> {
    const event = await this.next(within)
    if (event.what !== "close" || !codes.includes(event.code)) {
      throw new Mismatch(`Close ${codes.map((code) => code ?? "without a code").join(" or ")}`, shown(event))
    }
    if (!this.closeSent) this.send(event.code === undefined ? closeWith("") : close(event.code))
    // The server is the first to end the connection (section 7.1.1).
    if (this.role === "server") this.socket.end()
    const end = await this.next(endsWithin)
    if (end.what !== "end") throw new Mismatch("the end of the connection", shown(end))
  }

  abort(): void {
    this.socket.destroy()
  }

  /** Expects that nothing more has come, once a case is through. */
  finish(): void {
    const left = this.events.filter(({ what }) => what !== "end" && what !== "reset")
    this.abort()
    if (left.length > 0) throw new Mismatch("nothing more", left.map(shown).join(", "))
  }
}
