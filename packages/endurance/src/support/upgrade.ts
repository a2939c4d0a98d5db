/** The opening of a WebSocket and its frames, as who sits on a bare socket writes them. */
import { createHash } from "node:crypto"

const key = Buffer.from("a load generator").toString("base64")

/** What the answer to `request` must have. */
export const accepted = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")

/** The head that asks for a WebSocket. */
export const request = (port: number, path = "/", ...headers: ReadonlyArray<string>): string =>
  [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    ...headers,
    "",
    ""
  ].join("\r\n")

/** The first two bytes of a frame, whatever is wrong with them, its length and a mask of zeros. */
export const head = (first: number, length: number): Buffer => {
  const mask = [0, 0, 0, 0]
  if (length < 126) return Buffer.from([first, 0x80 | length, ...mask])
  const size = Buffer.alloc(8)
  size.writeBigUInt64BE(BigInt(length))
  return length < 65_536
    ? Buffer.from([first, 0x80 | 126, size[6], size[7], ...mask])
    : Buffer.from([first, 0x80 | 127, ...size, ...mask])
}

/** A frame with a mask of zeros; `first` has its bits and its opcode. */
export const frame = (first: number, payload: Uint8Array): Buffer =>
  Buffer.concat([head(first, payload.length), payload])
