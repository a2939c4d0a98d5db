/** Whether goals are met, and by how much. */
import { percent, plain } from "./format.ts"
import * as Ratio from "./Ratio.ts"
import type { Measured, Result } from "./Result.ts"
import * as Series from "./Series.ts"

/** A goal that was asked for. */
export interface Verdict {
  /** The workload or series, and what is wanted of it. */
  readonly of: string
  readonly goal: string
  readonly answer: Answer
}

/** By which part the goal is surpassed, below 0 if it is missed; or why nobody knows. */
export type Answer = { readonly got: number; readonly margin: number } | Ratio.Doubt

const isKnown = (answer: Answer): answer is Exclude<Answer, Ratio.Doubt> => "got" in answer

/** The goals of a workload, those of contestants that were not measured aside. */
export const ofWorkload = ({ rows, workload }: Measured): ReadonlyArray<Verdict> => {
  const row = (id: string) => rows.find(({ contestant }) => contestant === id)
  return workload.goals.flatMap(({ contestant, least, over }) => {
    if (row(contestant) === undefined || row(over) === undefined) return []
    const ratio = Ratio.between(row(over), row(contestant))
    const answer = Ratio.isDoubt(ratio) ? ratio : { got: ratio.median, margin: ratio.median / least - 1 }
    return [{ of: workload.id, goal: `${contestant} / ${over} at least ${least}`, answer }]
  })
}

/** What is wanted of the growth of costs. */
export const ofSeries = (result: Result): ReadonlyArray<Verdict> =>
  Series.growths.flatMap(({ contestant, from, most, series, title, to }) => {
    const points = Series.points(series, result[series], contestant).filter(({ x }) => x >= from && x <= to)
    if (points.at(0)?.x !== from || points.at(-1)?.x !== to) return []
    const doubt = points.find(({ row }) => row.doubt !== undefined)?.row.doubt
    const got = Series.growth(points)
    const answer = doubt === undefined ? { got, margin: most / got - 1 } : { doubt }
    return [{ of: series, goal: `${contestant}: ${title}, grows at most ${most} times`, answer }]
  })

export const all = (result: Result): ReadonlyArray<Verdict> => [
  ...result.workloads.flatMap(ofWorkload),
  ...(result.rpc ?? []).flatMap(ofWorkload),
  ...ofSeries(result)
]

export const isMet = ({ answer }: Verdict): boolean => isKnown(answer) && answer.margin >= 0

export const isMissed = ({ answer }: Verdict): boolean => isKnown(answer) && answer.margin < 0

/** "21.9, met by 10 %". */
export const text = ({ answer }: Verdict): string =>
  isKnown(answer)
    ? `${plain(answer.got)}, ${answer.margin < 0 ? "missed" : "met"} by ${percent(Math.abs(answer.margin))}`
    : `- (${answer.doubt})`
