/** What a frame carries: data frames have an opcode below 8, control frames from 8 on; all others are reserved. */

/** @see https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
export const Opcode = {
  /** A further fragment of the message that a Text or Binary frame began. */
  Continuation: 0x0,
  Text: 0x1,
  Binary: 0x2,
  /** @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1 */
  Close: 0x8,
  /** @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2 */
  Ping: 0x9,
  /** @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.3 */
  Pong: 0xa
} as const

export type Opcode = typeof Opcode[keyof typeof Opcode]
