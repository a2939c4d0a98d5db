/** Input that a machine was shown and had no room for. */
const none: ReadonlyArray<never> = []

export class Kept<A> {
  private input: ReadonlyArray<A> = none

  /** What was kept, and what is new after it. */
  and(input: ReadonlyArray<A>): ReadonlyArray<A> {
    const kept = this.input
    if (kept.length === 0) return input
    this.input = none
    return input.length === 0 ? kept : [...kept, ...input]
  }

  /** Keeps the input from `index` on, its first element replaced by what is left of it; returns false. */
  keep(input: ReadonlyArray<A>, index: number, rest: A): false {
    this.input = index === 0 && rest === input[0] ? input : [rest, ...input.slice(index + 1)]
    return false
  }

  /** Replaces all that is kept. */
  replace(by: (input: A) => A): void {
    this.input = this.input.map(by)
  }
}
