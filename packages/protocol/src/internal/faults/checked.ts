/** What a plan may say. Plans are data, perhaps read from somewhere: one that means nothing is refused before it does something else. */
import type * as Duration from "effect/Duration"
import type { ByteConditions, Flip, MessageConditions, Mishap, Plan, When } from "../../faults/Plan.ts"
import { millisOf } from "../millisOf.ts"

const refuse = (what: string, value: unknown): never => {
  throw new RangeError(`${what} can't be ${typeof value === "object" ? JSON.stringify(value) : value}`)
}

const checkTime = (what: string, time: Duration.Input | undefined): void => {
  if (time !== undefined) millisOf(what, time)
}

const check = (what: string, value: number | undefined, may: (value: number) => boolean): void => {
  if (value !== undefined && !may(value)) refuse(what, value)
}

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0
const isSize = (value: number): boolean => value === Infinity || (Number.isInteger(value) && value >= 1)
const isRate = (value: number): boolean => value > 0
const isChance = (value: number): boolean => value >= 0 && value <= 1

const checkConditions = (
  { bandwidth, corruptEvery, delay, drop, duplicate, jitter, merge, split }: ByteConditions & MessageConditions
): void => {
  checkTime("a delay", delay)
  checkTime("a jitter", jitter)
  checkTime("the time of a merge", merge)
  check("a bandwidth", bandwidth, isRate)
  check("the size of a split", split, isSize)
  check("the bytes between flips", corruptEvery, isSize)
  check("the chance of a drop", drop, isChance)
  check("the chance of a duplicate", duplicate, isChance)
}

const checkWhen = (after: When): void => {
  const { received, sent } = after as { readonly sent?: number; readonly received?: number }
  if (typeof after === "object" && Object.keys(after).length === 0) refuse("when a mishap happens", after)
  check("the count of what is sent", sent, isCount)
  check("the count of what is received", received, isCount)
  if (sent === undefined && received === undefined) checkTime("when a mishap happens", after as Duration.Input)
}

const checkMishap = (mishap: Mishap | Flip): void => {
  checkWhen(mishap.after)
  if (mishap.what === "hold") checkTime("for how long to hold", mishap.for)
}

/** The plan. Throws a `RangeError` if it is none. */
export const checked = <S>(plan: Plan<S>): Plan<S> => {
  checkTime("the delay of a connect", plan.connecting?.delay)
  if (plan.sent !== undefined) checkConditions(plan.sent)
  if (plan.received !== undefined) checkConditions(plan.received)
  plan.mishaps?.forEach(checkMishap)
  return plan
}
