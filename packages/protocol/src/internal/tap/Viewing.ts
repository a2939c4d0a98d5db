/** What the probes of one connection are shown: masked, with its time, and so that none of them can break the connection. */
import * as Effect from "effect/Effect"
import type { EndOfInput, Outcome } from "../../Outcome.ts"
import { type Mask, secrets as known } from "../../tap/Redact.ts"
import type { Options, Probe, Subject, Way } from "../../tap/Tap.ts"
import type { Journal } from "../Journal.ts"
import { lifeOf } from "../LiveConnection.ts"

export class Viewing {
  private readonly subject: Subject
  private readonly journal: Journal
  private readonly masks: { readonly [W in Way]: ReadonlyArray<Mask> }
  private probes: ReadonlyArray<Probe>
  /** Those that are told nothing more but the end. */
  private lost: ReadonlyArray<Probe> = []

  constructor(subject: Subject, probes: ReadonlyArray<Probe>, masks: Viewing["masks"]) {
    this.subject = subject
    this.journal = lifeOf(subject.connection).journal
    this.masks = masks
    this.probes = probes
  }

  passed(way: Way, message: unknown): void {
    const { probes } = this
    if (probes.length === 0) return
    const at = this.journal.elapsed
    const masks = this.masks[way]
    let shown = message
    try {
      for (let i = 0; i < masks.length; i++) shown = masks[i](shown)
    } catch (thrown) {
      return this.lose(probes, thrown)
    }
    for (let i = 0; i < probes.length; i++) {
      try {
        probes[i].passed(way, shown, at)
      } catch (thrown) {
        this.lose([probes[i]], thrown)
      }
    }
  }

  ended(way: Way, how: EndOfInput): void {
    this.tell((probe, at) => probe.ended(way, how, at))
  }

  closed(outcome: Outcome): void {
    this.probes = [...this.probes, ...this.lost]
    this.tell((probe, at) => probe.closed(outcome, at))
    this.probes = this.lost = []
  }

  private tell(news: (probe: Probe, at: number) => void): void {
    const at = this.journal.elapsed
    for (const probe of this.probes) {
      try {
        news(probe, at)
      } catch (thrown) {
        this.lose([probe], thrown)
      }
    }
  }

  /** What could not be shown, or masked, is the last that these are told before the end. */
  private lose(lost: ReadonlyArray<Probe>, thrown: unknown): void {
    this.probes = this.probes.filter((probe) => !lost.includes(probe))
    this.lost = [...this.lost, ...lost]
    broke(this.subject, thrown)
  }
}

const broke = ({ name, run }: Subject, thrown: unknown): void =>
  run(Effect.logError(`a tap on ${name} broke, and shows nothing more of a connection:`, thrown))

/** What somebody else's code gives; undefined if it throws, which is logged. */
const attempted = <A>(subject: Subject, attempt: () => A): A | undefined => {
  try {
    return attempt()
  } catch (thrown) {
    broke(subject, thrown)
    return undefined
  }
}

/** The view of a connection, if any sink wants one. */
export const viewing = (subject: Subject, { redact, secrets = "mask", to }: Options): Viewing | undefined => {
  const redacts = [...secrets === "mask" ? [known] : [], ...redact === undefined ? [] : [redact]]
  const masksOf = (way: Way) => redacts.flatMap((redact): ReadonlyArray<Mask> | Mask => redact(subject, way) ?? [])
  const masks = attempted(subject, () => ({ sent: masksOf("sent"), received: masksOf("received") }))
  if (masks === undefined) return undefined
  const probes = to.flatMap((sink): ReadonlyArray<Probe> | Probe => attempted(subject, () => sink(subject)) ?? [])
  if (probes.length === 0) return undefined
  const view = new Viewing(subject, probes, masks)
  lifeOf(subject.connection).watch((state) => {
    if ("outcome" in state && state.outcome !== undefined) view.closed(state.outcome)
  })
  return view
}
