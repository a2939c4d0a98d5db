/** Bytes by the word. */

/** Larger buffers are not kept alive for the sake of their view. */
const cachedSize = 65_536

let viewed = new Uint8Array(0)
let view: DataView = new DataView(viewed.buffer)

/** A view of the whole buffer of `bytes`; the last one is kept, since many frames come and go in one buffer. */
export const viewOf = (bytes: Uint8Array): DataView => {
  if (bytes === viewed) return view
  const { buffer } = bytes
  const found = view.buffer === buffer ? view : new DataView(buffer)
  if (buffer.byteLength <= cachedSize) {
    viewed = bytes as Uint8Array<ArrayBuffer>
    view = found
  }
  return found
}
