/** The machine of every codec: a coder a direction, and what becomes of a message that can't be decoded. */
import { Undecodable } from "../ConnectionError.ts"
import type { Prepared } from "../fanout/Prepared.ts"
import type { Io, Machine } from "../Machine.ts"
import type { EndOfInput } from "../Outcome.ts"
import type { Coder, Skip } from "../typed/Codec.ts"
import { Kept } from "./Kept.ts"

/** What the machines of a stack share. */
export interface Plan<In, Out, M> {
  readonly decode: Coder<In, M>["decode"]
  readonly encode: Coder<Out, M>["encode"]
  /** The weight of a message in bytes. */
  readonly size: (message: M) => number
  /** A message that can't be decoded is handed out as its `Undecodable`. */
  readonly asValue: boolean
  readonly skip: Required<Skip> | undefined
}

export class CodecMachine<In, Out, M> implements Machine<M, M, In | Undecodable, Out> {
  skipped = 0
  private inARow = 0
  private readonly plan: Plan<In, Out, M>
  private readonly kept = new Kept<M>()

  constructor(plan: Plan<In, Out, M>) {
    this.plan = plan
  }

  receive(input: ReadonlyArray<M>, io: Io<In | Undecodable, M>): boolean {
    const { decode, size } = this.plan
    const messages = this.kept.and(input)
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i]
      if (!io.room()) return this.kept.keep(messages, i, message)
      let value: In
      try {
        value = decode(message)
      } catch (thrown) {
        if (!(thrown instanceof Undecodable)) throw thrown
        if (this.goesOn(thrown, message, io)) continue
        io.fail(thrown)
        return true
      }
      this.inARow = 0
      io.emit(value, size(message))
    }
    return true
  }

  encode(value: Out, io: Io<In, M>): void {
    io.write(this.plan.encode(value))
  }

  prepare(value: Prepared<Out>): Prepared<M> {
    return value.form(this.plan, this.plan.encode)
  }

  end(): void {}

  ended(endOfInput: EndOfInput, io: Io<In, M>): void {
    io.end(endOfInput)
  }

  private goesOn(undecodable: Undecodable, message: M, io: Io<Undecodable, M>): boolean {
    const { asValue, size, skip } = this.plan
    if (asValue) {
      io.emit(undecodable, size(message))
      return true
    }
    if (skip === undefined || this.inARow >= skip.inARow || this.skipped >= skip.inAll) return false
    this.inARow++
    this.skipped++
    skip.report(undecodable, this.skipped)
    return true
  }
}
