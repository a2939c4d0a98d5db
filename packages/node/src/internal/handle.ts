/**
 * The engine inside one of Node's zlib streams: it works at once and can be used again, which the stream itself can't. None
 * of this is documented. A wrong argument ends the process, so `write` is the one place that calls it.
 */
import type { DeflateRaw, InflateRaw } from "node:zlib"

/** What of Node's zlib streams is used here and not documented. */
interface Inner {
  readonly _handle: {
    /** Is called with the message, number and name of an error, before the call that meets it returns. */
    onerror: typeof onerror
    writeSync(
      flush: number,
      input: Uint8Array,
      inputOffset: number,
      inputLength: number,
      output: Uint8Array,
      outputOffset: number,
      outputLength: number
    ): void
    reset(): void
    close(): void
  }
  /** How much of the output is free, and of the input unused, after a call. */
  readonly _writeState: Uint32Array
}

/** An error of zlib's own, by its name there. The engine has it until it is reset. */
export class EngineError extends Error {
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}

/** What is wrong with the call that is going on. */
let failure: EngineError | undefined = undefined

const onerror = (message: string, _errno: number, code: string): void => {
  failure = new EngineError(message, code)
}

export class Handle {
  /** How much of the output is free after a call. */
  free = 0
  /** How much of the input is unused after a call. */
  unused = 0
  private inner: Inner | undefined

  constructor(stream: DeflateRaw | InflateRaw) {
    this.inner = stream as unknown as Inner
    Object.assign(this.inner._handle, { onerror })
  }

  /** Works on the input from `at` on, and into the output from `offset` on. Throws an `EngineError`. */
  write(flush: number, input: Uint8Array, at: number, output: Uint8Array, offset: number): void {
    if (this.inner === undefined || at > input.length || offset > output.length) {
      throw new RangeError("an engine was used after its end, or beyond its memory")
    }
    const { _handle, _writeState } = this.inner
    _handle.writeSync(flush, input, at, input.length - at, output, offset, output.length - offset)
    if (failure !== undefined) {
      const error = failure
      failure = undefined
      throw error
    }
    this.free = _writeState[0]
    this.unused = _writeState[1]
  }

  reset(): void {
    this.inner?._handle.reset()
  }

  /** Frees its memory. */
  end(): void {
    this.inner?._handle.close()
    this.inner = undefined
  }
}
