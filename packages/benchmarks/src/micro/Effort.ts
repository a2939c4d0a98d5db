/** How much time a measurement takes. */
export interface Effort {
  /** Processes a benchmark. */
  readonly rounds: number
  /** Turns of an operation and its reference in each. */
  readonly turns: number
}

/** Enough for what is to be believed. */
export const thorough: Effort = { rounds: 11, turns: 25 }

/** Enough to see what is grossly wrong; spreads are wider. */
export const quick: Effort = { rounds: 5, turns: 10 }
