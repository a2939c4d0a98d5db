/**
 * The `Zlib` of Node, by engines that work at once and are used again.
 *
 * They are inside of Node's zlib streams, and not documented (see ARCHITECTURE.md). `deflateRawSync` makes such an engine for each
 * message, and garbage of hundreds of KiB. Building the layer tries them, and dies if they don't do what they should.
 *
 * - Up to `maxIdle` closed engines of each kind and setting are kept for the next who asks, and freed with the layer.
 * - All engines of the thread share the memory for their output: 64 KiB to inflate and `outputSize` to deflate. Output beyond
 *   that has memory of its own.
 * - An engine that was not closed is freed when it is collected.
 */
import {
  Corrupt,
  type Deflater,
  type DeflateSettings,
  type Inflater,
  pieceSize,
  Zlib
} from "@wirestack/websocket/extensions/Zlib"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { constants, createDeflateRaw, createInflateRaw } from "node:zlib"
import { EngineError, Handle } from "./internal/handle.ts"

const { Z_BLOCK, Z_NO_FLUSH, Z_SYNC_FLUSH } = constants

/** How many engines of each kind and setting are kept for the next who asks. */
export const maxIdle = 16

/** How much of the output of a deflater has its place in shared memory. */
export const outputSize = 131_072

/** With less room for its output than this, a flush may write its end twice. */
const leastRoom = 64

/** A stream is made for its engine: the smallest buffer will do. */
const chunkSize = constants.Z_MIN_CHUNK

const none = new Uint8Array(0)
const deflated = new Uint8Array(outputSize)
const inflated = new Uint8Array(pieceSize)

/** The end of a flush, and one byte more, by which is seen whether what is before it was taken for a block. */
const tail = Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x00)

/** Engines that were closed, by their kind and settings. */
class Idle<E extends { readonly reset: () => void; readonly end: () => void }> {
  private readonly engines = new Map<number, Array<E>>()
  private over = false

  take(key: number): E | undefined {
    return this.engines.get(key)?.pop()
  }

  give(key: number, engine: E): void {
    let same = this.engines.get(key)
    if (same === undefined) this.engines.set(key, same = [])
    if (this.over || same.length >= maxIdle) return engine.end()
    engine.reset()
    same.push(engine)
  }

  end(): void {
    this.over = true
    for (const same of this.engines.values()) for (const engine of same.splice(0)) engine.end()
  }
}

class NodeDeflater implements Deflater {
  private readonly handle: Handle
  private readonly key: number
  private readonly idle: Idle<NodeDeflater>

  /** Zlib has no window of 8 bits, but with one of 9 it goes back by at most 250 bytes: 512 less its lookahead of 262. */
  constructor({ level, memLevel, windowBits }: DeflateSettings, key: number, idle: Idle<NodeDeflater>) {
    this.handle = new Handle(createDeflateRaw({ windowBits: Math.max(windowBits, 9), level, memLevel, chunkSize }))
    this.key = key
    this.idle = idle
  }

  deflate(input: Uint8Array, flush: boolean): Uint8Array {
    const { handle } = this
    let output = deflated
    let size = 0
    let at = 0
    for (;;) {
      handle.write(flush ? Z_SYNC_FLUSH : Z_NO_FLUSH, input, at, output, size)
      size = output.length - handle.free
      at = input.length - handle.unused
      if (handle.free > 0) return new Uint8Array(output.buffer, 0, size)
      const grown = new Uint8Array(output.length * 2 + leastRoom)
      grown.set(output)
      output = grown
    }
  }

  reset(): void {
    this.handle.reset()
  }

  close(): void {
    this.idle.give(this.key, this)
  }

  end(): void {
    this.handle.end()
  }
}

class NodeInflater implements Inflater {
  private readonly handle: Handle
  private readonly key: number
  private readonly idle: Idle<NodeInflater>
  private input: Uint8Array = none
  private at = 0
  /** Perhaps there is more output. */
  private more = false

  constructor(windowBits: number, key: number, idle: Idle<NodeInflater>) {
    this.handle = new Handle(createInflateRaw({ windowBits, chunkSize }))
    this.key = key
    this.idle = idle
  }

  feed(input: Uint8Array): void {
    this.input = input
    this.at = 0
    this.more = input.length > 0
  }

  next(): Uint8Array | undefined {
    const { handle } = this
    while (this.more) {
      this.write(Z_SYNC_FLUSH, this.input, this.at)
      this.at = this.input.length - handle.unused
      // An engine that stops with input left and room for output is behind a final block.
      if (handle.free > 0) {
        if (handle.unused > 0) handle.reset()
        else this.feed(none)
      }
      if (handle.free < pieceSize) return new Uint8Array(inflated.buffer, 0, pieceSize - handle.free)
    }
    return undefined
  }

  /**
   * At the end of a block the engine stops (`Z_BLOCK`); behind a final one it takes nothing at all. What makes output of it has
   * taken it for data.
   */
  flushed(): boolean {
    const { handle } = this
    try {
      this.write(Z_BLOCK, tail, 0)
    } catch (error) {
      if (error instanceof Corrupt) return false
      throw error
    }
    if (handle.unused === tail.length) handle.reset()
    return handle.free === pieceSize && (handle.unused === 1 || handle.unused === tail.length)
  }

  private write(flush: number, input: Uint8Array, at: number): void {
    try {
      this.handle.write(flush, input, at, inflated, 0)
    } catch (error) {
      throw error instanceof EngineError && error.code === "Z_DATA_ERROR"
        ? new Corrupt({ detail: error.message })
        : error
    }
  }

  reset(): void {
    this.feed(none)
    this.handle.reset()
  }

  close(): void {
    this.idle.give(this.key, this)
  }

  end(): void {
    this.handle.end()
  }
}

const fail = (detail: string): never => {
  throw new Error(`the engines inside of node:zlib don't work as NodeZlib needs them: ${detail}`)
}

let probed = false

/** Tries everything that is not documented, once. */
const probe = (zlib: Zlib["Service"]): void => {
  if (probed) return
  const deflater = zlib.deflater({ windowBits: 15, level: 6, memLevel: 8 })
  const inflater = zlib.inflater({ windowBits: 15 })
  const text = new Uint8Array(1_000).fill(65)
  for (let round = 0; round < 2; round++) {
    const message = deflater.deflate(text, true)
    if (message.length > 50) fail("deflating")
    inflater.feed(message.slice(0, -4))
    const piece = inflater.next()
    if (piece?.length !== text.length || piece.some((byte, i) => byte !== text[i])) fail("inflating")
    if (inflater.next() !== undefined || !inflater.flushed()) fail("flushing")
    deflater.reset()
  }
  let error: unknown
  try {
    inflater.feed(Uint8Array.of(0xff, 0xff))
    inflater.next()
  } catch (cause) {
    error = cause
  }
  if (!(error instanceof Corrupt)) fail("finding an error")
  inflater.reset()
  inflater.feed(Uint8Array.of(0x03, 0x00))
  inflater.next()
  if (inflater.flushed()) deflater.close()
  else fail("resetting")
  inflater.close()
  probed = true
}

/**
 * Engines of Node; one such layer is enough for a thread.
 *
 * @category layers
 */
export const layer: Layer.Layer<Zlib> = Layer.effect(
  Zlib,
  Effect.acquireRelease(
    Effect.sync(() => {
      const deflaters = new Idle<NodeDeflater>()
      const inflaters = new Idle<NodeInflater>()
      const zlib: Zlib["Service"] = {
        deflater: (settings) => {
          const key = settings.windowBits | (settings.level << 4) | (settings.memLevel << 8)
          return deflaters.take(key) ?? new NodeDeflater(settings, key, deflaters)
        },
        inflater: ({ windowBits }) => inflaters.take(windowBits) ?? new NodeInflater(windowBits, windowBits, inflaters)
      }
      probe(zlib)
      return { zlib, deflaters, inflaters }
    }),
    ({ deflaters, inflaters }) =>
      Effect.sync(() => {
        deflaters.end()
        inflaters.end()
      })
  ).pipe(Effect.map(({ zlib }) => zlib))
)
