/** A benchmark: what we do, beside something well known that does the same work. */

/** What is called over and over; it returns what it has made, so that nothing of it can be left out. */
export type Operation<A> = () => A | Promise<A>

/** An operation and its reference, ready to be called. */
export interface Pair<A, B = A> {
  readonly ours: Operation<A>
  readonly reference: Operation<B>
  /** Whether both have made the same, each called once. */
  readonly agree: (ours: A, reference: B) => boolean
}

export interface Benchmark {
  readonly name: string
  /** What it is compared with. */
  readonly reference: string
  /** How many messages a call is about: times and bytes are told for one. */
  readonly messages: number
  /** Whether Effect makes functions of Schemas, instead of interpreting them. */
  readonly compiled?: boolean
  readonly prepare: () => Pair<any>
}
