/**
 * The status code of a Close frame, as a type that holds no code that must not be sent.
 *
 * The codes of the protocol are literals; those of applications are branded numbers which only the constructors make,
 * and these accept no literal outside of their range. So `1005`, `999` or `2000` where a `CloseCode` is wanted do not
 * compile. The same set is what a peer may send.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4
 */
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import type { Why } from "@wirestack/protocol/Outcome"
import type * as Brand from "effect/Brand"
import * as Option from "effect/Option"

/**
 * The codes of the protocol and its registry that may be sent.
 *
 * @see https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
 */
export const Protocol = {
  NormalClosure: 1000,
  GoingAway: 1001,
  ProtocolError: 1002,
  UnsupportedData: 1003,
  InvalidFramePayloadData: 1007,
  PolicyViolation: 1008,
  MessageTooBig: 1009,
  MandatoryExtension: 1010,
  InternalError: 1011,
  ServiceRestart: 1012,
  TryAgainLater: 1013,
  BadGateway: 1014
} as const

export type Protocol = typeof Protocol[keyof typeof Protocol]

/**
 * What stands for a missing code in reports, and is never sent.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
 */
export const Absent = {
  /** The Close frame had no status. */
  NoStatusReceived: 1005,
  /** There was no Close frame. */
  AbnormalClosure: 1006
} as const

export type Absent = typeof Absent[keyof typeof Absent]

/** A code of a library or framework, registered with IANA: 3000 to 3999. */
export type Registered = Brand.Branded<number, "@wirestack/websocket/CloseCode/Registered">

/** A code of an application: 4000 to 4999. */
export type Private = Brand.Branded<number, "@wirestack/websocket/CloseCode/Private">

/** A code that may be sent. */
export type CloseCode = Protocol | Registered | Private

/** A code as it is reported. */
export type Reported = CloseCode | Absent

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

type Thousand<N extends number, Lead extends 3 | 4> = `${N}` extends `${Lead}${Digit}${Digit}${Digit}` ? N : never

/**
 * A registered code from a literal between 3000 and 3999; for a number that is only known later there is `make`.
 *
 * @category constructors
 */
export const registered = <const N extends number>(code: Thousand<N, 3>): Registered => code as number as Registered

/**
 * An application's own code from a literal between 4000 and 4999; for a number that is only known later there is `make`.
 *
 * @category constructors
 */
export const privateUse = <const N extends number>(code: Thousand<N, 4>): Private => code as number as Private

/** Whether the number may stand in a Close frame, sent or received. */
export const isCloseCode = (code: number): code is CloseCode =>
  Number.isInteger(code) &&
  ((code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999))

/**
 * The code of a number, if it may be sent.
 *
 * @category constructors
 */
export const make = (code: number): Option.Option<CloseCode> => isCloseCode(code) ? Option.some(code) : Option.none()

const whys: { readonly [K in Why]: Protocol } = {
  done: Protocol.NormalClosure,
  failed: Protocol.InternalError,
  away: Protocol.GoingAway,
  restart: Protocol.ServiceRestart,
  overloaded: Protocol.TryAgainLater
}

/** The code for why our side closes. */
export const fromWhy = (why: Why): Protocol => whys[why]

/**
 * The section whose violations have a code of their own: text that is not UTF-8.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-8.1
 */
export const textSection = "RFC 6455 section 8.1"

/**
 * The same of the extension `permessage-deflate`: a compressed message that can't be decompressed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2
 */
export const deflateSection = "RFC 7692 section 7.2.2"

/**
 * The code that tells the peer why we give up on it.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
 */
export const fromViolation = (reason: ConnectionReason): Protocol => {
  switch (reason._tag) {
    case "Violation":
      return reason.section === textSection || reason.section === deflateSection
        ? Protocol.InvalidFramePayloadData
        : Protocol.ProtocolError
    case "Unsupported":
      return Protocol.UnsupportedData
    case "Undecodable":
      return reason.by === "schema" ? Protocol.PolicyViolation : Protocol.InvalidFramePayloadData
    case "TooLarge":
      return Protocol.MessageTooBig
    case "RateExceeded":
    case "TimedOut":
      return Protocol.PolicyViolation
    default:
      return Protocol.InternalError
  }
}
