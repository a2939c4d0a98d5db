import { assert, describe, it } from "@effect/vitest"
import {
  Corrupt,
  type Deflater,
  type Inflater,
  type Level,
  type MemLevel,
  type WindowBits,
  Zlib
} from "@wirestack/websocket/extensions/Zlib"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as NativeZlib from "node:zlib"
import * as NodeZlib from "../src/NodeZlib.ts"
import { inflate } from "./distances.ts"

type Engines = Zlib["Service"]

/** Runs a test on a layer of its own. */
const onLayer = (test: (zlib: Engines) => void) => () =>
  Effect.runSync(Effect.provide(Effect.map(Zlib, test), Layer.fresh(NodeZlib.layer)))

const defaults = { windowBits: 15, level: 6, memLevel: 8 } as const
const allBits: ReadonlyArray<WindowBits> = [8, 9, 10, 11, 12, 13, 14, 15]

/** Numbers that repeat themselves for a seed. */
const random = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state / 0x80000000
  }
}

/** Text with repetitions near and far. */
const prose = (length: number, seed = 1): Uint8Array => {
  const next = random(seed)
  const words = Array.from({ length: 300 }, () => Math.floor(next() * 1e9).toString(36).slice(Math.floor(next() * 4)))
  let text = ""
  while (text.length < length) text += `${words[Math.floor(next() ** 2 * words.length)]} `
  return Uint8Array.from(Buffer.from(text.slice(0, length)))
}

const noise = (length: number): Uint8Array => {
  const next = random(2)
  return Uint8Array.from({ length }, () => next() * 256)
}

const outputOf = (inflater: Inflater, ...inputs: ReadonlyArray<Uint8Array>): Uint8Array => {
  const pieces: Array<Uint8Array> = []
  for (const input of inputs) {
    inflater.feed(input)
    for (let piece = inflater.next(); piece !== undefined; piece = inflater.next()) pieces.push(piece.slice())
  }
  return new Uint8Array(Buffer.concat(pieces))
}

const sameBytes = (one: Uint8Array, other: Uint8Array): void =>
  assert.isTrue(Buffer.compare(one, other) === 0, `${one.length} and ${other.length} bytes`)

const withTail = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(Buffer.concat([bytes, Buffer.from("0000ffff", "hex")]))

const byNode = (deflated: Uint8Array, windowBits: number = 15): Uint8Array =>
  NativeZlib.inflateRawSync(deflated, { windowBits, finishFlush: NativeZlib.constants.Z_SYNC_FLUSH })

describe("a deflater", () => {
  const levels: ReadonlyArray<Level> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  const memLevels: ReadonlyArray<MemLevel> = [1, 4, 8, 9]
  const input = prose(20_000)

  for (const windowBits of allBits) {
    it(
      `RFC 7692 7.1.2: goes back by at most ${2 ** windowBits} bytes with ${windowBits} bits`,
      onLayer((zlib) => {
        let farthest = 0
        for (const level of levels) {
          for (const memLevel of memLevels) {
            const deflater = zlib.deflater({ windowBits, level, memLevel })
            const messages = [0, 1, 2].map((i) =>
              deflater.deflate(input.subarray(i * 6_000, (i + 1) * 6_000), true).slice()
            )
            const { bytes, distances } = inflate(new Uint8Array(Buffer.concat(messages)))
            sameBytes(bytes, input.subarray(0, 18_000))
            if (level > 0) assert.isAbove(distances.length, 100)
            farthest = Math.max(farthest, ...distances)
            deflater.close()
          }
        }
        assert.isAtMost(farthest, 2 ** windowBits)
        if (windowBits <= 9) assert.isAtMost(farthest, 512 - 262)
        else if (windowBits <= 13) assert.isAbove(farthest, 2 ** (windowBits - 1))
      })
    )
  }

  it(
    "RFC 7692 7.1.2: of 8 bits is understood by an inflater of 8 bits, a byte at a time",
    onLayer((zlib) => {
      const deflater = zlib.deflater({ ...defaults, windowBits: 8 })
      const message = withTail(deflater.deflate(input, true).slice(0, -4))
      const inflater = zlib.inflater({ windowBits: 8 })
      sameBytes(outputOf(inflater, ...Array.from(message, (byte) => Uint8Array.of(byte))), input)
      const far = zlib.deflater({ ...defaults, windowBits: 10 }).deflate(input, true).slice()
      inflater.reset()
      assert.throws(() => outputOf(inflater, ...Array.from(far, (byte) => Uint8Array.of(byte))))
    })
  )

  it(
    "flushes when asked to, and only then",
    onLayer((zlib) => {
      const deflater = zlib.deflater(defaults)
      assert.strictEqual(deflater.deflate(prose(500), false).length, 0)
      const flushed = deflater.deflate(prose(500), true).slice()
      assert.strictEqual(Buffer.from(flushed.subarray(-4)).toString("hex"), "0000ffff")
      sameBytes(byNode(flushed), Uint8Array.from(Buffer.concat([prose(500), prose(500)])))
      assert.isAbove(deflater.deflate(prose(10), true).length, 4)
    })
  )

  it(
    "has room for any output",
    onLayer((zlib) => {
      const { outputSize } = NodeZlib
      const big = noise(3 * outputSize)
      for (const level of [0, 1, 6] as const) {
        const deflater = zlib.deflater({ ...defaults, level })
        sameBytes(byNode(deflater.deflate(big, true)), big)
        deflater.reset()
        const parts = [0, 1, 2, 3, 4, 5].map((i) =>
          deflater.deflate(big.subarray((i * big.length) / 6, ((i + 1) * big.length) / 6), i === 5).slice()
        )
        sameBytes(byNode(Buffer.concat(parts)), big)
        deflater.reset()
        for (let length = outputSize - 80; length < outputSize; length++) {
          deflater.reset()
          sameBytes(byNode(deflater.deflate(big.subarray(0, length), true)), big.subarray(0, length))
        }
        deflater.close()
      }
    })
  )

  it(
    "forgets when reset",
    onLayer((zlib) => {
      const deflater = zlib.deflater(defaults)
      const first = deflater.deflate(prose(1000), true).slice()
      assert.isBelow(deflater.deflate(prose(1000), true).length, first.length / 4)
      deflater.deflate(prose(700), false)
      deflater.reset()
      sameBytes(deflater.deflate(prose(1000), true), first)
    })
  )
})

describe("an inflater", () => {
  it(
    "gives pieces of at most 64 KiB, whatever the input",
    onLayer((zlib) => {
      const zeros = NativeZlib.deflateRawSync(new Uint8Array(1_000_000))
      const inflater = zlib.inflater(defaults)
      inflater.feed(zeros)
      const sizes: Array<number> = []
      for (let piece = inflater.next(); piece !== undefined; piece = inflater.next()) sizes.push(piece.length)
      assert.deepStrictEqual(sizes, [...Array.from({ length: 15 }, () => 65_536), 16_960])
    })
  )

  it(
    "goes on behind each final block",
    onLayer((zlib) => {
      const final = NativeZlib.deflateRawSync(prose(70_000))
      const inflater = zlib.inflater(defaults)
      const all = Uint8Array.from(Buffer.concat([final, final, final]))
      const expected = Buffer.concat([prose(70_000), prose(70_000), prose(70_000)])
      sameBytes(outputOf(inflater, all), expected)
      assert.isTrue(inflater.flushed())
      sameBytes(outputOf(inflater, ...Array.from(all, (byte) => Uint8Array.of(byte))), expected)
      assert.isTrue(inflater.flushed())
    })
  )

  it(
    "knows whether its input was flushed",
    onLayer((zlib) => {
      const deflater = zlib.deflater(defaults)
      for (const windowBits of allBits) {
        const message = zlib.deflater({ ...defaults, windowBits }).deflate(prose(600, windowBits), true).slice(0, -4)
        const inflater = zlib.inflater({ windowBits })
        let cuts = 0
        for (let length = 0; length < message.length; length++) {
          outputOf(inflater, message.slice(0, length))
          if (!inflater.flushed()) cuts++
          inflater.reset()
        }
        assert.strictEqual(cuts, message.length)
        for (let i = 0; i < 3; i++) {
          outputOf(inflater, message)
          assert.isTrue(inflater.flushed())
        }
        inflater.close()
      }
      deflater.close()
    })
  )

  it(
    "is not flushed by a tail that is data to it",
    onLayer((zlib) => {
      const inflater = zlib.inflater(defaults)
      const stored = Uint8Array.of(0x00, 0x06, 0x00, 0xf9, 0xff, 0x61, 0x61)
      sameBytes(outputOf(inflater, stored), Uint8Array.of(0x61, 0x61))
      assert.isFalse(inflater.flushed())
    })
  )

  it(
    "throws for what is corrupt, and is good again when reset",
    onLayer((zlib) => {
      const deflated = NativeZlib.deflateRawSync(prose(500))
      const inflater = zlib.inflater(defaults)
      for (let i = 0; i < 3; i++) {
        assert.throws(() => outputOf(inflater, Uint8Array.of(0xff, 0xff)), /not DEFLATE: invalid block type/)
        assert.throws(() => outputOf(inflater, Uint8Array.of(0xff)), /not DEFLATE/)
        inflater.reset()
        sameBytes(outputOf(inflater, deflated), prose(500))
        inflater.reset()
      }
      try {
        outputOf(inflater, Uint8Array.of(0x07))
        assert.fail()
      } catch (error) {
        assert.instanceOf(error, Corrupt)
      }
    })
  )

  it(
    "says nothing of an error to the process",
    () =>
      new Promise<void>((resolve, reject) => {
        process.once("uncaughtException", reject)
        onLayer((zlib) => {
          const inflater = zlib.inflater(defaults)
          assert.throws(() => outputOf(inflater, Uint8Array.of(0xff)))
          inflater.close()
        })()
        setImmediate(() => {
          process.off("uncaughtException", reject)
          resolve()
        })
      })
  )

  it(
    "stands input whose memory is taken away",
    onLayer((zlib) => {
      const inflater = zlib.inflater(defaults)
      const input = Uint8Array.from(NativeZlib.deflateRawSync(new Uint8Array(1_000_000)))
      inflater.feed(input)
      inflater.next()
      structuredClone(input, { transfer: [input.buffer] })
      assert.throws(() => inflater.next(), RangeError)
      inflater.reset()
      assert.isUndefined(inflater.next())
    })
  )
})

describe("closed engines", () => {
  const build = () => {
    const scope = Scope.makeUnsafe()
    const zlib = Context.get(Effect.runSync(Layer.buildWithScope(Layer.fresh(NodeZlib.layer), scope)), Zlib)
    return { zlib, close: () => Effect.runSync(Scope.close(scope, Exit.void)) }
  }

  const settings = { ...defaults, windowBits: 11 } as const

  it("are used again, up to sixteen of a kind", () => {
    const { close, zlib } = build()
    const some = <E>(make: () => E): ReadonlyArray<E> => Array.from({ length: 40 }, make)
    for (const make of [() => zlib.deflater(settings), () => zlib.inflater(settings)]) {
      const first = some<Deflater | Inflater>(make)
      for (const engine of first) engine.close()
      const second = some<Deflater | Inflater>(make)
      assert.lengthOf(second.filter((engine) => first.includes(engine)), NodeZlib.maxIdle)
      assert.strictEqual(new Set(second).size, 40)
      for (const engine of second) engine.close()
    }
    close()
  })

  it("are not used with other settings", () => {
    const { close, zlib } = build()
    const engine = zlib.deflater(settings)
    engine.close()
    for (const other of [{ level: 5 }, { memLevel: 7 }, { windowBits: 12 }] as const) {
      assert.notStrictEqual(zlib.deflater({ ...settings, ...other }), engine)
    }
    assert.strictEqual(zlib.deflater(settings), engine)
    close()
  })

  it("have forgotten everything", () => {
    const { close, zlib } = build()
    const deflater = zlib.deflater(settings)
    const message = deflater.deflate(prose(500), true).slice()
    deflater.deflate(prose(100), false)
    deflater.close()
    assert.deepStrictEqual(zlib.deflater(settings).deflate(prose(500), true).slice(), message)
    const inflater = zlib.inflater(settings)
    assert.throws(() => outputOf(inflater, Uint8Array.of(0xff)))
    inflater.close()
    const same = zlib.inflater(settings)
    assert.strictEqual(same, inflater)
    same.feed(message.slice(0, 10))
    same.next()
    same.close()
    sameBytes(outputOf(zlib.inflater(settings), message), prose(500))
    close()
  })

  it("are freed with the layer, as are those closed after it", () => {
    const { close, zlib } = build()
    const idle = zlib.deflater(settings)
    const used = zlib.inflater(settings)
    idle.close()
    close()
    assert.throws(() => idle.deflate(prose(10), true), RangeError)
    used.feed(Uint8Array.of(0x03, 0x00))
    assert.isUndefined(used.next())
    used.close()
    used.close()
    assert.notStrictEqual(zlib.inflater(settings), used)
    used.feed(Uint8Array.of(0))
    assert.throws(() => used.next(), RangeError)
  })
})
