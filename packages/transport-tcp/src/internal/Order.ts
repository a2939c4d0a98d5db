/**
 * Which address is tried next, and when, as Happy Eyeballs has it: sans-IO, told what happens and asked what to do.
 *
 * Families are numbers, the most wanted one is 0. Addresses may come while others are being tried, and find their place then.
 */

/** `HappyEyeballs.Timing` in milliseconds. */
export interface Paces {
  readonly resolutionDelay: number
  readonly attemptDelay: number
  readonly firstFamilyCount: number
}

export class Order<Address> {
  private readonly paces: Paces
  /** Addresses that were not tried yet, by family; undefined while the family's answer is still to come. */
  private readonly untried: Array<Array<Address> | undefined>
  /** The family that was tried last, and how often the first one was. */
  private last: number | undefined = undefined
  private ofFirst = 0
  /** When there may be a first attempt, without an answer for the most wanted family. */
  private begin = Infinity
  /** When the next attempt may be made beside those under way. */
  private beside = -Infinity
  private underWay = 0

  constructor(families: number, paces: Paces) {
    this.paces = paces
    this.untried = Array.from({ length: families }, () => undefined)
  }

  /** The answer for a family has come; it is empty if there is none. */
  answered(family: number, addresses: ReadonlyArray<Address>, now: number): void {
    this.untried[family] = [...addresses]
    if (this.untried[0] !== undefined) this.begin = -Infinity
    else if (addresses.length > 0) this.begin = Math.min(this.begin, now + this.paces.resolutionDelay)
    if (this.untried.every((other) => other !== undefined)) this.begin = -Infinity
  }

  /** An attempt has failed: the next one need not wait. */
  failed(): void {
    this.underWay--
    this.beside = -Infinity
  }

  /** The address to try now, if there is one. */
  next(now: number): Address | undefined {
    if (now < this.time) return undefined
    const family = this.nextFamily!
    this.last = family
    if (family === 0) this.ofFirst++
    this.underWay++
    this.beside = now + this.paces.attemptDelay
    return this.untried[family]!.shift()
  }

  /** When `next` has an address, if nothing happens until then. */
  get time(): number {
    return this.nextFamily === undefined ? Infinity : Math.max(this.begin, this.beside)
  }

  /** Nothing is left to try, or to wait for. */
  get over(): boolean {
    return this.underWay === 0 && this.untried.every((addresses) => addresses?.length === 0)
  }

  /** Some of the first family, then the families take turns. */
  private get nextFamily(): number | undefined {
    const { last, untried } = this
    const has = (family: number): boolean => untried[family] !== undefined && untried[family].length > 0
    if (has(0) && this.ofFirst < this.paces.firstFamilyCount) return 0
    for (let step = 1; step <= untried.length; step++) {
      const family = ((last ?? -1) + step) % untried.length
      if (has(family)) return family
    }
    return undefined
  }
}
