/** A codec's machine whose values are mapped, in both directions; what they weigh stays what it was. */
import type { Prepared } from "../fanout/Prepared.ts"
import type { Io, Machine } from "../Machine.ts"
import { Passage } from "./Passage.ts"

/** What becomes of values. */
export interface Mapping<A, B, In, Out, L> {
  /** Gives what has arrived, in its other form, to the layer above. */
  readonly receive: (value: A, size: number, io: Io<In, L>) => void
  /** What is to be sent, in its other form; `undefined` if it has none. Throws a `ConnectionReason`, and does nothing else. */
  readonly migrate: (value: Out) => B | undefined
  /** The same of what is sent now; `undefined` if nothing is to be. Throws a `ConnectionReason` if it has none. */
  readonly encode: (value: Out) => B | undefined
  /** Whoever migrates in the same way has the same one. */
  readonly way: object
  /** How much of what has arrived was given to nobody. */
  readonly dropped: () => number
}

/** What the codec's machine is shown in place of the layer above. */
class Above<A, In, L> extends Passage<A, In, L> {
  private readonly map: (value: A, size: number, io: Io<In, L>) => void

  constructor(map: (value: A, size: number, io: Io<In, L>) => void) {
    super()
    this.map = map
  }

  to(io: Io<In, L>): this {
    this.io = io
    return this
  }

  emit(value: A, size: number): void {
    this.map(value, size, this.io)
  }
}

export const mapped = <L, A, B, In, Out>(
  machine: Machine<L, L, A, B>,
  mapping: Mapping<A, B, In, Out, L>
): Machine<L, L, In, Out> => {
  const above = new Above(mapping.receive)
  return {
    receive: (input, io) => machine.receive(input, above.to(io)),
    encode: (value, io) => {
      const other = mapping.encode(value)
      if (other !== undefined) machine.encode(other, above.to(io))
    },
    prepare: (value) => {
      const other = value.form(mapping.way, mapping.migrate)
      return other.message === undefined ? undefined : machine.prepare?.(other as Prepared<B>)
    },
    get skipped() {
      return (machine.skipped ?? 0) + mapping.dropped()
    },
    ended: (endOfInput, io) => machine.ended(endOfInput, above.to(io)),
    ...(machine.end === undefined ? undefined : { end: (io) => machine.end!(above.to(io)) })
  }
}
