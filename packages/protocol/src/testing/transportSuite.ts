/**
 * What every transport must keep, as cases any test framework can run:
 *
 *     for (const { name, run } of transportSuite(subject)) it.live(name, () => run)
 *
 * A case is an Effect that fails with what was seen and what was wanted. What a transport can't do it says in
 * `capabilities`, with the reason, which then stands in the name of the case that checks the refusal instead.
 */

import { closing } from "./transport/closing.ts"
import { delivery } from "./transport/delivery.ts"
import { interruption } from "./transport/interruption.ts"
import { listening } from "./transport/listening.ts"
import { type Case, type Subject, workbench } from "./transport/workbench.ts"

export type { Capabilities, Case, Subject } from "./transport/workbench.ts"

/** The cases every transport must pass. */
export const transportSuite = <S, CIn, COut, SIn, SOut>(
  subject: Subject<S, CIn, COut, SIn, SOut>
): ReadonlyArray<Case> => {
  const bench = workbench(subject)
  delivery(bench)
  interruption(bench)
  closing(bench)
  listening(bench)
  return bench.cases
}
