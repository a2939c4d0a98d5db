/**
 * permessage-deflate (RFC 7692) as the suite's own peer speaks it: one-shot calls of zlib for each message, with what
 * went before as their dictionary where the context is taken over.
 */
import * as zlib from "node:zlib"
import { Broken } from "./Frame.ts"

/** The parameters, as wished for, offered, or agreed upon. */
export interface Parameters {
  readonly serverNoContextTakeover?: boolean
  readonly clientNoContextTakeover?: boolean
  readonly serverMaxWindowBits?: number
  /** True is the parameter without a value. */
  readonly clientMaxWindowBits?: number | true
}

export const format = (parameters: Parameters): string => {
  const { clientMaxWindowBits: client, serverMaxWindowBits: server } = parameters
  return [
    "permessage-deflate",
    ...parameters.serverNoContextTakeover === true ? ["server_no_context_takeover"] : [],
    ...parameters.clientNoContextTakeover === true ? ["client_no_context_takeover"] : [],
    ...server === undefined ? [] : [`server_max_window_bits=${server}`],
    ...client === undefined ? [] : [client === true ? "client_max_window_bits" : `client_max_window_bits=${client}`]
  ].join("; ")
}

const bitsOf = (name: string, value: string): number => {
  const match = /^"?(8|9|1[0-5])"?$/.exec(value)
  if (match === null) throw new Broken(`${name} is 8 to 15 without leading zeros, not ${value}`)
  return Number(match[1])
}

const parseOne = (element: string): Parameters | undefined => {
  const [name, ...parameters] = element.split(";").map((part) => part.trim())
  if (name !== "permessage-deflate") return undefined
  const read: { -readonly [K in keyof Parameters]: Parameters[K] } = {}
  const seen = new Set<string>()
  for (const parameter of parameters) {
    const [name, value] = parameter.split("=").map((part) => part.trim())
    if (seen.has(name)) throw new Broken(`${name} occurs once`)
    seen.add(name)
    if (name === "server_no_context_takeover" && value === undefined) read.serverNoContextTakeover = true
    else if (name === "client_no_context_takeover" && value === undefined) read.clientNoContextTakeover = true
    else if (name === "server_max_window_bits" && value !== undefined) read.serverMaxWindowBits = bitsOf(name, value)
    else if (name === "client_max_window_bits") {
      read.clientMaxWindowBits = value === undefined ? true : bitsOf(name, value)
    } else throw new Broken(`${parameter} is no parameter of permessage-deflate`)
  }
  return read
}

/** The elements of the header's value that are permessage-deflate. */
export const parse = (header: string): ReadonlyArray<Parameters> =>
  header.split(",").map((element) => parseOne(element.trim())).filter((found) => found !== undefined)

/** Reads a server's answer to one offer, which must fit; undefined if the server declined. */
export const readAnswer = (header: string | undefined, offer: Parameters): Parameters | undefined => {
  if (header === undefined) return undefined
  if (header.includes(",")) throw new Broken(`one extension was offered, the answer is ${header}`)
  const answer = parseOne(header)
  if (answer === undefined) throw new Broken(`permessage-deflate was offered, the answer is ${header}`)
  const within = (bits: number | true | undefined, most: number) => typeof bits === "number" && bits <= most
  if (offer.serverNoContextTakeover === true && answer.serverNoContextTakeover !== true) {
    throw new Broken("server_no_context_takeover was offered, and is not in the answer")
  }
  if (offer.serverMaxWindowBits !== undefined && !within(answer.serverMaxWindowBits, offer.serverMaxWindowBits)) {
    throw new Broken(`server_max_window_bits=${offer.serverMaxWindowBits} was offered, the answer is ${header}`)
  }
  if (answer.clientMaxWindowBits === true) throw new Broken("client_max_window_bits has a value in an answer")
  if (answer.clientMaxWindowBits !== undefined) {
    const { clientMaxWindowBits: most } = offer
    if (most === undefined) throw new Broken("client_max_window_bits was not offered, and is in the answer")
    if (most !== true && answer.clientMaxWindowBits > most) {
      throw new Broken(`client_max_window_bits=${most} was offered, the answer is ${header}`)
    }
  }
  return answer
}

/** What a server that wishes for these parameters answers to an offer; undefined if the offer does not allow it. */
export const answerTo = (offer: Parameters, wish: Parameters): Parameters | undefined => {
  if (typeof wish.clientMaxWindowBits === "number" && offer.clientMaxWindowBits === undefined) return undefined
  const wished = offer.clientMaxWindowBits === undefined ? undefined : wish.clientMaxWindowBits
  const server = Math.min(wish.serverMaxWindowBits ?? 15, offer.serverMaxWindowBits ?? 15)
  const client = Math.min(
    typeof wished === "number" ? wished : 15,
    typeof offer.clientMaxWindowBits === "number" ? offer.clientMaxWindowBits : 15
  )
  return {
    serverNoContextTakeover: wish.serverNoContextTakeover === true || offer.serverNoContextTakeover === true,
    clientNoContextTakeover: wish.clientNoContextTakeover === true,
    ...wish.serverMaxWindowBits === undefined && offer.serverMaxWindowBits === undefined
      ? undefined
      : { serverMaxWindowBits: server },
    ...wished === undefined ? undefined : { clientMaxWindowBits: client }
  }
}

const tail = Buffer.of(0x00, 0x00, 0xff, 0xff)

/** What of a message the next one may refer to. */
const remember = (history: Buffer, message: Buffer, bits: number): Buffer => {
  const size = 1 << bits
  return message.length >= size ? message.subarray(-size) : Buffer.concat([history, message]).subarray(-size)
}

/** The half of a connection that sends. */
export class Deflater {
  private readonly bits: number
  private readonly takeover: boolean
  private history = Buffer.alloc(0)

  constructor(bits: number, takeover: boolean) {
    this.bits = bits
    this.takeover = takeover
  }

  deflate(message: Buffer, options: zlib.ZlibOptions = {}): Buffer {
    const { bits, history } = this
    const made = zlib.deflateRawSync(message, {
      windowBits: bits,
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
      ...history.length === 0 ? undefined : { dictionary: history },
      ...options
    })
    if (this.takeover) this.history = Buffer.from(remember(history, message, bits))
    return made.subarray(-4).equals(tail) ? made.subarray(0, -4) : Buffer.concat([made, Buffer.of(0)])
  }
}

/** The half that receives. */
export class Inflater {
  private readonly bits: number
  private readonly takeover: boolean
  private history = Buffer.alloc(0)

  constructor(bits: number, takeover: boolean) {
    this.bits = bits
    this.takeover = takeover
  }

  inflate(bytes: Buffer): Buffer {
    const { bits, history } = this
    try {
      const message = zlib.inflateRawSync(Buffer.concat([bytes, tail]), {
        windowBits: bits,
        finishFlush: zlib.constants.Z_SYNC_FLUSH,
        // zlib sees that a distance leads out of the window only where it leads out of the buffer for the output too.
        ...bits < 15 ? { chunkSize: 64 } : undefined,
        ...history.length === 0 ? undefined : { dictionary: history }
      })
      if (this.takeover) this.history = Buffer.from(remember(history, message, bits))
      return message
    } catch (error) {
      throw new Broken(`a compressed message of ${bytes.length} bytes can't be inflated: ${(error as Error).message}`)
    }
  }
}
