/** The straight line that fits points best, of which none is kept. */
export class Slope {
  private count = 0
  private x = 0
  private y = 0
  private xx = 0
  private xy = 0
  private first: number | undefined = undefined
  private last = 0

  /** The points come in the order of x. */
  add(x: number, y: number): void {
    this.count++
    this.first ??= x
    this.last = x
    const dx = x - this.x
    this.x += dx / this.count
    this.y += (y - this.y) / this.count
    this.xx += dx * (x - this.x)
    this.xy += dx * (y - this.y)
  }

  /** How much y grows with x; not known of less than three points. */
  get rise(): number | undefined {
    return this.count < 3 ? undefined : this.xy / this.xx
  }

  /** How much y grows from the first to the last point. */
  get growth(): number {
    return (this.rise ?? 0) * (this.last - (this.first ?? 0))
  }
}
