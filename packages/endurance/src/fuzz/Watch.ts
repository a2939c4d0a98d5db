/**
 * The input that is being shown, where another thread sees it: who runs the targets may hang, and then it is known in what.
 *
 *     int32 0   how many inputs were shown
 *     int32 1   the length of the last one, which follows
 */
import { maxSize } from "./mutate.ts"

const headSize = 8

export class Watch {
  readonly memory: SharedArrayBuffer
  private readonly head: Int32Array
  private readonly bytes: Uint8Array

  constructor(memory = new SharedArrayBuffer(headSize + maxSize)) {
    this.memory = memory
    this.head = new Int32Array(memory, 0, 2)
    this.bytes = new Uint8Array(memory, headSize)
  }

  show(input: Uint8Array): void {
    const shown = input.subarray(0, maxSize)
    this.bytes.set(shown)
    this.head[1] = shown.length
    Atomics.add(this.head, 0, 1)
  }

  get count(): number {
    return Atomics.load(this.head, 0)
  }

  get input(): Uint8Array {
    return this.bytes.slice(0, this.head[1])
  }
}
