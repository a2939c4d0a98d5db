/**
 * Memory that is cut into pieces from its start to its end, and then left to them and replaced.
 *
 * Pieces may become what a user receives, and a user may transfer a message to a worker, which takes the whole buffer from all that
 * lie in it. So memory is cut only where the runtime can forbid that, as Node does for its own pool; elsewhere each piece has a
 * buffer of its own.
 */
interface Threads {
  readonly markAsUntransferable?: (buffer: ArrayBufferLike) => void
}

interface Process {
  readonly getBuiltinModule?: (name: string) => Threads | undefined
}

const { process } = globalThis as { readonly process?: Process }

const forbidTransfer = process?.getBuiltinModule?.("node:worker_threads")?.markAsUntransferable

export class Slab {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  /** Where they lie, which takes its time to ask of the bytes themselves. */
  memory = this.bytes.buffer
  /** How much of it is cut off. */
  used = 0
  readonly size: number

  constructor(size: number) {
    this.size = size
  }

  /** Cuts off a piece of at most the slab's size, and returns its offset in `bytes`. */
  cut(length: number): number {
    if (this.used + length > this.bytes.length) {
      this.bytes = new Uint8Array(forbidTransfer === undefined ? length : this.size)
      this.memory = this.bytes.buffer
      forbidTransfer?.(this.memory)
      this.used = 0
    }
    const offset = this.used
    this.used = offset + length
    return offset
  }

  /** Takes a piece back that nobody needs any more, if it was the last to be cut off. */
  rewind(piece: Uint8Array): void {
    if (piece.byteOffset + piece.length === this.used && piece.buffer === this.memory) {
      this.used = piece.byteOffset
    }
  }
}
