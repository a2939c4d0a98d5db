/**
 * The body of a Close frame: nothing, or a status code followed by a reason in UTF-8.
 *
 *     +--------------+----------------------+
 *     |  code (16)   |  reason (0 .. 123)   |
 *     +--------------+----------------------+
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
 */

import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import type { Status } from "@wirestack/protocol/Outcome"
import { Violation } from "@wirestack/protocol/Reason"
import { TextEncoder } from "../internal/platform.ts"
import { Absent, type CloseCode, isCloseCode, textSection } from "./CloseCode.ts"

/** How long the reason may be in UTF-8, for the body to fit into a control frame. */
export const maxReasonSize = 123

const encoder = new TextEncoder()

/**
 * The body of a code and a reason. The reason is a hint for people: one that is too long is cut, between two characters.
 *
 * @category encoding
 */
export const encode = (code: CloseCode, reason: string): Uint8Array => {
  const body = new Uint8Array(2 + maxReasonSize)
  body[0] = code >>> 8
  body[1] = code & 0xff
  return body.subarray(0, 2 + encoder.encodeInto(reason, body.subarray(2)).written)
}

/**
 * The status in a body; an empty one is reported as 1005.
 *
 * @category decoding
 */
export const decode = (body: Uint8Array): Status | Violation => {
  if (body.length === 0) return { code: Absent.NoStatusReceived, reason: "" }
  if (body.length === 1) {
    return new Violation({ rule: "a Close body has a code of two bytes", section: "RFC 6455 section 5.5.1" })
  }
  const code = (body[0] << 8) | body[1]
  if (!isCloseCode(code)) {
    return new Violation({ rule: `${code} can't be the code of a Close frame`, section: "RFC 6455 section 7.4" })
  }
  const reason = Utf8.decode(body, 2, body.length)
  return reason === undefined
    ? new Violation({ rule: "the reason of a Close frame is UTF-8", section: textSection })
    : { code, reason }
}
