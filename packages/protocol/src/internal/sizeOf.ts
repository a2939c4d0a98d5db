/** The weight of a message where nothing but the message is known: bytes or UTF-16 units, and 1 for any other value. */
export const sizeOf = (message: unknown): number =>
  message instanceof Uint8Array || typeof message === "string" ? message.length : 1
