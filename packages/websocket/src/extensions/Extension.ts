/**
 * Extensions of the protocol: what is negotiated in the handshake, and then transforms the payloads of messages.
 *
 * An extension owns reserved bits of the head of a frame (RSV1 to RSV3). Those it sets on the first frame of a message say
 * that it transformed that message; nobody else may set them. Several extensions apply in the order of the server's
 * answer when sending, and in reverse when receiving (see `ExtensionChain`).
 *
 * A client sends what `offer` gives and judges the answer with `agree`; a server answers offers with `answer`. Both then
 * have the extensions that were `Agreed`, and open a `Session` of each for the connection.
 *
 * The contract of a session: its two directions are used independently of one another, each in one message at a time. All
 * is synchronous. What a transform returns is a view on memory that all sessions of its extension may share; it is only read,
 * and only until the next call of a transform of that extension.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-9
 */
import { Violation } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import * as ExtensionHeader from "./ExtensionHeader.ts"

/** The parameters of an extension in the order of the header; a name may have no value, or occur more than once. */
export type Params = ReadonlyArray<readonly [name: string, value: string | undefined]>

/** The reserved bits, as they lie in the first byte of a frame. */
export const Rsv = { Rsv1: 0x40, Rsv2: 0x20, Rsv3: 0x10 } as const

/** The direction in which we send: one message after the other, each in parts. */
export interface Outgoing {
  /**
   * Whether to transform the message that begins, whose size in bytes is given if it is known. If so, its parts go through
   * `encode`, the last of them as such, and its first frame has the bits of the extension.
   */
  readonly begin: (size: number | undefined) => boolean
  /** What the next part becomes, perhaps nothing. */
  readonly encode: (part: Uint8Array, last: boolean) => Uint8Array
  /**
   * What it makes of a whole message is the same for all that have the same format, as long as it remembers nothing of those before;
   * left out if it does.
   */
  readonly format?: object | undefined
}

/** The direction in which we receive. */
export interface Incoming {
  /**
   * Takes the next part of a message that was transformed; `last` if the message ends with it, and the part may be empty. It
   * is read until `next` has used it up.
   */
  readonly feed: (part: Uint8Array, last: boolean) => void
  /**
   * The next piece of what the part was before it was transformed, of at most 64 KiB; undefined if the part is used up. Throws
   * a `ConnectionReason` if the part makes no sense; then the session is only good for its `release`.
   */
  readonly next: () => Uint8Array | undefined
}

/** An extension in use on one connection. */
export interface Session {
  readonly outgoing: Outgoing
  readonly incoming: Incoming
  /** Gives back what it holds, also in the middle of a message; called once, when the connection is over. */
  readonly release: () => void
}

/** An extension one can offer and accept. */
export interface Extension {
  /** Its registered name. */
  readonly name: string
  /** The reserved bits it owns, of `Rsv`. */
  readonly rsv: number
  /** What a client offers, the most wanted first; without any it is one for servers only. */
  readonly offers: ReadonlyArray<Params>
  /** A client's judgement of the server's answer: what to make of it, or which rule it breaks. */
  readonly agree: (answer: Params) => Result.Result<() => Session, Violation>
  /** A server's answer to an offer; undefined declines it. */
  readonly answer: (offer: Params) => { readonly params: Params; readonly session: () => Session } | undefined
}

/** An extension both ends want, with the parameters of the server's answer. */
export interface Agreed {
  readonly name: string
  readonly params: Params
  readonly rsv: number
  /** Opens it for the connection, once. */
  readonly session: () => Session
}

const conflict = (agreed: ReadonlyArray<Agreed>, { name, rsv }: Extension): string | undefined => {
  if (agreed.some((other) => other.name === name)) return `${name} is in use once`
  const other = agreed.find((other) => (other.rsv & rsv) !== 0)
  return other === undefined ? undefined : `${name} and ${other.name} use different reserved bits`
}

/**
 * What a client offers: the values for `Sec-WebSocket-Extensions`, one an offer, to be sent as a list or as headers each.
 *
 * @category negotiation
 */
export const offer = (extensions: ReadonlyArray<Extension>): ReadonlyArray<string> =>
  extensions.flatMap(({ name, offers }) => offers.map((params) => ExtensionHeader.format({ name, params })))

/**
 * A client's judgement of the values of `Sec-WebSocket-Extensions` in an answer: the extensions in use, in the order in which
 * they apply, or the rule that is broken.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-9.1
 * @category negotiation
 */
export const agree = (
  extensions: ReadonlyArray<Extension>,
  headerValues: ReadonlyArray<string>
): Result.Result<ReadonlyArray<Agreed>, Violation> => {
  const elements = ExtensionHeader.parse(headerValues)
  if (Result.isFailure(elements)) return Result.fail(elements.failure)
  const agreed: Array<Agreed> = []
  for (const { name, params } of elements.success) {
    const extension = extensions.find((extension) => extension.name === name && extension.offers.length > 0)
    if (extension === undefined) {
      return Result.fail(
        new Violation({ rule: `${name} is used only if it was offered`, section: "RFC 6455 section 4.1" })
      )
    }
    const rule = conflict(agreed, extension)
    if (rule !== undefined) return Result.fail(new Violation({ rule, section: "RFC 6455 section 9.1" }))
    const session = extension.agree(params)
    if (Result.isFailure(session)) return Result.fail(session.failure)
    agreed.push({ name, params, rsv: extension.rsv, session: session.success })
  }
  return Result.succeed(agreed)
}

/** What a server says to the offers of a client. */
export interface Answer {
  /** The value for `Sec-WebSocket-Extensions`, if there is something to say. */
  readonly header: string | undefined
  /** The extensions in use, in the order in which they apply. */
  readonly agreed: ReadonlyArray<Agreed>
}

/**
 * A server's answer to the values of `Sec-WebSocket-Extensions` in a request. Of each extension the first acceptable offer, in
 * the client's order, is accepted, unless its reserved bits are in use; unknown ones are ignored. Fails only if the
 * header is malformed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-9.1
 * @category negotiation
 */
export const answer = (
  extensions: ReadonlyArray<Extension>,
  headerValues: ReadonlyArray<string>
): Result.Result<Answer, Violation> =>
  Result.map(ExtensionHeader.parse(headerValues), (elements) => {
    const agreed: Array<Agreed> = []
    for (const { name, params } of elements) {
      const extension = extensions.find((extension) => extension.name === name)
      if (extension === undefined || conflict(agreed, extension) !== undefined) continue
      const accepted = extension.answer(params)
      if (accepted !== undefined) agreed.push({ name, rsv: extension.rsv, ...accepted })
    }
    return { header: agreed.length === 0 ? undefined : agreed.map(ExtensionHeader.format).join(", "), agreed }
  })
