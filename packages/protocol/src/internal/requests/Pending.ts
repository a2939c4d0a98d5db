/** The calls that we made and that have no answer yet. */
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import { Busy, type ConnectionError, lost, PeerFailed } from "../../ConnectionError.ts"
import { Violation } from "../../Reason.ts"
import type { Counts, Envelope } from "../../typed/Requests.ts"

/** What is waited for. */
interface Call {
  readonly name: string
  readonly answer: Deferred.Deferred<unknown, unknown>
}

/** An answer of the peer. */
type Answer = Extract<Envelope, { readonly _tag: "Success" | "Failure" | "Rejected" }>

export class Pending {
  private readonly layer: string
  private readonly calls = new Map<number, Call>()
  private last = 0
  private late = 0
  private unasked = 0

  constructor(layer: string) {
    this.layer = layer
  }

  get counts(): Counts {
    return { waiting: this.calls.size, late: this.late, unasked: this.unasked }
  }

  get ids(): ReadonlyArray<number> {
    return [...this.calls.keys()]
  }

  add(name: string): { readonly id: number; readonly answer: Deferred.Deferred<unknown, unknown> } {
    const id = ++this.last
    const answer = Deferred.makeUnsafe<unknown, unknown>()
    this.calls.set(id, { name, answer })
    return { id, answer }
  }

  remove(id: number): void {
    this.calls.delete(id)
  }

  /** An answer has come; what is returned is the rule that it breaks, if it breaks one. */
  answered(answer: Answer): Violation | undefined {
    const call = this.calls.get(answer.id)
    if (call === undefined) {
      if (answer.id <= this.last) this.late++
      else this.unasked++
      return undefined
    }
    if (answer._tag !== "Rejected" && answer.call !== call.name) {
      return new Violation({ rule: `the answer to call ${answer.id}, ${call.name}, is one to ${answer.call}` })
    }
    this.calls.delete(answer.id)
    Deferred.doneUnsafe(call.answer, this.exitOf(answer, call.name))
    return undefined
  }

  private exitOf(answer: Answer, call: string): Exit.Exit<unknown, unknown> {
    switch (answer._tag) {
      case "Success":
        return Exit.succeed(answer.value)
      case "Failure":
        return Exit.fail(answer.error)
      case "Rejected":
        return Exit.fail(lost(this.layer, answer.reason === "busy" ? new Busy({ call }) : new PeerFailed({ call })))
    }
  }

  /** No answer comes any more. */
  fail(error: ConnectionError): void {
    for (const { answer } of this.calls.values()) Deferred.doneUnsafe(answer, Exit.fail(error))
    this.calls.clear()
  }
}
