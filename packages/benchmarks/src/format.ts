/** Numbers as people read them; what is no number is a dash. */

const finite = (value: number, write: () => string): string => Number.isFinite(value) ? write() : "-"

/** 3 significant digits, zeros too, and never an exponent: what stands in columns. */
export const plain = (value: number): string =>
  finite(value, () => {
    const digits = Math.min(2, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1))))
    return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
  })

export const percent = (part: number): string =>
  finite(part, () => `${(part * 100).toFixed(Math.abs(part) < 0.01 ? 1 : 0)} %`)

/** With the largest of some units in which it is at least 1, or with the smallest. */
const scaled = (units: ReadonlyArray<readonly [size: number, name: string]>) => (value: number): string =>
  finite(value, () => {
    const [size, name] = units.find(([size]) => Math.abs(value) >= size * 0.9995) ?? units.at(-1)!
    return `${(value / size).toLocaleString("en", { maximumSignificantDigits: 3 })} ${name}`.trimEnd()
  })

/** "1.32 M". */
export const many = scaled([[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]])

/** Of nanoseconds: "170 µs". */
export const time = scaled([[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]])

/** "16 KiB", "1.5 MiB". */
export const bytes = scaled([[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]])
