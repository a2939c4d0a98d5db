/**
 * The extension `permessage-deflate`: each message compressed with DEFLATE.
 *
 * A compressed message is a flushed DEFLATE stream without its last four bytes, `00 00 ff ff`. Each direction either keeps
 * its context from message to message (_takeover_), which compresses small messages far better and costs a connection
 * hundreds of KiB, or begins anew with each. Takeover is off by default, in both directions.
 *
 * What a connection holds:
 *
 * - Without takeover an engine for the time of one message, and nothing between messages. A peer that stops in the middle of a
 *   message holds an inflater.
 * - With takeover an engine for each direction in use, from its first compressed message until `release`.
 * - What is inflated comes in pieces of at most 64 KiB; its sum is for the limit of the machine to bound, and a message
 *   beyond `suspectSize` for `maxRatio`.
 *
 * Messages shorter than the `threshold` are sent as they are, as the extension allows for every single one.
 *
 * Behind a final block (BFINAL) a message goes on without context, as it is when zlib makes such blocks. Data that isn't
 * DEFLATE, or wasn't flushed, is a `Violation` with the `deflateSection`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7692#section-7
 */

import { Other, TooLarge, Violation } from "@wirestack/protocol/Reason"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { deflateSection } from "../frames/CloseCode.ts"
import { type Extension, type Incoming, type Outgoing, type Params, Rsv, type Session } from "./Extension.ts"
import {
  Corrupt,
  type Deflater,
  type DeflateSettings,
  type Inflater,
  type Level,
  type MemLevel,
  type WindowBits,
  Zlib
} from "./Zlib.ts"

/** The registered name. */
export const name = "permessage-deflate"

/** What the ends agree on, named as in the RFC. Each is a limit: a peer may always do with less. */
export interface Negotiable {
  /** Whether the server forgets its context after each message; true by default. */
  readonly serverNoContextTakeover?: boolean
  /** Whether the client forgets its context after each message; true by default. */
  readonly clientNoContextTakeover?: boolean
  /** The largest window of the server; 15 by default. */
  readonly serverMaxWindowBits?: WindowBits
  /** The largest window of the client; 15 by default. A server declines offers by which it can't demand less. */
  readonly clientMaxWindowBits?: WindowBits
}

export interface Options extends Negotiable {
  /** What a client offers after that, the most wanted first, for servers that decline it. */
  readonly alternatives?: ReadonlyArray<Negotiable>
  /** Messages below this size in bytes are not compressed; 1,024 by default. Those of unknown size are. */
  readonly threshold?: number
  /** Decides for each message from the threshold on whether to compress it; its size may not be known. */
  readonly compresses?: (size: number | undefined) => boolean
  /** 6 by default. */
  readonly level?: Level
  /** 8 by default. */
  readonly memLevel?: MemLevel
  /** How many times larger than it came a message of more than `suspectSize` may be; 250 by default. */
  readonly maxRatio?: number
}

/** Up to this size in bytes an inflated message is not held to the `maxRatio`. */
export const suspectSize = 16_777_216

/** How many bytes of a flush are not sent: `00 00 ff ff`. */
const tailSize = 4

const nothing = new Uint8Array(0)

/** @see https://www.rfc-editor.org/rfc/rfc7692#section-7.2.3.6 */
const emptyMessage = Uint8Array.of(0)

// The parameters.

const serverNoContextTakeover = "server_no_context_takeover"
const clientNoContextTakeover = "client_no_context_takeover"
const serverMaxWindowBits = "server_max_window_bits"
const clientMaxWindowBits = "client_max_window_bits"

type Terms = Required<Negotiable>

/** What an offer or an answer says. */
interface Said {
  readonly [serverNoContextTakeover]: boolean
  readonly [clientNoContextTakeover]: boolean
  readonly [serverMaxWindowBits]: WindowBits | undefined
  /** True without a value. */
  readonly [clientMaxWindowBits]: WindowBits | true | undefined
}

const largestWindow = 15

const smaller = (a: WindowBits, b: WindowBits): WindowBits => a < b ? a : b

const termsOf = (negotiable: Negotiable): Terms => ({
  serverNoContextTakeover: negotiable.serverNoContextTakeover ?? true,
  clientNoContextTakeover: negotiable.clientNoContextTakeover ?? true,
  serverMaxWindowBits: negotiable.serverMaxWindowBits ?? largestWindow,
  clientMaxWindowBits: negotiable.clientMaxWindowBits ?? largestWindow
})

const broken = (rule: string, section: string) =>
  Result.fail(new Violation({ rule, section: `RFC 7692 section ${section}` }))

const bits = /^(?:[89]|1[0-5])$/

/** @see https://www.rfc-editor.org/rfc/rfc7692#section-7.1 */
const read = (params: Params, isOffer: boolean): Result.Result<Said, Violation> => {
  const said: { -readonly [K in keyof Said]: Said[K] } = {
    [serverNoContextTakeover]: false,
    [clientNoContextTakeover]: false,
    [serverMaxWindowBits]: undefined,
    [clientMaxWindowBits]: undefined
  }
  const seen = new Set<string>()
  for (const [name, value] of params) {
    if (seen.has(name)) return broken(`${name} occurs once`, "7.1")
    seen.add(name)
    switch (name) {
      case serverNoContextTakeover:
      case clientNoContextTakeover: {
        const section = name === serverNoContextTakeover ? "7.1.1.1" : "7.1.1.2"
        if (value !== undefined) return broken(`${name} has no value`, section)
        said[name] = true
        break
      }
      case serverMaxWindowBits:
      case clientMaxWindowBits:
        if (value !== undefined && bits.test(value)) said[name] = Number(value) as WindowBits
        else if (value === undefined && isOffer && name === clientMaxWindowBits) said[name] = true
        else {
          return broken(`${name} is a number from 8 to 15`, name === serverMaxWindowBits ? "7.1.2.1" : "7.1.2.2")
        }
        break
      default:
        return broken(`${name} is no parameter of ${permessageDeflate}`, "7.1")
    }
  }
  return Result.succeed(said)
}

const permessageDeflate = name

const write = (said: Said): Params => {
  const params: Array<readonly [string, string | undefined]> = []
  if (said[serverNoContextTakeover]) params.push([serverNoContextTakeover, undefined])
  if (said[clientNoContextTakeover]) params.push([clientNoContextTakeover, undefined])
  const server = said[serverMaxWindowBits]
  if (server !== undefined) params.push([serverMaxWindowBits, String(server)])
  const client = said[clientMaxWindowBits]
  if (client !== undefined) params.push([clientMaxWindowBits, client === true ? undefined : String(client)])
  return params
}

/** A limit that is worth saying. */
const limit = (bits: WindowBits): WindowBits | undefined => bits < largestWindow ? bits : undefined

/** A client always says that it can be limited: this costs nothing. */
const offerOf = (terms: Terms): Params =>
  write({
    [serverNoContextTakeover]: terms.serverNoContextTakeover,
    [clientNoContextTakeover]: terms.clientNoContextTakeover,
    [serverMaxWindowBits]: limit(terms.serverMaxWindowBits),
    [clientMaxWindowBits]: limit(terms.clientMaxWindowBits) ?? true
  })

/** What became of an offer with the server's answer, as seen by the client. */
const settle = (offered: Terms, answer: Said): Result.Result<Terms, Violation> => {
  if (offered.serverNoContextTakeover && !answer[serverNoContextTakeover]) {
    return broken(`an answer to ${serverNoContextTakeover} says it too`, "7.1.1.1")
  }
  const server = answer[serverMaxWindowBits]
  if (offered.serverMaxWindowBits < largestWindow && server === undefined) {
    return broken(`an answer to ${serverMaxWindowBits} says it too`, "7.1.2.1")
  }
  if (server !== undefined && server > offered.serverMaxWindowBits) {
    return broken(`${serverMaxWindowBits} is at most what was offered`, "7.1.2.1")
  }
  const client = answer[clientMaxWindowBits] as WindowBits | undefined
  return Result.succeed({
    serverNoContextTakeover: answer[serverNoContextTakeover],
    clientNoContextTakeover: answer[clientNoContextTakeover] || offered.clientNoContextTakeover,
    serverMaxWindowBits: server ?? largestWindow,
    clientMaxWindowBits: smaller(client ?? largestWindow, offered.clientMaxWindowBits)
  })
}

/** A server's answer to an offer; undefined if the client can't be limited as the server wants. */
const answerTo = (offer: Said, own: Terms): Said | undefined => {
  const client = offer[clientMaxWindowBits]
  const server = offer[serverMaxWindowBits]
  if (client === undefined && own.clientMaxWindowBits < largestWindow) return undefined
  const clientBits = client === undefined || client === true ? largestWindow : client
  return {
    [serverNoContextTakeover]: offer[serverNoContextTakeover] || own.serverNoContextTakeover,
    [clientNoContextTakeover]: offer[clientNoContextTakeover] || own.clientNoContextTakeover,
    [serverMaxWindowBits]: server === undefined
      ? limit(own.serverMaxWindowBits)
      : smaller(server, own.serverMaxWindowBits),
    [clientMaxWindowBits]: limit(smaller(clientBits, own.clientMaxWindowBits))
  }
}

// The messages.

type Engines = Zlib["Service"]

interface Sending extends DeflateSettings {
  readonly keeps: boolean
  readonly threshold: number
  readonly compresses: (size: number | undefined) => boolean
}

/** @see https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1 */
class Compressing implements Outgoing {
  private readonly zlib: Engines
  readonly format: object | undefined
  private readonly settings: Sending
  private deflater: Deflater | undefined = undefined
  /** Nothing of the message was there yet. */
  private empty = true

  constructor(zlib: Engines, settings: Sending, format: object) {
    this.zlib = zlib
    this.settings = settings
    this.format = settings.keeps ? undefined : format
  }

  begin(size: number | undefined): boolean {
    this.empty = true
    const { compresses, threshold } = this.settings
    return (size === undefined || size >= threshold) && compresses(size)
  }

  encode(part: Uint8Array, last: boolean): Uint8Array {
    if (part.length === 0 && (this.empty || !last)) return last ? emptyMessage : nothing
    this.empty = false
    this.deflater ??= this.zlib.deflater(this.settings)
    const bytes = this.deflater.deflate(part, last)
    if (!last) return bytes
    if (!this.settings.keeps) this.release()
    return bytes.subarray(0, bytes.length - tailSize)
  }

  release(): void {
    this.deflater?.close()
    this.deflater = undefined
  }
}

interface Receiving {
  readonly windowBits: WindowBits
  readonly keeps: boolean
  readonly maxRatio: number
}

const notFlushed = new Violation({ rule: "a compressed message ends with a flush", section: deflateSection })

const failure = (cause: unknown): Violation | Other =>
  cause instanceof Corrupt
    ? new Violation({ rule: `a compressed message is DEFLATE: ${cause.detail}`, section: deflateSection })
    : new Other({ cause })

/** @see https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2 */
class Decompressing implements Incoming {
  private readonly zlib: Engines
  private readonly settings: Receiving
  private inflater: Inflater | undefined = undefined
  private last = false
  /** The message so far, as it came and inflated. */
  private came = 0
  private size = 0

  constructor(zlib: Engines, settings: Receiving) {
    this.zlib = zlib
    this.settings = settings
  }

  feed(part: Uint8Array, last: boolean): void {
    this.inflater ??= this.zlib.inflater(this.settings)
    this.inflater.feed(part)
    this.last = last
    this.came += part.length
  }

  next(): Uint8Array | undefined {
    const { inflater } = this
    if (inflater === undefined) return undefined
    let piece: Uint8Array | undefined
    let flushed = true
    try {
      piece = inflater.next()
      if (piece === undefined && this.last) flushed = inflater.flushed()
    } catch (cause) {
      throw failure(cause)
    }
    if (!flushed) throw notFlushed
    if (piece === undefined) {
      if (this.last) this.end()
      return undefined
    }
    this.size += piece.length
    const limit = this.settings.maxRatio * this.came
    if (this.size > suspectSize && this.size > limit) {
      throw new TooLarge({ what: "an inflated message", size: this.size, limit })
    }
    return piece
  }

  private end(): void {
    this.last = false
    this.came = this.size = 0
    if (!this.settings.keeps) this.release()
  }

  release(): void {
    this.inflater?.close()
    this.inflater = undefined
  }
}

/**
 * The extension with these options, for both roles, on the engines of the context.
 *
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Extension, never, Zlib> =>
  Effect.map(Zlib, (zlib): Extension => {
    const own = termsOf(options)
    const offers = [own, ...(options.alternatives ?? []).map(termsOf)]
    const formats = Array.from({ length: largestWindow + 1 }, () => ({}))
    const { compresses = () => true, level = 6, maxRatio = 250, memLevel = 8, threshold = 1024 } = options

    const session = (role: "client" | "server", terms: Terms) => (): Session => {
      const server = { keeps: !terms.serverNoContextTakeover, windowBits: terms.serverMaxWindowBits }
      const client = { keeps: !terms.clientNoContextTakeover, windowBits: terms.clientMaxWindowBits }
      const [sending, receiving] = role === "client" ? [client, server] : [server, client]
      const format = formats[sending.windowBits]
      const outgoing = new Compressing(zlib, { ...sending, level, memLevel, threshold, compresses }, format)
      const incoming = new Decompressing(zlib, { ...receiving, maxRatio })
      return {
        outgoing,
        incoming,
        release: () => {
          outgoing.release()
          incoming.release()
        }
      }
    }

    return {
      name,
      rsv: Rsv.Rsv1,
      offers: offers.map(offerOf),
      agree: (params) =>
        Result.flatMap(read(params, false), (answer) => {
          const settled = offers.map((offered) => settle(offered, answer))
          return Result.map(settled.find(Result.isSuccess) ?? settled[0], (terms) => session("client", terms))
        }),
      answer: (params) => {
        const offer = read(params, true)
        const said = Result.isSuccess(offer) ? answerTo(offer.success, own) : undefined
        if (said === undefined) return undefined
        const terms = {
          serverNoContextTakeover: said[serverNoContextTakeover],
          clientNoContextTakeover: said[clientNoContextTakeover],
          serverMaxWindowBits: said[serverMaxWindowBits] ?? largestWindow,
          clientMaxWindowBits: said[clientMaxWindowBits] as WindowBits | undefined ?? largestWindow
        }
        return { params: write(said), session: session("server", terms) }
      }
    }
  })
