/** What is fuzzed: how its inputs look, and what must hold of each. */

/** What came of an input. */
export interface Verdict {
  /** Something of it was taken; else it was refused as it should be. */
  readonly accepted: boolean
  /** In which way: inputs of which something new comes are kept, and changed further. */
  readonly how: string
}

export interface Target {
  readonly name: string
  /** Valid inputs, of which all others are made. */
  readonly corpus: ReadonlyArray<Uint8Array>
  /** What stands in inputs. */
  readonly dictionary?: ReadonlyArray<string> | undefined
  /** How many milliseconds of work an input may take in all ways in which it is shown, besides 20 for each KiB of it; 250 by default. */
  readonly within?: number
  /** Which inputs it accepts: some, by default, and not all; or none, as there is nobody behind them that it could trust. */
  readonly takes?: "some" | "none"
  /** Shows it an input, the same way each time, and throws what must not be. */
  readonly show: (input: Uint8Array) => Verdict | Promise<Verdict>
}

/** A target of texts. */
export const ofText = (
  { corpus, show, ...target }: Omit<Target, "corpus" | "show"> & {
    readonly corpus: ReadonlyArray<string>
    readonly show: (text: string) => Verdict
  }
): Target => ({
  ...target,
  corpus: corpus.map((text) => new TextEncoder().encode(text)),
  show: (input) => show(new TextDecoder().decode(input))
})
