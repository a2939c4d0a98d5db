/** What a peer says, made safe for a terminal: control characters could move the cursor, or make it type. */
import { printable } from "@wirestack/protocol/tap/Payload"

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** How many bytes of what is no text are shown. */
const shown = 64

/** Bytes as text if they are, else in hexadecimal. */
export const printableBytes = (bytes: Uint8Array): string => {
  try {
    return printable(utf8.decode(bytes))
  } catch {
    const hex = Buffer.from(bytes.subarray(0, shown)).toString("hex").replace(/..(?!$)/g, "$& ")
    return `${hex}${bytes.length > shown ? " ..." : ""} (${bytes.length} bytes)`
  }
}

/** Messages as a terminal may show them. A stream of bytes is text, of which a character may be in two chunks. */
export const showing = (
  { raw, shape }: { readonly raw: boolean; readonly shape: "messages" | "bytes" }
): (message: string | Uint8Array) => string => {
  const stream = new TextDecoder()
  return (message) => {
    const text = typeof message === "string" || shape === "messages"
      ? message
      : stream.decode(message, { stream: true })
    if (typeof text !== "string") return printableBytes(text)
    return raw ? text : printable(text)
  }
}
