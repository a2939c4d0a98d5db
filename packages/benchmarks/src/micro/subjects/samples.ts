/** The messages that are measured. */
import { encode } from "../../Frames.ts"

/** How many small messages lie in one read. */
export const batch = 64

/** Bytes that compress badly. */
export const binary = (size: number): Buffer => {
  const bytes = Buffer.alloc(size)
  for (let i = 0, seed = 1; i < size; i++) bytes[i] = (seed = Math.imul(seed, 1_103_515_245) + 12_345) >>> 16
  return bytes
}

/** A text of that many bytes, from repetitions of a piece. */
export const text = (piece: string, size: number): string =>
  Buffer.alloc(size, piece).subarray(0, size - size % Buffer.byteLength(piece)).toString()

export const ascii = "The quick brown fox jumps over the lazy dog 0123456789. "

/** Each of the four lengths of a character; most have one byte. */
export const mixed = "Grüße an alle, привет, こんにちは, and a smile 🙂 in the end. "

/**
 * A whole message as a client sends it. To unmask it twice gives what it was, and ASCII stays ASCII with this key, so a read can
 * be decoded in place over and over.
 */
export const frame = (payload: string | Buffer): Buffer => encode(payload, false, Buffer.from([1, 2, 4, 8]))

/** An order with some lines: about 900 bytes of JSON. */
export interface Order {
  readonly id: string
  readonly placed: string
  readonly status: "open" | "paid" | "shipped"
  readonly customer: {
    readonly id: number
    readonly name: string
    readonly email: string
    readonly address: { readonly street: string; readonly city: string; readonly postcode: string }
  }
  readonly lines: ReadonlyArray<{
    readonly sku: string
    readonly title: string
    readonly quantity: number
    readonly price: number
    readonly tags: ReadonlyArray<string>
  }>
  readonly note: string | null
  readonly gift: boolean
}

const titles = ["Ball bearing", "Copper washer", "Hex bolt M8", "Spring steel", "Gasket", "Thermal paste", "Fuse 10 A"]
const cities = ["Rotterdam", "Zürich", "Gdańsk", "Lyon", "Porto"]

/** The n-th order; no two are alike. */
export const order = (n: number): Order => ({
  id: `ord_${(n * 7_919 + 1e9).toString(36)}`,
  placed: new Date(1_760_000_000_000 + n * 86_413_337).toISOString(),
  status: (["open", "paid", "shipped"] as const)[n % 3],
  customer: {
    id: 40_000 + n * 17,
    name: `Customer ${(n * 104_729).toString(36)}`,
    email: `c${n * 17}@mail${n % 9}.example`,
    address: { street: `${n * 3 + 1} Harbour Street`, city: cities[n % 5], postcode: `${10_000 + n * 331}` }
  },
  lines: Array.from({ length: 5 }, (_, i) => ({
    sku: `sku-${(n * 31 + i * 7_907).toString(16)}`,
    title: titles[(n + i * 3) % 7],
    quantity: (n * i) % 12 + 1,
    price: ((n * 977 + i * 4_409) % 99_999) / 100,
    tags: ["in stock", n % 2 === 0 ? "small" : "heavy"]
  })),
  note: n % 4 === 0 ? null : `leave it at door ${n}`,
  gift: n % 5 === 0
})
