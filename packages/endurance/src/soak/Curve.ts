/** Memory over time: every point goes into a file, and so many as can be shown are kept. */
import { appendFileSync, writeFileSync } from "node:fs"
import type { Memory } from "../support/Memory.ts"

/** What is seen at a quiet point; memory in MiB, without garbage. */
export interface Point extends Memory {
  readonly minutes: number
  readonly connections: number
  readonly messages: number
}

const columns = ["minutes", "connections", "messages", "rss", "heap", "external"] as const

/** The most points that are kept; of more, every second one. */
const most = 32

const width = 50

export class Curve {
  private readonly file: string | undefined
  private points: Array<Point> = []
  private stride = 1
  private seen = 0

  /** Writes to a file with comma-separated values, if there is one. */
  constructor(file?: string) {
    this.file = file
    if (file !== undefined) writeFileSync(file, `${columns.join()}\n`)
  }

  add(point: Point): void {
    if (this.file !== undefined) appendFileSync(this.file, `${columns.map((name) => +point[name].toFixed(3)).join()}\n`)
    if (this.seen++ % this.stride !== 0) return
    this.points.push(point)
    if (this.points.length <= most) return
    this.points = this.points.filter((_, index) => index % 2 === 0)
    this.stride *= 2
  }

  /** The heap as bars, and what else there is as numbers. */
  get chart(): string {
    const highest = Math.max(...this.points.map(({ heap }) => heap))
    return [
      "   min    heap   external      rss   MiB",
      ...this.points.map(({ external, heap, minutes, rss }) =>
        [
          minutes.toFixed(1).padStart(6),
          heap.toFixed(1).padStart(8),
          external.toFixed(1).padStart(11),
          rss.toFixed(1).padStart(9),
          `   ${"#".repeat(Math.round(heap / highest * width))}`
        ].join("")
      )
    ].join("\n")
  }
}
